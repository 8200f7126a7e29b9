"""A process beside a template that imports: it ends the template when the import hangs, or when the dispatcher is gone.

The template itself cannot: whatever it would do that by, an import can hold up. Works on every POSIX system. Light.
"""

from __future__ import annotations

import os
import select
import sys

from spoolrunner.system.clock import SYSTEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

assert sys.platform != "win32"  # noqa: S101 -- there is no fork, and so no template

_PAUSE = 50
"""Milliseconds between two looks whether the template lives; a dispatcher that goes is noticed at once."""
_KILL = 9


class Guardian:
    """Guards this process, which leads a session, from its making until `leave`.

    `socket` is that to the dispatcher. After so many seconds `last_words` are written to it, and the whole session's process
    group is killed: the children that an import has left as well.
    """

    def __init__(self, socket: int, seconds: float, last_words: bytes) -> None:
        guarded = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _guard(guarded, socket, SYSTEM.monotonic() + seconds, last_words)

    def leave(self) -> None:
        """Do without it from now on."""
        try:
            os.kill(self._pid, _KILL)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return  # the import has collected it, or had the system do that


def _guard(guarded: int, socket: int, deadline: float, last_words: bytes) -> NoReturn:
    try:
        poll = select.poll()
        poll.register(socket, 0)  # that the other end is gone is told without being asked
        while os.getppid() == guarded and not poll.poll(_PAUSE):
            if SYSTEM.monotonic() >= deadline:
                os.write(socket, last_words)
                break
        os.killpg(guarded, _KILL)
    finally:
        os._exit(1)
