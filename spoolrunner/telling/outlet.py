"""What is printed while a dispatcher works: a copy, written by a thread of its own, so that no reader holds it up.

    outlet = Outlet(sys.stdout)
    outlet.put("a line")
    outlet.close()

A pipe that nobody reads, a terminal that was stopped with Ctrl-S or closed, a full disk: lines are dropped then, and how many
is printed when it goes on.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, TextIO

from spoolrunner.system import clock

MOST_BYTES = 4 << 20
"""Bytes that are kept for a reader that is slow; what comes then is dropped."""
GRACE = 1.0
"""Seconds that the last lines are given at the end."""
_GATHER = 0.005
"""Seconds for which lines are gathered, so that a busy dispatcher is interrupted two hundred times a second at most."""
_REFUSED = 0.1
"""Seconds before the next try at a descriptor that takes nothing at this moment and does not wait (O_NONBLOCK)."""
_GAP = b""
_RESTART = 1.0
"""Seconds between two tries to start the thread, where the system has no more threads to give."""


class Outlet:
    """Prints lines on a text stream. `put` is for one thread, and never waits. Nothing else may write to it meanwhile."""

    def __init__(self, stream: TextIO, most_bytes: int = MOST_BYTES) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._put = self._taken = 0
        """Bytes put in by the one side, and taken out by the other: each is written by one thread alone."""
        self._dropped = self._lost = 0
        """Lines dropped by the one side, for want of room, and lost by the other, by an error."""
        self._dropped_said = self._lost_said = 0
        """Of how many of each it was printed."""
        self._is_gap_noted = False
        """Whether a place behind the last line is marked, at which it is to be printed how many were dropped."""
        self._in_flight = 0
        """Lines that are being written at this moment."""
        self._problem = ""
        self._is_torn = False
        self._bell = threading.Event()
        self._pause = threading.Event()  # which nobody sets
        self._is_asleep = self._is_closing = False
        self._thread: threading.Thread | None = None
        self._start_again_at = 0.0
        self.trouble = ""
        """Why nothing is printed at this moment, where there is no thread to be had for it."""

    def put(self, line: str) -> None:
        """Have a line printed, or drop it when too many wait already."""
        data = f"{line}\n".encode(self._encoding, "backslashreplace")
        if self._put - self._taken + len(data) > self._most_bytes:
            self._dropped += 1
            if not self._is_gap_noted:
                self._is_gap_noted = True
                self._waiting.append(_GAP)
            return
        self._put += len(data)
        self._waiting.append(data)
        if self._is_asleep:
            self._bell.set()
        elif self._thread is None or not self._thread.is_alive():
            self._start()

    def close(self, grace: float = GRACE) -> int:
        """Give the last lines `grace` seconds, and return how many are never printed; the next `put` begins anew."""
        self._is_closing = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._bell.set()
            thread.join(grace)
        missing = self._dropped - self._dropped_said + self._lost - self._lost_said
        return len(self._waiting) + self._in_flight + missing

    def _start(self) -> None:
        now = clock.SYSTEM.monotonic()
        if now < self._start_again_at:
            return
        self._is_closing = self._is_asleep = False
        # Not one to be waited for at the end of the process: it may hang in its write for ever.
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread to be had: the lines wait, and are counted when there is no more room
            self._thread = None
            self._start_again_at = now + _RESTART
            self.trouble = f"nothing is printed, which needs a thread: {error}"
        else:
            self.trouble = ""

    # -- the other side

    def _work(self) -> None:
        me = threading.current_thread()
        while self._waiting or not self._is_closing:
            if not self._waiting:
                self._sleep()
                continue
            if not self._is_closing:
                self._pause.wait(_GATHER)
            self._print_all()
            if self._thread is not me and not self._is_closing:
                return  # it was given up as hanging, and another one took its place

    def _sleep(self) -> None:
        self._is_asleep = True
        if (
            not self._waiting and not self._is_closing
        ):  # a look after the word, so that nothing put in between is missed
            self._bell.wait()
        self._is_asleep = False
        self._bell.clear()

    def _print_all(self) -> None:
        lines, size = [], 0
        while self._waiting:
            line = self._waiting.popleft()
            size += len(line)
            lines.append(line or self._gap())
        self._taken += size
        self._in_flight = len(lines)
        try:
            if self._lost > self._lost_said:
                self._write(self._confession(self._lost - self._lost_said, self._problem))
                self._lost_said = self._lost
            self._write(b"".join(lines))
        except Exception as error:  # of whatever stands behind the stream: these are lost, and the next ones are tried
            self._problem = str(error)
            self._lost += len(lines)
        self._in_flight = 0

    def _gap(self) -> bytes:
        self._is_gap_noted = False  # before the count is read: what is dropped after that marks a place of its own
        dropped = self._dropped
        count, self._dropped_said = dropped - self._dropped_said, dropped
        return self._confession(count, "too many waited to be read") if count else b""

    def _confession(self, count: int, problem: str) -> bytes:
        text = f"spoolrunner: {count} lines were not printed here: {problem}\n"
        return text.encode(self._encoding, "backslashreplace")

    def _write(self, data: bytes) -> None:
        # Below the buffers of the stream: one that is locked by a write which never ends would keep the process from ending.
        buffer: Any = getattr(self._stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)
        if raw is None:
            self._stream.write(data.decode(self._encoding))
            self._stream.flush()
            return
        left = memoryview(b"\n" + data if self._is_torn else data)
        while left:
            self._is_torn = True
            count = raw.write(left)
            if count is None:
                self._pause.wait(_REFUSED)
            else:
                left = left[count:]
        self._is_torn = False
