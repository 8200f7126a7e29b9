"""What the executors that run jobs on this machine share: everything but the start."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.executors.base import AttemptKey, Exited, Plan, Report
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.spool.traces import Marker
from spoolrunner.system import openers, orphans, place, processes

if TYPE_CHECKING:
    import psutil

_WATCH_AGAIN = 1.0
"""Seconds until the end of a process is waited for again, when there was no thread to be had for that."""


class LocalExecutor:
    """Everything but the start, for processes of this machine."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._locks = Layout(plan.root).locks
        self._pids: dict[AttemptKey, int] = {}
        self._marks: dict[AttemptKey, str] = {}
        self._ending: dict[AttemptKey, list[psutil.Process]] = {}
        self._exited: set[AttemptKey] = set()
        self._unwatched: dict[AttemptKey, Callable[[], None]] = {}
        """Those whose end nobody waits for, with what is to be tried again."""
        self._watch_again_at = 0.0
        self._gets_orphans = orphans.are_ours()

    def prepare(self) -> None:
        """See that it is ready for the next start: it always is."""

    @property
    def is_ready(self) -> bool:
        """Whether an attempt can be started now: always, as far as it is known."""
        return True

    @property
    def trouble(self) -> list[str]:
        """A sentence for each thing that is wrong with it, beside that no job can be started."""
        count = len(self._unwatched)
        return [f"no thread is to be had, so the end of {count} attempts would go unnoticed: see to the limits"] * (
            count > 0
        )

    def next_in(self, now: float) -> float:
        """Seconds until `work` has something to do."""
        return max(0.0, self._watch_again_at - now) if self._unwatched else math.inf

    def work(self, now: float) -> None:
        """Try again to wait for the ends that nobody waits for."""
        if self._unwatched and now >= self._watch_again_at:
            self._watch_again_at = now + _WATCH_AGAIN
            unwatched, self._unwatched = self._unwatched, {}
            for watch in unwatched.values():
                watch()

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known."""
        return self._pids.get(key) or None

    def know(self, assignment: Assignment) -> AttemptKey:
        """Note by what the processes of an attempt are known that is to be started, and return which it is."""
        key = AttemptKey(assignment.job_id, assignment.number)
        self._marks[key] = assignment.mark or self._mark_of(key, assignment.stamp)
        return key

    def adopt(self, key: AttemptKey, marker: Marker) -> None:
        """Watch over an attempt that another executor started, whose process left this start marker."""
        self._marks[key] = self._mark_of(key, marker.stamp)
        self.watch_stranger(key, marker.pid)

    def lives(self, marker: Marker) -> bool:
        """Whether the process that left this start marker still runs."""
        pid = self._seen(marker)
        return pid is not None and processes.lives(pid, marker.process_started, self._plan.boot)

    def _seen(self, marker: Marker) -> int | None:
        """The pid of a marker's process as it is seen from here; None for one that is not of this spool, or lives elsewhere."""
        is_ours = place.place(self._locks).is_ours(marker.home)
        return place.pid_seen_from_here(marker.pid, marker.namespace) if is_ours else None

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        """Pid and start of the process that has the lock file open which was removed from that path; None without one."""
        pid = openers.holder_of_removed(lock_path)
        start = None if pid is None else processes.started(pid, self._plan.boot)
        return None if pid is None or start is None else (pid, start)

    def watch_child(self, key: AttemptKey, pid: int) -> None:
        """Report when the process, which is our child, has ended, and with what."""
        self.watch(key, pid, lambda: _reaped(pid), is_child=True)

    def watch_stranger(self, key: AttemptKey, pid: int) -> None:
        """Report when the process, which need not be our child, is gone."""
        self.watch(key, pid, lambda: (None, None))

    def watch(
        self, key: AttemptKey, pid: int, ended: Callable[[], tuple[int | None, Usage | None]], *, is_child: bool = False
    ) -> None:
        """Report what `ended` returns once the process has; by a descriptor if there is one, else by a thread."""
        self._pids[key] = pid
        self._exited.discard(key)  # only the one that would have reported its end was gone
        descriptor = processes.descriptor_of(pid)
        if descriptor is None:
            if not self._watch_by_thread(key, pid, ended):
                self._unwatched[key] = lambda: self.watch(key, pid, ended, is_child=is_child)
            return

        def is_gone() -> None:
            self._plan.sources.ignore(descriptor)
            os.close(descriptor)
            status, usage = ended()
            self._has_ended(key, status, usage, left=not is_child or self._may_have_left(key, pid))

        self._plan.sources.listen(descriptor, is_gone)

    def _watch_by_thread(self, key: AttemptKey, pid: int, ended: Callable[[], tuple[int | None, Usage | None]]) -> bool:
        try:
            threading.Thread(target=self._wait, args=(key, pid, ended), name=f"wait-{pid}", daemon=True).start()
        except RuntimeError:
            return False  # the system has no more threads to give
        return True

    def _wait(self, key: AttemptKey, pid: int, ended: Callable[[], tuple[int | None, Usage | None]]) -> None:
        status, usage = ended()
        if status is None:
            processes.wait(pid)
        self._has_ended(key, status, usage)

    def _has_ended(self, key: AttemptKey, status: int | None, usage: Usage | None, *, left: bool = True) -> None:
        self._exited.add(key)
        # What a job object contains ends with the process that has made it.
        self._report(Exited(key, status, usage, left and not processes.HAS_JOB_OBJECTS))

    def _may_have_left(self, key: AttemptKey, pid: int) -> bool:
        """Whether something of the tree of our child, which has ended, may be left: then it would be a child of ours now."""
        others = orphans.among(self.children()) if self._gets_orphans else None
        marks = processes.marks_of(self._plan.root, *key)
        return others is None or any(orphans.belongs(other, pid, marks) for other in others)

    def children(self) -> set[int]:
        """The pids of all child processes of this program that the executor started and watches."""
        return set(self._pids.values())

    def _mark_of(self, key: AttemptKey, stamp: tuple[int, int, int]) -> str:
        return processes.mark(self._plan.root, *key, stamp, processes.home(self._locks))

    def mark(self, key: AttemptKey) -> str:
        """What the environment of the attempt's processes carries."""
        return self._marks.get(key, "")

    def ask_to_end(self, key: AttemptKey) -> None:
        """Send its process tree the terminate signal."""
        self._ending[key] = processes.ask_to_end(self._tree(key))

    def kill(self, key: AttemptKey) -> None:
        """End its process tree at once."""
        tree = self._tree(key)
        processes.end_together(self.mark(key))
        self._ending[key] = processes.kill(tree)

    def kill_holders(self, lock_path: str) -> None:
        """End the processes that have the lock file at that path open: what is left of an attempt whose process is gone."""
        processes.kill(openers.holders(lock_path, self._plan.root))

    def is_gone(self, key: AttemptKey) -> bool:
        """Whether nothing is left of a tree that was asked to end or killed."""
        return not processes.still_running(self._ending.get(key, []))

    def end_left(self, key: AttemptKey) -> int:
        """Ask what is left of the tree of an attempt, whose process is gone, to end; returns how many processes that are."""
        self._exited.add(key)
        self._ending[key] = processes.ask_to_end(self._tree(key))
        return len(self._ending[key])

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        """As `end_left`, of one that another dispatcher started; asked again it kills. Whether anything is left now."""
        key = AttemptKey(job_id, marker.attempt)
        tree = processes.tree(self._leader(self._seen(marker)), self._mark_of(key, marker.stamp))
        left = processes.still_running(tree)  # a zombie that nobody collects is nothing that can be ended
        end = processes.kill if key in self._ending else processes.ask_to_end
        self._ending[key] = end(left)
        if not left:
            self._ending.pop(key)
        return bool(left)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""
        self._pids.pop(key, None)
        self._marks.pop(key, None)
        self._ending.pop(key, None)
        self._exited.discard(key)
        self._unwatched.pop(key, None)

    def renew(self) -> None:
        """Code on disk changed: what is started from now on must run the new one. Safe from any thread."""

    def replan(self, plan: Plan) -> None:
        """Start by another plan from now on; what runs is not disturbed. StartError: all stays as it is then."""
        self._plan = plan

    def close(self) -> None:
        """Give up what starting needs. What runs, runs on."""

    def _tree(self, key: AttemptKey) -> list[psutil.Process]:
        """What belongs to it now, and what did when it was last asked to end: a child may have left the tree meanwhile."""
        pid = self._pids.get(key) or None
        has_exited = key in self._exited
        if pid is None and not has_exited:
            return []  # not known yet: the next step of the ending asks again
        now = processes.tree(self._leader(pid) if has_exited else pid, self.mark(key))
        earlier = [process for process in self._ending.get(key, []) if process not in now]
        tree = processes.still_running(now + earlier)
        # Its own pid may mean another process by now.
        return [process for process in tree if process.pid != pid] if has_exited else tree

    def _leader(self, pid: int | None) -> int | None:
        """The pid of a process that is gone, as that of a session: None if another process has it, which is not its session."""
        is_used_again = pid is not None and processes.started(pid, self._plan.boot) is not None
        return None if is_used_again else pid


if sys.platform == "win32":

    def _reaped(pid: int) -> tuple[int | None, Usage | None]:
        raise NotImplementedError("Windows has no wait4: its executor waits by the process's handle")
else:

    def _reaped(pid: int) -> tuple[int | None, Usage | None]:
        """The status of our child that has ended, and what it used; None each when somebody else has collected it."""
        try:
            _, status, usage = os.wait4(pid, 0)
        except ChildProcessError:
            return None, None
        return os.waitstatus_to_exitcode(status), Usage(*processes.usage_of(usage))
