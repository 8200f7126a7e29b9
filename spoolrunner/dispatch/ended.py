"""What becomes of an attempt that is over, and of what an earlier dispatcher left: settle, adopt, release.

Joins settling to the rest of the dispatcher: it turns the fate that settling reports into events, pauses and new looks. Raises
OSError when the spool cannot be written; nothing is lost by that.
"""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.attempt import runner
from spoolrunner.config.load import Config
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.intake import Intake, policy_for
from spoolrunner.dispatch.postponed import KEEPS_FROM_START, Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempt, RunningAttempts
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.executors.base import AttemptKey, Executor
from spoolrunner.protocol import document
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Outcome, State, Verdict
from spoolrunner.spool import locks, record
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.locks import Marker
from spoolrunner.spool.paths import id_problem
from spoolrunner.spool.settling import Fate, Settled, Settler, UnopenedError
from spoolrunner.spool.settling_rules import Known, Origin
from spoolrunner.system import processes
from spoolrunner.system.clock import Clock, parse_time
from spoolrunner.system.heldfiles import HeldError, next_pause
from spoolrunner.telling.events import (
    Adopted,
    CouldNotWrite,
    Gone,
    LeftBehind,
    NeverStarted,
    Recorded,
    Refused,
    Released,
    RetryPlanned,
)
from spoolrunner.telling.line_format import Who

RETRY_SETTLE = 0.5
LEFTOVER_SECONDS = 2 * runner.LOCK_PATIENCE
"""Seconds after which what holds the lock of a job that is neither settled nor adopted counts as a leftover."""


