"""The dispatcher's one inbox: where it waits for messages from other threads and for descriptors to become readable.

A message may come from any thread, and from a signal handler. A descriptor is listened to by the dispatcher's own thread, so
what it brings passes through no other thread and no queue.
"""

from __future__ import annotations

import os
import queue
import select
import sys
from collections import deque
from collections.abc import Callable

from spoolrunner.dispatch.wishes import Inbox, Message


class QueueInbox(queue.SimpleQueue[Message]):
    """For Windows, which waits for sockets only: everything comes by messages."""

    def listen(self, descriptor: int, ready: Callable[[], None], *, writes: bool = False) -> None:
        """Refuse: NotImplementedError."""
        raise NotImplementedError("descriptors cannot be listened to here")

    def ignore(self, descriptor: int) -> None:
        """Do nothing: there is none that is listened to."""


if sys.platform != "win32":

    class PollInbox:
        """Waits in poll(2) for its descriptors, one of which wakes it when a message comes from elsewhere."""

        def __init__(self) -> None:
            self._messages: deque[Message] = deque()
            self._poll = select.poll()
            self._ready: dict[int, Callable[[], None]] = {}
            self._is_waiting = False
            self._woken, self._wake = os.pipe()
            os.set_blocking(self._woken, False)
            os.set_blocking(self._wake, False)
            self.listen(self._woken, self._drain)

        def __del__(self) -> None:
            os.close(self._woken)
            os.close(self._wake)

        def put(self, item: Message) -> None:
            """Add a message; from any thread, and from a signal handler."""
            self._messages.append(item)
            if self._is_waiting:
                self._wake_up()

        def get(self, *, timeout: float) -> Message:
            """Wait that many seconds for a message; queue.Empty when none came."""
            if not self._messages:
                self._is_waiting = True  # before the second look: who puts something after that look wakes us
                self._listen_for(0.0 if self._messages else timeout)
            return self._next()

        def get_nowait(self) -> Message:
            """The next message; queue.Empty when there is none."""
            if not self._messages:
                self._listen_for(0.0)
            return self._next()

        def empty(self) -> bool:
            """Whether there is none."""
            return not self._messages

        def listen(self, descriptor: int, ready: Callable[[], None], *, writes: bool = False) -> None:
            """Call `ready` whenever the descriptor can be read or, if `writes`, written; both only while we wait."""
            self._poll.register(descriptor, select.POLLIN | (select.POLLOUT if writes else 0))
            self._ready[descriptor] = ready

        def ignore(self, descriptor: int) -> None:
            """Listen to it no more; nothing if it is not listened to."""
            if self._ready.pop(descriptor, None) is not None:
                self._poll.unregister(descriptor)

        def _listen_for(self, seconds: float) -> None:
            try:
                found = self._poll.poll(seconds * 1000)
            finally:
                self._is_waiting = False
            for descriptor, _ in found:
                ready = self._ready.get(descriptor)
                if ready is not None:  # one that was ready before it may have ignored it
                    ready()

        def _next(self) -> Message:
            if self._messages:
                return self._messages.popleft()
            raise queue.Empty

        def _drain(self) -> None:
            try:
                os.read(self._woken, 4096)
            except BlockingIOError:
                return

        def _wake_up(self) -> None:
            try:
                os.write(self._wake, b"!")
            except BlockingIOError:
                return  # it is full of wake-ups


def make_inbox() -> Inbox:
    """The inbox of this platform."""
    if sys.platform == "win32":
        return QueueInbox()
    else:  # noqa: RET505 -- the type checker knows no PollInbox on Windows
        return PollInbox()
