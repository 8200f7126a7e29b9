"""What an executor is, and what those that run jobs on this machine share.

An attempt is known by its id and number, never by a pid alone: starting it twice is the same as starting it once, and
whether it ran is told by the record on disk, not by an exit status.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from spoolrunner.system import processes

if TYPE_CHECKING:
    import psutil


class AttemptKey(NamedTuple):
    """Which start of which job."""

    job_id: str
    number: int


class Exited(NamedTuple):
    """An attempt's process ended; `status` is as in `Popen.returncode`, None where it is not ours to know."""

    key: AttemptKey
    status: int | None


Report = Callable[[Exited], None]
"""Called from any thread when a process ended."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an executor needs to know. `settings` is for the runner, `preload` the modules a template imports ahead.

    `environment` is the whole one of a job's process, which runs in `folder`.
    `loaded` is told the files that came with them, `notice` what an operator should know; both from any thread.
    """

    kind: str
    python: str
    settings: bytes
    root: str
    folder: str
    environment: Mapping[str, str]
    preload: list[str]
    loaded: Callable[[list[str]], None]
    notice: Callable[[str], None]


class Executor(Protocol):
    """Runs the runner for an attempt, somewhere, and tells when it ended."""

    def prepare(self) -> None:
        """Get ready for the first start. StartError when it is not possible."""

    def start(self, key: AttemptKey) -> None:
        """Start it, unless it was started. StartError when it is not possible."""

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known."""

    def adopt(self, key: AttemptKey, pid: int) -> None:
        """Watch over an attempt that another executor started."""

    def ask_to_end(self, key: AttemptKey) -> None:
        """Send its process tree the terminate signal."""

    def kill(self, key: AttemptKey) -> None:
        """End its process tree at once."""

    def is_gone(self, key: AttemptKey) -> bool:
        """Whether nothing is left of a tree that was asked to end or killed."""

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""

    def renew(self) -> None:
        """Code on disk changed: what is started from now on must run the new one. Safe from any thread."""

    def close(self) -> None:
        """Give up what starting needs. What runs, runs on."""


class LocalExecutor:
    """Everything but the start, for processes of this machine. `root` is the spool's path."""

    def __init__(self, root: str, report: Report) -> None:
        self._root = root
        self._report = report
        self._pids: dict[AttemptKey, int] = {}
        self._ending: dict[AttemptKey, list[psutil.Process]] = {}
        self._exited: set[AttemptKey] = set()

    def prepare(self) -> None:
        """Get ready for the first start."""

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known."""
        return self._pids.get(key) or None

    def adopt(self, key: AttemptKey, pid: int) -> None:
        """Watch over an attempt that another executor started."""
        self._pids[key] = pid
        self.watch(key, pid, lambda: processes.wait(pid))

    def watch(self, key: AttemptKey, pid: int, wait: Callable[[], int | None]) -> None:
        """Report when `wait`, which returns the process's status, comes back."""

        def until_gone() -> None:
            status = wait()
            self._exited.add(key)
            self._report(Exited(key, status))

        threading.Thread(target=until_gone, name=f"wait-{pid}", daemon=True).start()

    def mark(self, key: AttemptKey) -> str:
        """What the environment of the attempt's processes carries."""
        return f"{self._root}:{key.job_id}:{key.number}"

    def ask_to_end(self, key: AttemptKey) -> None:
        """Send its process tree the terminate signal."""
        self._ending[key] = processes.ask_to_end(self._tree(key))

    def kill(self, key: AttemptKey) -> None:
        """End its process tree at once."""
        tree = self._tree(key)
        processes.end_together(self.mark(key))
        self._ending[key] = processes.kill(tree)

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

    def _tree(self, key: AttemptKey) -> list[psutil.Process]:
        """What belongs to it now, and what did when it was last asked to end: a child may have left the tree meanwhile."""
        pid = self.pid(key)
        if pid is None:
            return []  # whoever ends it comes again
        now = processes.tree(pid, self.mark(key))
        earlier = [process for process in self._ending.get(key, []) if process not in now]
        tree = processes.still_running(now + earlier)
        # Its own pid may mean another process by now.
        return [process for process in tree if process.pid != pid] if key in self._exited else tree
