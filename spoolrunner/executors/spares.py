"""The processes that a template forks ahead: each waits at a pipe for its job. Light: a template imports it."""

from __future__ import annotations

import os
import sys

from spoolrunner.system.clock import SYSTEM

assert sys.platform != "win32"  # noqa: S101 -- there is no fork, and so no template

_AT_REST, _AT_WORK = 2, 8
"""How many are forked together. After a fork each page that the template writes to costs it a fault: so the more at once the
better, as long as they are used at once."""
_AT_ONCE = 0.1
"""Seconds."""
_WARM_UP, _JOB = b"w", b"j"
"""To a process that was forked ahead: that there is time; and a job, which is followed by the length of its assignment."""
_FIRST_READ = 4096
"""Bytes; more than most assignments have, and no more memory than is at hand."""


class Spares:
    """Those that wait. `leaving` has the pids of those that were let go, and have not ended yet."""

    def __init__(self) -> None:
        self._ready: list[tuple[int, int]] = []
        self._warm: set[int] = set()
        self._refilled = 0.0
        self.leaving: list[int] = []

    def __len__(self) -> int:
        return len(self._ready)

    def wanted(self) -> int:
        """Return how many are to be forked now that there is none left."""
        before, self._refilled = self._refilled, SYSTEM.monotonic()
        return _AT_WORK if self._refilled - before < _AT_ONCE else _AT_REST

    def add(self, pid: int, pipe: int) -> None:
        """Take in a process that was forked just now, with the end of its pipe that is written to."""
        self._ready.append((pid, pipe))

    def pids(self) -> list[int]:
        """Return all, those that are leaving as well."""
        return [*self.leaving, *[pid for pid, _ in self._ready]]

    def use(self, assignment: bytes) -> int:
        """Give the assignment to one of them; return its pid, or 0 if there is none."""
        while self._ready:
            pid, pipe = self._ready.pop()
            left = message(assignment)
            try:
                while left:
                    left = left[os.write(pipe, left) :]
            except BrokenPipeError:
                continue  # somebody killed it
            finally:
                os.close(pipe)
            return pid
        return 0

    @property
    def have_settled(self) -> bool:
        """Whether there are no more than are needed at rest, and these have warmed up."""
        return len(self._ready) <= _AT_REST and all(pid in self._warm for pid, _ in self._ready)

    def settle(self) -> None:
        """Nothing happens: let the next ones warm up, and the others go."""
        self._let_go(len(self._ready) - _AT_REST)
        for pid, pipe in self._ready:
            if pid not in self._warm:
                self._warm.add(pid)
                try:
                    os.write(pipe, _WARM_UP)
                except BrokenPipeError:
                    continue  # somebody killed it: that is heard too

    def dismiss(self) -> None:
        """Let all go."""
        self._let_go(len(self._ready))

    def _let_go(self, count: int) -> None:
        for _ in range(count):
            pid, pipe = self._ready.pop(0)
            os.close(pipe)
            self.leaving.append(pid)

    def forget(self, pid: int) -> None:
        """It has ended."""
        self._warm.discard(pid)
        self.leaving = [other for other in self.leaving if other != pid]
        for spare in [spare for spare in self._ready if spare[0] == pid]:
            os.close(spare[1])
            self._ready.remove(spare)

    def shut(self) -> None:
        """In a child: close what belongs to the template."""
        for _, pipe in self._ready:
            os.close(pipe)
        self._ready = []


def message(assignment: bytes) -> bytes:
    """Return a job as it is written into the pipe."""
    return _JOB + len(assignment).to_bytes(4, "little") + assignment


def wait(pipe: int) -> bytes:
    """In a child: return the assignment that comes by the pipe, or `b""` when there is time to warm up; else end."""
    data = os.read(pipe, _FIRST_READ)
    if data[:1] == _WARM_UP:
        data = data[1:]
        if not data:
            return b""
    if not data:
        os._exit(0)  # the template is gone, or does without
    size = int.from_bytes(data[1:5], "little")
    while len(data) < size + 5:
        data += os.read(pipe, size) or os._exit(0)
    os.close(pipe)
    return data[5:]