@dataclass(slots=True)
class EndedAttempts:
    """The settling of one dispatcher."""

    config: Config
    spool: Spool
    settler: Settler
    intake: Intake
    admission: Admission
    register: Register
    executor: Executor
    running: RunningAttempts
    reporter: Reporter
    clock: Clock
    last_settled: float = float("-inf")
    """When an attempt was last settled, monotonic."""

    def next_in(self, now: float) -> float:
        """Seconds until a file that was put off is to be settled. A chore."""
        return min(self.register.next_in(Why.NOT_SETTLED, now), self.register.next_in(Why.NOT_RESOLVED, now))

    def work(self, now: float) -> None:
        """Settle what is over, and look again at what could not be resolved."""
        for attempt in self.running.all():
            job_id = attempt.key.job_id
            if self.running.is_over(attempt) and self.register.seconds_left(job_id, now, Why.NOT_SETTLED) <= 0:
                self._settle_or_put_off(attempt)
        for job_id in self.register.due(Why.NOT_RESOLVED, self.clock.monotonic()):
            self.recover(job_id)

    def recover_all(self) -> None:
        """Settle or adopt everything in running/: what an earlier dispatcher left."""
        now = self.clock.monotonic()
        for job_id in list(self.spool.names(State.RUNNING)):
            if job_id not in self.running and self.register.seconds_left(job_id, now, Why.NOT_RESOLVED) <= 0:
                self.recover(job_id)

    def recover(self, job_id: str, origin: Origin = Origin.FOUND) -> None:
        """Settle or adopt one file in running/ that is not ours, or that was claimed just now but is not to be started."""
        problem = id_problem(job_id)
        if problem:
            self._refuse_name(job_id, problem)
            return
        releases = 0 if origin is Origin.CLAIMED else self.register.times(job_id, Why.NOT_STARTED)
        try:
            settled = self._settle_file(job_id, Known(origin, releases=releases))
        except HeldError:
            self._look_again(job_id, grows=True)
            raise
        marker = settled.marker
        if settled.fate not in (Fate.HELD, Fate.LIVES):
            self.register.clear(job_id, Why.NOT_RESOLVED)
            self._report(job_id, settled, None)
        elif marker is not None and marker.kind == locks.START and self.executor.lives(marker):
            self.register.clear(job_id, Why.NOT_RESOLVED)
            self._adopt(job_id, marker)
        # A runner that has the lock leaves its marker or gives it up within its patience. What holds it longer, while the
        # marker's process is gone, is a leftover of that process's tree.
        elif self._look_again(job_id) > LEFTOVER_SECONDS:
            self.executor.kill_holders(self.spool.layout.lock(job_id))

    def _look_again(self, job_id: str, *, grows: bool = False) -> float:
        """Put the file off; returns for how many seconds it has been. With `grows` the pause is as long as that."""
        now = self.clock.monotonic()
        known = self.register.get(job_id, Why.NOT_RESOLVED)
        so_far = 0.0 if known is None else now - known.since
        pause = next_pause(so_far, RETRY_SETTLE) if grows else RETRY_SETTLE
        self.register.put_off(job_id, Why.NOT_RESOLVED, now, pause)
        return so_far

    def _refuse_name(self, job_id: str, problem: str) -> None:
        where, now = f"running/{job_id}.json", self.clock.wall()
        moved = self.spool.refuse(job_id, State.RUNNING, Outcome.REJECTED, problem, where, now)
        if moved is not None:
            self.reporter.report(Refused(moved, Outcome.REJECTED, problem))

    def _settle_file(self, job_id: str, known: Known) -> Settled:
        """Settle, and remember a file that could not be opened, so that the second look at it is the last."""
        looks = self.register.times(job_id, Why.NOT_OPENED)
        try:
            settled = self.settler.settle(job_id, known.after(looks))
        except UnopenedError:
            self.register.put_off(job_id, Why.NOT_OPENED, self.clock.monotonic(), 0.0)
            raise
        self.register.clear(job_id, Why.NOT_OPENED)
        return settled

    def _settle_or_put_off(self, attempt: RunningAttempt) -> None:
        job_id, now = attempt.key.job_id, self.clock.monotonic()
        try:
            self._settle(attempt)
        except HeldError:
            known = self.register.get(job_id, Why.NOT_SETTLED)
            so_far = 0.0 if known is None else now - known.since
            self.register.put_off(job_id, Why.NOT_SETTLED, now, next_pause(so_far, RETRY_SETTLE))
            raise
        self.register.clear(job_id, Why.NOT_SETTLED)

    def _settle(self, attempt: RunningAttempt) -> None:
        job_id = attempt.key.job_id
        self.last_settled = self.clock.monotonic()
        settled = self._settle_file(job_id, self._known_of(attempt))
        if settled.fate in (Fate.HELD, Fate.LIVES):
            self._is_not_over(attempt, settled.marker)
            return
        self.running.remove(attempt)
        for key in self.admission.freed_by(attempt):
            for waiting in self.register.free(key):
                self.intake.look(waiting)
        self._report(job_id, settled, attempt)

    def _known_of(self, attempt: RunningAttempt) -> Known:
        exit_status, signal = (None, None) if attempt.status is None else processes.exit_reason(attempt.status)
        termination = attempt.termination
        return Known(
            Origin.STARTED,
            number=attempt.key.number,
            policy=attempt.policy,
            outcome=None if termination is None else termination.outcome,
            note="" if termination is None else termination.note,
            exit_status=exit_status,
            signal=signal,
            is_recorded=attempt.status == runner.EXIT_RECORDED,
            releases=self.register.times(attempt.key.job_id, Why.NOT_STARTED),
        )

    def _is_not_over(self, attempt: RunningAttempt, marker: Marker | None) -> None:
        """Its process was reported to be gone, but the lock is held, or a process of that marker lives."""
        key = attempt.key
        is_start = marker is not None and marker.kind == locks.START
        if marker is not None and is_start and marker.pid == self.executor.pid(key):
            # The lock outlived its process: something forked from it below Python holds a copy.
            self.executor.kill(key)
            self.executor.kill_holders(self.spool.layout.lock(key.job_id))
        elif (
            marker is not None
            and is_start
            and attempt.status is None
            and marker.attempt == key.number
            and self.executor.lives(marker)
        ):
            # Only the one that would have reported its end is gone: the job itself runs on, and so does what we do to it.
            self.executor.adopt(key, marker)
            attempt.has_exited = False
        else:
            self.running.remove(attempt)
            self.recover(key.job_id)

    def _report(self, job_id: str, settled: Settled, attempt: RunningAttempt | None) -> None:
        if settled.left:
            self.reporter.report(LeftBehind(job_id, settled.left))
        if settled.fate is Fate.GONE:
            self.reporter.report(Gone(job_id))
        elif settled.fate is Fate.REJECTED:
            self.reporter.report(Refused(settled.name, Outcome.REJECTED, settled.problem))
        elif settled.fate is Fate.RELEASED:
            self._released(job_id, settled, attempt)
        elif settled.raw is not None:
            self.register.clear(job_id, *KEEPS_FROM_START)
            self._report_record(settled, attempt)
            if settled.state is State.PENDING:
                self.intake.look(settled.name)

    def _report_record(self, settled: Settled, attempt: RunningAttempt | None) -> None:
        raw = settled.raw or {}
        made = raw["attempts"][-1]
        verdict, fault = Verdict(made["verdict"]), made.get("error") or {}
        names = str(raw.get("job", "")), str(raw.get("method", ""))
        who = Who(settled.name, *names, made["number"], attempt.starts if attempt else None)
        texts = fault.get("type", ""), fault.get("message", ""), fault.get("traceback", "")
        self.reporter.report(Recorded(who, Outcome(made["outcome"]), verdict, record.duration(made), *texts))
        if verdict is Verdict.RETRY:
            again = parse_time(raw["next_run_at"]) if "next_run_at" in raw else None
            self.reporter.report(RetryPlanned(who._replace(attempt=who.attempt + 1), again))

    def _released(self, job_id: str, settled: Settled, attempt: RunningAttempt | None) -> None:
        if attempt is None or attempt.termination is not None:
            self.reporter.report(Released(settled.name))
            self.intake.look(settled.name)
            return
        if attempt.status == runner.EXIT_UNWRITABLE:
            self.reporter.report(CouldNotWrite(settled.name))
            raise OSError("a job's process could not write to the spool; its log or our standard error says why")
        pause = 2.0 ** self.register.times(job_id, Why.NOT_STARTED)
        self.reporter.report(NeverStarted(settled.name, attempt.status, pause))
        self.intake.put_off(settled.name, Why.NOT_STARTED, pause)

    def _adopt(self, job_id: str, marker: Marker) -> None:
        checked, policy = self._document_of(job_id)
        key = AttemptKey(job_id, marker.attempt)
        attempt = RunningAttempt(
            key=key,
            job=checked.job if checked else "",
            method=checked.method if checked else "",
            policy=policy,
            deadline=self.clock.monotonic() + max(0.0, policy.timeout - self._ran(marker)),
            started_at=marker.started_at,
            starts=marker.attempt + policy.max_retries,
            adopted=True,
        )
        self.executor.adopt(key, marker)
        self.running.add(attempt)
        self.reporter.report(Adopted(attempt.who))

    def _ran(self, marker: Marker) -> float:
        """Seconds since the process left its marker; by the clock that nobody sets, which all processes of a boot share."""
        if marker.began:
            return max(0.0, self.clock.monotonic() - marker.began)
        return max(0.0, self.clock.wall() - parse_time(marker.started_at))

    def _document_of(self, job_id: str) -> tuple[Document | None, Policy]:
        try:
            checked, _ = document.parse(self.spool.read(State.RUNNING, job_id).data)
        except (FileNotFoundError, JobFormatError):
            return None, self.config.default_policy
        return checked, policy_of(self.config, checked)


def policy_of(config: Config, checked: Document) -> Policy:
    """The policy that a job which runs is under: it may have left the whitelist since, but still needs a verdict."""
    try:
        return policy_for(config, checked)
    except (NotAllowedError, JobFormatError):
        return config.default_policy
