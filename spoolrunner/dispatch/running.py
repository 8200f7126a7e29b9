"""The attempts that run: their deadlines, and how one is ended: asked, then terminated, then killed with its whole tree.

Owns the times of that; touches no files. What an ended attempt turns into is for `ended`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from spoolrunner.dispatch.deadlines import Deadlines
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running_attempt import Clearing, RunningAttempt, Termination
from spoolrunner.executors.base import Executor, Exited, NotStarted
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool.settling_rules import ENDED_BY_STOP, Stop
from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Ending, Gone

CANCEL_NOTICE = 1.0
"""Seconds between the request (control/cancel-ID exists) and the terminate signal, for a job that looks."""
STOP_ARRIVES = 1.0
"""Seconds within which a stop of all processes reaches us, after it has ended the process of a job."""
STEP = 0.05
"""Seconds between looks at a tree that is ending."""


class RunningAttempts:
    """All running attempts by job id. `kill_grace` is the time between the terminate signal and the kill, in seconds.

    `deadlines` knows when one is overdue. `same` turns ids that are the same to the spool's file system into the same text.
    """

    def __init__(
        self,
        executor: Executor,
        reporter: Reporter,
        clock: Clock,
        deadlines: Deadlines,
        kill_grace: float,
        same: Callable[[str], str] = str,
    ) -> None:
        self._executor = executor
        self._reporter = reporter
        self._clock = clock
        self._deadlines = deadlines
        self.kill_grace = kill_grace
        self._same = same
        self._running: dict[str, RunningAttempt] = {}
        self.added: Callable[[RunningAttempt], object] = lambda _: None
        self.removed: Callable[[RunningAttempt], object] = self.added
        """Called with each attempt that is watched from now on, or no more."""
        self._stops = False

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
        """How many have a process, or something left of its tree that is being ended, or ended as by a stop just now."""
        busy = 0
        for attempt in self._running.values():  # a plain loop: it is asked several times a job
            is_ending = attempt.is_being_ended and not attempt.is_kept_off
            # Where a stop ended the process nothing is to be started before we know: it would be interrupted, too.
            busy += not attempt.has_exited or is_ending or attempt.status in ENDED_BY_STOP
        return busy

    @property
    def all_exited(self) -> bool:
        """Whether every process is gone, so that only settling is left to do."""
        return all(attempt.has_exited for attempt in self._running.values())

    def add(self, attempt: RunningAttempt) -> None:
        """From now on this attempt is watched."""
        self._running[self._same(attempt.key.job_id)] = attempt
        self.added(attempt)

    def remove(self, attempt: RunningAttempt) -> None:
        """The attempt is settled."""
        if self._running.pop(self._same(attempt.key.job_id), None) is not None:
            self.removed(attempt)
        self._executor.forget(attempt.key)

    def forget_all(self) -> None:
        """Watch over none of them any more: the spool in which they run was removed, and there is nothing to settle."""
        for attempt in self.all():
            self._reporter.report(Gone(attempt.key.job_id))
            self.remove(attempt)

    def cancel(self, attempt: RunningAttempt) -> None:
        """Let the job see the request, then end it; nothing when it is being ended already."""
        if self._end(attempt, Outcome.CANCELLED, "cancel asked for", CANCEL_NOTICE, self.kill_grace):
            self._report_ending(attempt)

    def interrupt_all(self, grace: float | None = None) -> None:
        """End all that run, at once; with `grace` the kill follows after that many seconds instead of `kill_grace`."""
        for attempt in self._running.values():
            note = "the dispatcher stopped"
            if attempt.clearing is not None:  # it is over, and only what it left is not
                seconds = self.kill_grace if grace is None else grace
                attempt.clearing.kill_at = min(attempt.clearing.kill_at, self._clock.monotonic() + seconds)
                continue
            if attempt.has_exited and attempt.termination is None:
                continue  # by itself, and it is settled in a moment
            if not self._end(attempt, Outcome.INTERRUPTED, note, 0.0, self.kill_grace if grace is None else grace):
                self._hurry(attempt, grace)

    def stop_has_come(self) -> None:
        """A stop was asked for: what ended as by the signal of one ended by it, just now and from now on."""
        self._stops = True

    def stop_of(self, attempt: RunningAttempt) -> Stop:
        """What is known of a stop that may have ended this attempt."""
        if attempt.termination is not None:
            return Stop.NONE  # we ended it ourselves
        if self._stops:
            return Stop.ASKED
        return Stop.AWAITED if attempt.aside_until is None else Stop.NONE

    def put_aside(self, attempt: RunningAttempt) -> None:
        """Settle it when the stop has come that may have ended it, or had its time."""
        attempt.aside_until = self._clock.monotonic() + STOP_ARRIVES

    def exited(self, ended: Exited | NotStarted) -> None:
        """The process of an attempt is gone, or was not to be had; nothing when the attempt was settled before."""
        attempt = self.get(ended.key.job_id)
        if attempt is None or attempt.key != ended.key:
            return
        attempt.has_exited, attempt.never_started = True, isinstance(ended, NotStarted)
        if isinstance(ended, NotStarted):
            return
        attempt.status, attempt.usage = ended.status, ended.usage
        if ended.left and attempt.termination is None and attempt.policy.leftovers == "end":
            self._clear(attempt)

    def _clear(self, attempt: RunningAttempt) -> None:
        """End what an attempt left, before it counts as over: no other one finds anything of it."""
        count = self._executor.end_left(attempt.key)
        if count:
            attempt.clearing = Clearing(self._clock.monotonic() + self.kill_grace)
            what = f"{count} process{'es' if count > 1 else ''}"
            self._reporter.report(Ending(attempt.who, None, f"what it left is ended: {what}"))

    def is_over(self, attempt: RunningAttempt) -> bool:
        """Whether it may be settled: the process is gone and, if we ended it, nothing of its tree is left."""
        if not attempt.has_exited:
            return False
        if attempt.aside_until is not None and not self._stops and self._clock.monotonic() < attempt.aside_until:
            return False
        termination = attempt.termination
        if not attempt.is_being_ended or (termination is not None and not termination.terminated):
            return termination is None
        return self._executor.is_gone(attempt.key)

    def work(self, now: float) -> None:
        """End the attempts that outlived their timeout; terminate and kill what is being ended. A chore."""
        overdue = [attempt for attempt in self._running.values() if self._end_if_overdue(attempt, now)]
        for attempt in self._running.values():
            self._step_termination(attempt, now)
            self._step_clearing(attempt, now)
        for attempt in overdue:
            self._report_ending(attempt)

    def _end_if_overdue(self, attempt: RunningAttempt, now: float) -> bool:
        if now < attempt.deadline or attempt.termination is not None or attempt.has_exited:
            return False
        deadline = self._deadlines.of(*attempt.key, attempt.policy.timeout, attempt.started)
        attempt.deadline = deadline.at
        return now >= deadline.at and self._end(attempt, Outcome.TIMED_OUT, deadline.why, 0.0, self.kill_grace)

    def next_in(self, now: float) -> float:
        """Seconds until `work` has something to do."""
        least = math.inf
        for attempt in self._running.values():
            if attempt.is_being_ended:
                least = min(least, STEP)
            elif not attempt.has_exited:
                least = min(least, max(0.0, attempt.deadline - now))
            elif attempt.aside_until is not None:
                least = min(least, max(0.0, attempt.aside_until - now))
        return least

    def describe(self) -> list[dict[str, Any]]:
        """The running attempts, as status.json shows them."""
        return [
            {
                "id": attempt.key.job_id,
                "job": attempt.job,
                "method": attempt.method,
                "group": attempt.policy.group,
                "attempt": attempt.key.number,
                "pid": self._executor.pid(attempt.key),
                "started_at": attempt.started_at,
                "timeout": attempt.policy.timeout,
                "adopted": attempt.adopted,
                "ending": None if attempt.termination is None else attempt.termination.outcome.value,
            }
            for attempt in self._running.values()
        ]

    def _end(self, attempt: RunningAttempt, outcome: Outcome, note: str, notice: float, grace: float) -> bool:
        """Begin to end it, `notice` seconds from now; False when that is under way already."""
        if attempt.termination is not None:
            return False
        terminate_at = self._clock.monotonic() + notice
        attempt.termination = Termination(outcome, note, terminate_at, terminate_at + grace)
        return True

    def _hurry(self, attempt: RunningAttempt, grace: float | None) -> None:
        if attempt.termination is not None and grace is not None:
            attempt.termination.terminate_at = self._clock.monotonic()
            attempt.termination.kill_at = min(attempt.termination.kill_at, attempt.termination.terminate_at + grace)

    def _step_termination(self, attempt: RunningAttempt, now: float) -> None:
        termination = attempt.termination
        if termination is None:
            return
        # A process that went by itself when it was asked leaves its tree to us at once.
        if not termination.terminated and (now >= termination.terminate_at or attempt.has_exited):
            termination.terminated = True
            self._executor.ask_to_end(attempt.key)
        kill_at = termination.kill_at if termination.killed_at is None else termination.killed_at + 1.0
        if termination.terminated and now >= kill_at:
            termination.killed_at = now
            self._executor.kill(attempt.key)

    def _step_clearing(self, attempt: RunningAttempt, now: float) -> None:
        clearing = attempt.clearing
        if clearing is not None and now >= clearing.kill_at:
            clearing.kill_at = now + 1.0
            self._executor.kill(attempt.key)

    def _report_ending(self, attempt: RunningAttempt) -> None:
        if attempt.termination is not None:
            self._reporter.report(Ending(attempt.who, attempt.termination.outcome, attempt.termination.note))
