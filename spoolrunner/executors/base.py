"""What an executor is: what it is made from, what it is asked, and what it reports. Does nothing; see `local`.

    executor.start(AttemptKey("x", 1)); executor.lives(marker); executor.kill(key); executor.forget(key)

An executor owns everything about the processes of jobs: it starts them, knows whether they live, ends them with their trees,
and reports their end. An attempt is known by its id and number, never by a pid alone: starting it twice is the same as starting
it once. Whether an attempt ran stands in the record on disk, not in an exit status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.spool.traces import Marker
from spoolrunner.telling.events import Event


class AttemptKey(NamedTuple):
    """Which start of which job."""

    job_id: str
    number: int


class Exited(NamedTuple):
    """An attempt's process ended; `status` is as in `Popen.returncode`. Each None where it cannot be known.

    `left` is False where it is known that nothing of its tree is left.
    """

    key: AttemptKey
    status: int | None
    usage: Usage | None = None
    left: bool = True


class NotStarted(NamedTuple):
    """No process was to be had for an attempt that was to be started; `problem` says why. The job's fault it is not."""

    key: AttemptKey
    problem: str


Report = Callable[[Exited | NotStarted], None]
"""Called from any thread when a process ended, or was not to be had."""


class Sources(Protocol):
    """Who waits for descriptors: the dispatcher's own thread calls what is to be called."""

    def listen(self, descriptor: int, ready: Callable[[], None], *, writes: bool = False) -> None:
        """Call `ready` whenever the descriptor can be read or, if `writes`, written. NotImplementedError on Windows."""

    def ignore(self, descriptor: int) -> None:
        """Listen to it no more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an executor needs to know. `settings` are those of the runner, as bytes; `boot` names this start of the machine.

    `preload` names what a template imports ahead, in that order: modules, or classes in them, and with `()` behind it a
    function that it calls; `jobs` is the whole table, job -> methods. `environment` is the whole one of a job's
    process, which runs in `folder`. `loaded` is called with the files that came with the modules, `notice` with an event; both
    from any thread. What an executor calls from its dispatcher's thread comes by `sources`. `is_limited`: some job's process is
    to be kept within limits by the system.
    """

    python: str
    settings: bytes
    root: str
    boot: str
    folder: str
    environment: Mapping[str, str]
    preload: Sequence[str]
    jobs: Mapping[str, Sequence[str]]
    loaded: Callable[[list[str]], None]
    notice: Callable[[Event], None]
    sources: Sources
    is_limited: bool = False


class Executor(Protocol):
    """Runs the runner for an attempt, somewhere, and knows what becomes of it."""

    def prepare(self) -> None:
        """See that it is ready for the next start, or is about to be. Asked before each start, and when nothing else is due.

        StartError when it cannot be: the next call tries again.
        """

    @property
    def is_ready(self) -> bool:
        """Whether an attempt can be started now, as far as it is known. The loop is woken when it comes to be, or soon asks."""

    def next_in(self, now: float) -> float:
        """Seconds until `work` has something to do; `now` is monotonic, as below. With `work` it is a chore."""

    def work(self, now: float) -> None:
        """See to the processes of its own, such as those that it started ahead. Waits for none of them."""

    @property
    def trouble(self) -> list[str]:
        """A sentence for each thing that is wrong with it, beside that no job can be started."""

    def start(self, assignment: Assignment) -> None:
        """Start the attempt, unless it was started; `prepare` was called just before. StartError when it is not possible."""

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

    def end_left(self, key: AttemptKey) -> int:
        """Ask what is left of the tree of an attempt, whose process is gone, to end; returns how many processes that are."""

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        """As `end_left`, of one that another dispatcher started; asked again it kills. Whether anything is left now."""

    def children(self) -> set[int]:
        """The pids of all child processes of this program that the executor started and watches."""

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""

    def renew(self) -> None:
        """Code on disk changed: what is started from now on must run the new one. Safe from any thread."""

    def replan(self, plan: Plan) -> None:
        """Start by another plan from now on; what runs is not disturbed. StartError: all stays as it is then."""

    def close(self) -> None:
        """Give up what starting needs. What runs, runs on."""
