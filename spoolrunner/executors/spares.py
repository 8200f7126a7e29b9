"""The processes that a template has forked ahead, in the hands of the dispatcher: each has a pipe by which it gets its job.

    spares = Spares(ask, sources); spares.add([77], [9]); spares.give(assignment.to_bytes())

So a job needs nobody's help to start but that of its own process, and the pid of that is known before the job is.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence

from spoolrunner.executors.base import Sources
from spoolrunner.executors.frames import WARM_UP
from spoolrunner.system import clock

_AT_REST, _AT_WORK = 2, 8
"""How many are wanted. After a fork each page that the template writes to costs it a fault: so the more are forked together the
better, as long as they are used at once."""
_FEW = 3
"""With fewer than this at work, more are asked for: what is left is used up before they come."""
_AT_ONCE = 0.1
"""Seconds between two jobs that are at work."""
_QUIET, _QUIET_AFTER_WORK = 0.02, 0.2
"""Seconds without a start until there is time to let the next ones warm up; the longer one where there was none just now."""
_TAKEN_WHOLE = 4096
"""Bytes that an empty pipe takes at once, however little memory for pipes its user has left: a page."""


class Spares:
    """Those that wait for a job. `ask` is called with how many are to be forked; `clock.SYSTEM` tells when to rest."""

    def __init__(self, ask: Callable[[int], None], sources: Sources) -> None:
        self._ask = ask
        self._sources = sources
        self._ready: list[tuple[int, int]] = []
        self._cold: set[int] = set()
        self._asked = 0
        self._is_closed = False
        self._used_at, self._used_before, self._came_at = 0.0, -math.inf, -math.inf

    def __len__(self) -> int:
        return len(self._ready)

    def ask_for_more(self) -> None:
        """Ask for as many as are wanted just now, unless they are on the way."""
        if self._is_closed:
            return
        there = len(self._ready) + self._asked
        wanted = _AT_WORK if self._is_at_work and there < _FEW else _AT_REST - there
        if wanted > 0:
            self._asked += wanted
            self._ask(wanted)

    @property
    def _is_at_work(self) -> bool:
        return self._used_at - self._used_before < _AT_ONCE

    def add(self, pids: Sequence[int], pipes: Sequence[int]) -> None:
        """Take those in that were asked for, with the ends of their pipes that are written to."""
        self._asked = 0
        self._came_at = clock.SYSTEM.monotonic()
        self._ready += zip(pids, pipes, strict=True)
        self._cold.update(pids)
        if self._is_closed:
            self.close()

    def give(self, assignment: bytes) -> int:
        """Give a job to one of them; return its pid, or 0 if there is none. Waits for nothing."""
        while self._ready:
            pid, pipe = self._ready.pop(0)  # the one that has warmed up longest
            self._cold.discard(pid)
            if self._is_sent(assignment, pipe):
                self._used_before, self._used_at = self._used_at, clock.SYSTEM.monotonic()
                return pid
        return 0

    def _is_sent(self, data: bytes, pipe: int) -> bool:
        if len(data) > _TAKEN_WHOLE:
            if sys.platform != "win32":  # there is no template there
                os.set_blocking(pipe, False)
            _Delivery(data, pipe, self._sources).go_on()
            return True
        try:
            os.write(pipe, data)
        except BrokenPipeError:
            return False  # somebody killed it: that is reported too
        finally:
            os.close(pipe)
        return True

    def forget(self, pid: int) -> None:
        """It has ended, unused or not."""
        for spare in [spare for spare in self._ready if spare[0] == pid]:
            self._ready.remove(spare)
            self._cold.discard(pid)
            os.close(spare[1])

    def next_in(self, now: float) -> float:
        """Seconds until `settle` has something to do; `now` is monotonic."""
        if not self._cold and len(self._ready) <= _AT_REST:
            return math.inf
        quiet = _QUIET_AFTER_WORK if self._is_at_work else _QUIET
        return max(0.0, max(self._used_at, self._came_at) + quiet - now)

    def settle(self, now: float) -> None:
        """When nothing has been started for a moment, let those that are too many go, and the others warm up."""
        if self.next_in(now) > 0:
            return
        for pid, pipe in self._ready[_AT_REST:]:
            self._cold.discard(pid)
            os.close(pipe)
        del self._ready[_AT_REST:]
        for pid, pipe in self._ready:
            if pid in self._cold:
                try:
                    os.write(pipe, WARM_UP)
                except BrokenPipeError:
                    continue  # somebody killed it: that is reported too
        self._cold.clear()

    def close(self) -> None:
        """Let all go, those too that are on their way."""
        self._is_closed = True
        for _, pipe in self._ready:
            os.close(pipe)
        self._ready.clear()
        self._cold.clear()


class _Delivery:
    """A job that a pipe does not take at once: the rest follows as its process reads."""

    def __init__(self, data: bytes, pipe: int, sources: Sources) -> None:
        self._left = data
        self._pipe = pipe
        self._sources = sources

    def go_on(self) -> None:
        """Write what can be written now."""
        try:
            self._left = self._left[os.write(self._pipe, self._left) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._left = b""  # its process has ended: that is reported too
        if self._left:
            self._sources.listen(self._pipe, self.go_on, writes=True)
        else:
            self._sources.ignore(self._pipe)
            os.close(self._pipe)
