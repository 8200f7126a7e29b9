"""From a due candidate to a running attempt: admit it, claim its file, start its process.

Raises OSError when the spool cannot be written and StartError when no process can be started. Nothing is lost by either: the
work is still to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spoolrunner.attempt import command
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.candidate import Candidate
from spoolrunner.dispatch.deadlines import Deadlines
from spoolrunner.dispatch.ended import EndedAttempts
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.postponed import Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.running_attempt import RunningAttempt
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Executor
from spoolrunner.protocol import tracing
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, State
from spoolrunner.protocol.verdict import since_final
from spoolrunner.spool import lock_lines, locks, step_files, traces
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.settling_rules import LookedAt, Origin
from spoolrunner.system import durable, place
from spoolrunner.system.clock import Clock, format_time
from spoolrunner.telling.events import Started

if TYPE_CHECKING:
    from spoolrunner.attempt.assignment import ToldHooks

SHORT_PAUSE = 0.5
"""Seconds for which a job is put off that something keeps from being claimed for a moment."""


@dataclass(slots=True)
class Starter:
    """Starts the attempts of one dispatcher."""

    spool: Spool
    intake: Intake
    admission: Admission
    register: Register
    faults: FileFaults
    executor: Executor
    running: RunningAttempts
    ended: EndedAttempts
    deadlines: Deadlines
    reporter: Reporter
    clock: Clock

    def begin(self, candidate: Candidate) -> bool:
        """Claim the job and start its process; False when that is not to be done now. The register then says why."""
        job_id = candidate.job_id
        now = self.clock.monotonic()
        if job_id in self.running:
            self.register.wait_for(job_id, Why.ID_BUSY, now, self.admission.id_key(job_id))
            return False
        if self.admission.ask(candidate.lane) is not None:
            self.intake.look(job_id)  # Race: it was put into another group since it was looked at, and waits there
            return False
        if not self._claim_or_put_off(candidate):
            return False
        told = _assignment(self.spool.layout, candidate)
        try:
            self.executor.start(told)
        except StartError:
            self.ended.recover(job_id, Origin.CLAIMED)
            raise
        self._watch_over(AttemptKey(job_id, told.number), candidate)
        return True

    def claim(self, candidate: Candidate) -> bool:
        """Move the candidate's file to running/, marked as claimed where that is needed; False when it cannot be done now.

        OSError when something refuses that; a file that was moved by then is settled, or will be.
        """
        job_id = candidate.job_id
        try:
            return self._claim(candidate)
        except OSError:
            if job_id not in self.running and self.spool.exists(State.RUNNING, job_id):
                self.ended.recover(job_id)  # it was claimed, and only what follows was refused
            raise

    def _claim(self, candidate: Candidate) -> bool:
        job_id = candidate.job_id
        self.ended.check_ground()
        if self._needs_claim_marker(candidate):
            if self.spool.exists(State.RUNNING, job_id):
                self._wait_behind(job_id)  # the markers there are speak of that file, and none must hide them
                return False
            if not self._mark_claim(candidate):
                self.intake.put_off(job_id, Why.LOCK_HELD, SHORT_PAUSE)
                return False
        if not self.spool.claim(job_id):
            if self.spool.exists(State.PENDING, job_id):
                self._wait_behind(job_id)
            return False
        if self.spool.stamp(State.RUNNING, job_id) != candidate.stamp:
            # Race: a person saved another version between our look and our claim, and it is judged anew; or a process that an
            # earlier dispatcher started has made this attempt since our claim. Settling finds out which, under the lock.
            self.ended.recover(job_id, Origin.CLAIMED)
            return False
        return True

    def _claim_or_put_off(self, candidate: Candidate) -> bool:
        job_id = candidate.job_id
        try:
            is_claimed = self.claim(candidate)
        except OSError as error:
            self.faults.put_off(job_id, Why.FILE_HELD, error, SHORT_PAUSE)
            self.intake.look(job_id)
            return False
        if is_claimed:
            self.register.clear(job_id, Why.FILE_HELD, Why.LOCK_HELD, Why.BEHIND_ANOTHER, Why.ID_BUSY)
        return is_claimed

    def _watch_over(self, key: AttemptKey, candidate: Candidate) -> None:
        job, method, policy = candidate.document.job, candidate.document.method, candidate.policy
        attempt = RunningAttempt(
            key=key,
            job=job,
            method=method,
            policy=policy,
            deadline=self.deadlines.first(policy.timeout),
            started=self.clock.monotonic(),
            started_at=format_time(self.clock.wall()),
            starts=_starts(candidate.raw, policy),
            looked_at=LookedAt(candidate.stamp, candidate.raw),
        )
        self.running.add(attempt)
        self.reporter.report(Started(attempt.who, candidate.due_at))

    def _wait_behind(self, job_id: str) -> None:
        """An earlier file of this id is still in running/, and not ours: the waiting one waits until that is settled."""
        self.ended.recover(job_id)
        self.intake.put_off(job_id, Why.BEHIND_ANOTHER, SHORT_PAUSE)

    def _needs_claim_marker(self, candidate: Candidate) -> bool:
        """Whether what is on disk would speak against this claim: an old final verdict, or an old start marker.

        Whatever attempt it names: the file that is claimed may be another than the one we looked at, and its inode number
        that of the marker, since they are given out again. After a power cut it may be the marker of a claim that was undone:
        that start is then not counted.
        """
        attempts = candidate.raw.get("attempts", [])
        if _is_retried_by_hand(attempts):
            return True
        marker = traces.peek(self.spool.layout.lock(candidate.job_id)).marker
        return marker is not None and marker.is_start

    def _mark_claim(self, candidate: Candidate) -> bool:
        """Append a claim marker; False when another process has the lock.

        After a retry by hand it is synced: a power cut that kept the claim and took the marker would leave a file whose last
        verdict is final, and it would be obeyed.
        """
        path, attempts = self.spool.layout.lock(candidate.job_id), candidate.raw.get("attempts", [])
        lock = locks.acquire(path)
        if lock is None:
            return False
        try:
            lock.append(lock_lines.claim(len(attempts) + 1, candidate.stamp))
            if self.spool.fsync and _is_retried_by_hand(attempts):
                durable.sync(path)
                durable.sync_folder(self.spool.layout.locks)
        finally:
            lock.close()
        return True


def _assignment(layout: Layout, candidate: Candidate) -> Assignment:
    """What the process of the job is told: of the very bytes that were checked."""
    job, raw, policy = candidate.document, candidate.raw, candidate.policy
    number = len(raw.get("attempts", [])) + 1
    name, method, params = job.job, job.method, raw.get("params", [])
    if policy.command is not None:
        words = policy.command.template.fill(params)
        name, method, params = command.JOB, command.METHOD, [words, policy.command.result, policy.command.sandbox]
    made = Assignment(
        candidate.job_id,
        number,
        candidate.stamp,
        name,
        method,
        params,
        policy.timeout,
        policy.process_limits,
        raw.get("meta"),
        leaves=policy.leftovers == "leave",
    ).prepare(layout)
    made.where = lock_lines.where(*place.place(layout.locks))
    made.key = step_files.key_of(raw, candidate.stamp.inode)
    if made.meta or policy.hooks is not None:
        made.hooks = _hooks(policy, made.meta)
    return made


def _hooks(policy: Policy, meta: dict[str, Any] | None) -> ToldHooks | None:
    """What its process does before and around the call: a command is no call, and gets the variables alone."""
    variables = tracing.variables(meta)
    named = None if policy.command is not None else policy.hooks
    return (*(named or ("", "", "")), variables) if named or variables else None


def _is_retried_by_hand(attempts: list[dict[str, Any]]) -> bool:
    return bool(attempts) and attempts[-1]["verdict"] in FINAL


def _starts(raw: dict[str, Any], policy: Policy) -> int:
    """The number of the last attempt there may be, interruptions aside."""
    attempts = raw.get("attempts", [])
    return len(attempts) - len(since_final(attempts)) + 1 + policy.max_retries
