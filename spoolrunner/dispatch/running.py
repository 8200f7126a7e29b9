"""The attempts that run: their deadlines, and how one is ended: asked, then terminated, then killed with its whole tree.

Owns the times of that; touches no files. What an ended attempt turns into is for `settling`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spoolrunner.executors.base import AttemptKey, Executor
from spoolrunner.protocol.states import Outcome
from spoolrunner.system.clock import Clock
from spoolrunner.system.heldfiles import next_pause

CANCEL_NOTICE = 1.0
"""Seconds between asking (control/cancel-ID exists) and the terminate signal, for a job that looks."""
SHORTEST_PAUSE = 0.5
"""Seconds until an attempt is settled that could not be settled because another program holds its file."""
STEP = 0.05
"""Seconds between looks at a tree that is ending."""


@dataclass(slots=True)
class Ending:
    """Why and when (monotonic) an attempt is ended."""

    outcome: Outcome
    note: str
    terminate_at: float
    kill_at: float
    terminated: bool = False
    killed_at: float | None = None


@dataclass(slots=True)
class RunningAttempt:
    """An attempt that runs. `deadline` is monotonic, `timeout` in seconds; `started_at` as it will be recorded."""

    key: AttemptKey
    job: str
    method: str
    timeout: float
    deadline: float
    started_at: str
    starts: int
    adopted: bool = False
    ending: Ending | None = None
    has_exited: bool = False
    status: int | None = None
    held_since: float | None = None
    """Since when (monotonic) another program has kept it from being settled, by holding its file."""
    settle_at: float = 0.0


class Supervision:
    """All running attempts by job id. `kill_grace` is the time between the terminate signal and the kill, in seconds.

    `same` turns ids that are the same to the spool's file system into the same text.
    """

    def __init__(self, executor: Executor, clock: Clock, kill_grace: float, same: Callable[[str], str] = str) -> None:
        self._executor = executor
        self._clock = clock
        self._kill_grace = kill_grace
        self._same = same
        self._running: dict[str, RunningAttempt] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, job_id: str) -> bool:
        return self._same(job_id) in self._running

    def get(self, job_id: str) -> RunningAttempt | None:
        """The running attempt of that id."""
        return self._running.get(self._same(job_id))

    def all(self) -> list[RunningAttempt]:
        """All of them, oldest first."""
        return list(self._running.values())

    @property
    def at_work(self) -> int:
        """How many have a process, or something left of its tree that is being ended."""
        return sum(1 for attempt in self._running.values() if not attempt.has_exited or attempt.ending is not None)

    @property
    def all_exited(self) -> bool:
        """Whether every process is gone, so that only settling is left to do."""
        return all(attempt.has_exited for attempt in self._running.values())

    def add(self, attempt: RunningAttempt) -> None:
        """From now on this attempt is watched."""
        self._running[self._same(attempt.key.job_id)] = attempt

    def remove(self, attempt: RunningAttempt) -> None:
        """The attempt is settled."""
        self._running.pop(self._same(attempt.key.job_id), None)
        self._executor.forget(attempt.key)

    def count(self, job: str, method: str) -> int:
        """How many attempts of this method run."""
        return sum(1 for attempt in self._running.values() if (attempt.job, attempt.method) == (job, method))

    def cancel(self, attempt: RunningAttempt) -> bool:
        """Ask, then end it; False when that is under way already."""
        return self._end(attempt, Outcome.CANCELLED, "cancel asked for", CANCEL_NOTICE, self._kill_grace)

    def interrupt_all(self, grace: float | None = None) -> None:
        """End all that run, at once; with `grace` the kill follows after that many seconds instead of `kill_grace`."""
        for attempt in self._running.values():
            note = "the dispatcher stopped"
            if not self._end(attempt, Outcome.INTERRUPTED, note, 0.0, self._kill_grace if grace is None else grace):
                self._hurry(attempt, grace)

    def exited(self, key: AttemptKey, status: int | None) -> None:
        """The process of an attempt is gone; nothing when the attempt was settled before."""
        attempt = self.get(key.job_id)
        if attempt is not None and attempt.key == key:
            attempt.has_exited = True
            attempt.status = status

    def put_off(self, attempt: RunningAttempt) -> None:
        """Another program holds its file: settle it later, and the later the longer that lasts."""
        now = self._clock.monotonic()
        attempt.held_since = now if attempt.held_since is None else attempt.held_since
        attempt.settle_at = now + next_pause(now - attempt.held_since, SHORTEST_PAUSE)

    def is_over(self, attempt: RunningAttempt) -> bool:
        """Whether it may be settled: the process is gone and, if we ended it, nothing of its tree is left."""
        ending = attempt.ending
        if not attempt.has_exited or self._clock.monotonic() < attempt.settle_at:
            return False
        return ending is None or (ending.terminated and self._executor.is_gone(attempt.key))

    def step(self) -> list[RunningAttempt]:
        """Do what is due: end what outlived its timeout, terminate, kill. Returns the attempts that have just timed out."""
        now = self._clock.monotonic()
        overdue = [a for a in self._running.values() if a.ending is None and not a.has_exited and now >= a.deadline]
        for attempt in overdue:
            note = f"ran longer than its timeout of {attempt.timeout:g} s"
            self._end(attempt, Outcome.TIMED_OUT, note, 0.0, self._kill_grace)
        for attempt in self._running.values():
            self._step_ending(attempt, now)
        return overdue

    def next_step_in(self) -> float:
        """Seconds until `step` has something to do."""
        times = [
            attempt.deadline for attempt in self._running.values() if attempt.ending is None and not attempt.has_exited
        ]
        now = self._clock.monotonic()
        ending = any(attempt.ending is not None for attempt in self._running.values())
        return min([STEP if ending else float("inf"), *(max(0.0, at - now) for at in times)])

    def next_settle_in(self) -> float:
        """Seconds until an attempt that was put off is to be settled."""
        times = [attempt.settle_at for attempt in self._running.values() if attempt.held_since is not None]
        return max(0.0, min(times, default=float("inf")) - self._clock.monotonic())

    def _end(self, attempt: RunningAttempt, outcome: Outcome, note: str, notice: float, grace: float) -> bool:
        if attempt.ending is not None:
            return False
        terminate_at = self._clock.monotonic() + notice
        attempt.ending = Ending(outcome, note, terminate_at, terminate_at + grace)
        return True

    def _hurry(self, attempt: RunningAttempt, grace: float | None) -> None:
        if attempt.ending is not None and grace is not None:
            attempt.ending.terminate_at = self._clock.monotonic()
            attempt.ending.kill_at = min(attempt.ending.kill_at, attempt.ending.terminate_at + grace)

    def _step_ending(self, attempt: RunningAttempt, now: float) -> None:
        ending = attempt.ending
        if ending is None:
            return
        # A process that went by itself when it was asked leaves its tree to us at once.
        if not ending.terminated and (now >= ending.terminate_at or attempt.has_exited):
            ending.terminated = True
            self._executor.ask_to_end(attempt.key)
        if ending.terminated and now >= (ending.killed_at + 1.0 if ending.killed_at else ending.kill_at):
            ending.killed_at = now
            self._executor.kill(attempt.key)
