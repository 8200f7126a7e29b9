"""How a template keeps its post, and what it knows of the processes that its jobs leave. Light: a template imports it.

The signals that are sent to all processes at once are not for a template: it ends when its dispatcher closes the socket. If it
went with the first signal of a stop, nobody could tell how its jobs ended. The orphans of its jobs become its children (Linux):
it knows at next to no cost whether a job has left anything, and collects what ends.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # without the classes of `signal`, which each fork would copy
import os
import sys

from spoolrunner.system import orphans, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

assert sys.platform != "win32"  # noqa: S101 -- there are no templates

LOOK_PAUSE = 1000
"""Milliseconds between looks for orphans that have ended: nothing wakes a template for those that it did not fork."""
_OF_STOPS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def outlive_stops() -> None:
    """In the template: let the signals wait that ask programs to end. They are not ignored, which its jobs would inherit."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _OF_STOPS)


def fork() -> int:
    """Fork a process that those signals end; what waits at the template is not inherited. Returns as `os.fork` does."""
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_STOPS)
    return pid


class LeftByJobs:
    """The processes that the jobs of the spool at `root` left to us. `is_any`: there were some at the last look."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._gets_them = orphans.get_them()
        self._found: list[int] | None = None
        self.is_any = False

    def look(self, known: Container[int]) -> None:
        """Find our children that are not `known`."""
        self._found = orphans.among(known) if self._gets_them else None
        self.is_any = bool(self._found)

    def may_be_of(self, job_id: str, number: int, pid: int) -> bool:
        """Whether one of them may be of the tree of that attempt, whose process had that pid; True where nobody can tell."""
        if not self._found:
            return self._found is None
        marks = processes.marks_of(self._root, job_id, number)
        return any(orphans.belongs(other, pid, marks) for other in self._found)
