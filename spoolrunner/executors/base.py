"""What an executor is, and what those that run jobs on this machine share.

    executor.start(AttemptKey("x", 1)); executor.lives(marker); executor.kill(key); executor.forget(key)

An executor owns everything about the processes of jobs: it starts them, knows whether they live, ends them with their trees,
and reports their end. An attempt is known by its id and number, never by a pid alone: starting it twice is the same as starting
it once. Whether an attempt ran stands in the record on disk, not in an exit status.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from spoolrunner.spool.locks import Marker
from spoolrunner.system import processes
from spoolrunner.telling.events import Event

if TYPE_CHECKING:
    import psutil


class AttemptKey(NamedTuple):
    """Which start of which job."""

    job_id: str
    number: int


class Exited(NamedTuple):
    """An attempt's process ended; `status` is as in `Popen.returncode`, None where it cannot be known."""

    key: AttemptKey
    status: int | None


Report = Callable[[Exited], None]
"""Called from any thread when a process ended."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an executor needs to know. `settings` are those of the runner, `preload` the jobs whose modules a template imports.

    `environment` is the whole one of a job's process, which runs in `folder`; `boot` names this start of the machine. `loaded`
    is called with the files that came with the modules, `notice` with an event; both from any thread.
    """

    python: str
    settings: bytes
    root: str
    boot: str
    folder: str
    environment: Mapping[str, str]
    preload: list[str]
    loaded: Callable[[list[str]], None]
    notice: Callable[[Event], None]


class Executor(Protocol):
    """Runs the runner for an attempt, somewhere, and knows what becomes of it."""

    def prepare(self) -> None:
        """Get ready for the first start. StartError when it is not possible."""

    def start(self, key: AttemptKey) -> None:
        """Start it, unless it was started. StartError when it is not possible."""

    def adopt(self, key: AttemptKey, marker: Marker) -> None:
        """Watch over an attempt that another executor started, whose process left this start marker."""

    def lives(self, marker: Marker) -> bool:
        """Whether the process that left this start marker still runs."""

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        """Pid and start of the process that has the lock file open which was removed from that path; None without one."""

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known."""

    def ask_to_end(self, key: AttemptKey) -> None:
        """Send its process tree the terminate signal."""

    def kill(self, key: AttemptKey) -> None:
        """End its process tree at once."""

    def kill_holders(self, lock_path: str) -> None:
        """End the processes that have the lock file at that path open: what is left of an attempt whose process is gone."""

    def is_gone(self, key: AttemptKey) -> bool:
        """Whether nothing is left of a tree that was asked to end or killed."""

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""

    def renew(self) -> None:
        """Code on disk changed: what is started from now on must run the new one. Safe from any thread."""

    def close(self) -> None:
        """Give up what starting needs. What runs, runs on."""


class LocalExecutor:
    """Everything but the start, for processes of this machine."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._pids: dict[AttemptKey, int] = {}
        self._ending: dict[AttemptKey, list[psutil.Process]] = {}
        self._exited: set[AttemptKey] = set()

    def prepare(self) -> None:
        """Get ready for the first start."""

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known."""
        return self._pids.get(key) or None

    def adopt(self, key: AttemptKey, marker: Marker) -> None:
        """Watch over an attempt that another executor started, whose process left this start marker."""
        self._watch_pid(key, marker.pid)

    def lives(self, marker: Marker) -> bool:
        """Whether the process that left this start marker still runs."""
        return processes.lives(marker.pid, marker.process_started, self._plan.boot)

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        """Pid and start of the process that has the lock file open which was removed from that path; None without one."""
        pid = processes.holder_of_removed(lock_path)
        start = None if pid is None else processes.started(pid, self._plan.boot)
        return None if pid is None or start is None else (pid, start)

    def watch(self, key: AttemptKey, pid: int, wait: Callable[[], int | None]) -> None:
        """Report when `wait`, which returns the process's status, comes back."""

        def until_gone() -> None:
            status = wait()
            self._exited.add(key)
            self._report(Exited(key, status))

        threading.Thread(target=until_gone, name=f"wait-{pid}", daemon=True).start()

    def mark(self, key: AttemptKey) -> str:
        """What the environment of the attempt's processes carries."""
        return f"{self._plan.root}:{key.job_id}:{key.number}"

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
        processes.kill(processes.holders(lock_path))

    def is_gone(self, key: AttemptKey) -> bool:
        """Whether nothing is left of a tree that was asked to end or killed."""
        return not processes.still_running(self._ending.get(key, []))

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""
        self._pids.pop(key, None)
        self._ending.pop(key, None)
        self._exited.discard(key)

    def renew(self) -> None:
        """Code on disk changed: what is started from now on must run the new one. Safe from any thread."""

    def close(self) -> None:
        """Give up what starting needs. What runs, runs on."""

    def _watch_pid(self, key: AttemptKey, pid: int) -> None:
        """Report when the process, which need not be our child, is gone."""
        self._pids[key] = pid
        self.watch(key, pid, lambda: processes.wait(pid))

    def _tree(self, key: AttemptKey) -> list[psutil.Process]:
        """What belongs to it now, and what did when it was last asked to end: a child may have left the tree meanwhile."""
        pid = self.pid(key)
        if pid is None:
            return []  # not known yet: the next step of the ending asks again
        now = processes.tree(pid, self.mark(key))
        earlier = [process for process in self._ending.get(key, []) if process not in now]
        tree = processes.still_running(now + earlier)
        # Its own pid may mean another process by now.
        return [process for process in tree if process.pid != pid] if key in self._exited else tree
