"""The children of a template, and how it learns of their ends, also when somebody else has collected them.

Light: a template imports it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.system import processes

assert sys.platform != "win32"  # noqa: S101 -- there is no fork, and so no template

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select
    from collections.abc import Callable


class Children:
    """The processes that were forked for jobs: `pids` has those that have not ended.

    `ended` is called with the pid of each child that has ended, with what it came to: the status, which is None where it cannot
    be known, seconds of CPU time and KiB of memory.
    """

    def __init__(self, poll: select.poll, ended: Callable[[int, int | None, float, int], None]) -> None:
        self.pids: set[int] = set()
        self._poll = poll
        self._ended = ended
        self._ends: dict[int, int] = {}
        """Descriptors by which the poll wakes when a process ends: descriptor -> pid."""
        self._descriptors: dict[int, int] = {}

    def add(self, pid: int) -> None:
        """Take a process among them."""
        self.pids.add(pid)
        end = processes.descriptor_of(pid)
        if end is not None:
            self._ends[end] = pid
            self._descriptors[pid] = end
            self._poll.register(end, _READABLE)

    @property
    def are_watched(self) -> bool:
        """Whether the poll wakes at the end of each job: a child without a descriptor has to be looked for at times."""
        return len(self._ends) == len(self.pids)

    def let_go(self) -> None:
        """In a child: close what belongs to the template."""
        for end in self._ends:
            os.close(end)

    def reap(self, ready: list[tuple[int, int]]) -> None:
        """Collect those that have ended. `ready` is what the poll returned."""
        try:
            self._collect_all()
        except ChildProcessError:
            for pid in list(self.pids):  # there is none left, so all that we know of were collected
                self._has_ended(pid, None, 0.0, 0)
            return
        if self._ends:
            for pid in [self._ends[descriptor] for descriptor, _ in ready if descriptor in self._ends]:
                self._collect(pid)

    def _collect_all(self) -> None:
        while True:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            self._has_ended(pid, os.waitstatus_to_exitcode(status), *processes.usage_of(used))

    def _collect(self, pid: int) -> None:
        """Collect a child that has ended, by its descriptor, and was not among the others: nobody else would ever report it."""
        try:
            collected, status, used = os.wait4(pid, os.WNOHANG)
        except ChildProcessError:
            self._has_ended(pid, None, 0.0, 0)
            return
        if collected:
            self._has_ended(pid, os.waitstatus_to_exitcode(status), *processes.usage_of(used))

    def _has_ended(self, pid: int, status: int | None, cpu_s: float, max_rss_kib: int) -> None:
        end = self._descriptors.pop(pid, None)
        if end is not None:
            del self._ends[end]
            self._poll.unregister(end)
            os.close(end)
        self._ended(pid, status, cpu_s, max_rss_kib)
        self.pids.discard(pid)


_READABLE = 1
"""POLLIN of poll(2)."""
