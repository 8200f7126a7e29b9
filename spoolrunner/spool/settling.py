"""Settling: what a file in running/ whose process is gone turns into. Normal ends and crashes take the same path.

Holds the job's lock from the test whether it still runs to the last rename. Which rule applies is for `settling_rules`. Knows
neither executors nor the order of waiting jobs; who lives is asked of a `Liveness`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import OnFailure, Policy
from spoolrunner.protocol.states import (
    DESTINATION,
    EVENT_OF,
    FINAL,
    MAX_RELEASES,
    Event,
    Outcome,
    Remedy,
    State,
    Verdict,
)
from spoolrunner.protocol.verdict import NOTHING_SAID
from spoolrunner.spool import locks, on_failure, record, requests, step_files, traces
from spoolrunner.spool.ended_attempt import made_of
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.lock_lines import START
from spoolrunner.spool.restored_marker import Liveness, restored_marker
from spoolrunner.spool.running_file import RunningFile, RunningFiles, UnopenedError
from spoolrunner.spool.settled import Fate, Settled, cleaned_up, was_rejected
from spoolrunner.spool.settling_rules import Boot, Known, Origin, Stop, choose, is_recorded
from spoolrunner.spool.traces import LeftOutcome, Marker
from spoolrunner.system import durable
from spoolrunner.system.clock import Clock

PolicyOf = Callable[[Document], Policy]


@dataclass(slots=True)
class _Held:
    """A job that is being settled, under its lock. `data` is what is to be committed, `verdict` where it goes then.

    `may_have_progress`, `may_have_steps`: a file of it is to be removed. `on_failure` is that of its policy. `settled` is set
    when it has come to its end, `error` when the disk refused.
    """

    job_id: str
    known: Known
    lock: locks.JobLock
    marker: Marker | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    may_have_progress: bool = True
    may_have_steps: bool = True
    on_failure: OnFailure | None = None
    data: bytes | None = None
    verdict: Verdict | None = None
    settled: Settled | None = None
    error: OSError | None = None


class Settler:
    """Settles the jobs of one spool; what it records is signed with `key`, if there is one."""

    def __init__(
        self,
        spool: Spool,
        policy_of: PolicyOf,
        liveness: Liveness,
        max_log_bytes: int,
        boot: Boot,
        clock: Clock,
        key: bytes | None = None,
    ) -> None:
        self._spool = spool
        self.max_log_bytes = max_log_bytes
        self._policy_of = policy_of
        self._liveness = liveness
        self._boot = boot
        self._clock = clock
        self._key = key
        self._files = RunningFiles(spool, key)

    def settle(self, job_id: str, known: Known) -> Settled:
        """Settle running/ID.json, unless it runs; OSError when the disk refuses, and then nothing is lost.

        A file that cannot be opened raises UnopenedError at the first look, and is refused at the second.
        """
        (settled,) = self.settle_all([(job_id, known)])
        if isinstance(settled, OSError):
            raise settled
        return settled

    def settle_all(self, wanted: Sequence[tuple[str, Known]]) -> list[Settled | OSError]:
        """Settle many files as one batch: all records are written, then all synced, then all jobs moved.

        Returns what became of each, in that order: its fate, or the error that `settle` would raise.
        """
        answers: list[Settled | OSError | _Held] = []
        held: list[_Held] = []
        try:
            for job_id, known in wanted:
                answer = self._taken(job_id, known)
                answers.append(answer)
                if isinstance(answer, _Held):
                    held.append(answer)
                    self._guarded(answer, self._judge)
            self._commit([one for one in held if one.data is not None and one.error is None])
            for one in held:
                if one.settled is None and one.error is None:
                    self._guarded(one, self._finish)
                if one.settled is not None:
                    one.settled = cleaned_up(self._spool, one.lock, one.job_id, one.settled, self.max_log_bytes)
        finally:
            for one in held:
                one.lock.close()
        return [_answer(one) if isinstance(one, _Held) else one for one in answers]

    def _taken(self, job_id: str, known: Known) -> _Held | Settled | OSError:
        path = self._spool.layout.lock(job_id)
        try:
            lock = locks.acquire(path)
            if lock is not None:
                return _Held(job_id, known, lock)
            return Settled(Fate.HELD, job_id, marker=traces.peek(path).marker)
        except OSError as error:
            return error

    def _guarded(self, one: _Held, step: Callable[[_Held], None]) -> None:
        try:
            step(one)
        except OSError as error:
            one.error = error

    def _judge(self, one: _Held) -> None:
        """Find out what has become of the attempt: set what it came to, or what is to be committed and where it goes."""
        job_id, known = one.job_id, one.known
        left = traces.of(one.lock)
        if left.marker is None and known.number is None:
            left = traces.Traces(
                restored_marker(self._spool, self._files, self._liveness, self._clock, one.lock, one.job_id, known)
            )
        one.marker = marker = left.marker
        # A job may have closed its descriptors, the lock among them: only when its process is gone too is it over.
        if marker and marker.is_start and marker.pid != known.reaped:
            if self._liveness.lives(marker):
                one.settled = Settled(Fate.LIVES, job_id, State.RUNNING, marker=marker)
                return
            # It may have left its outcome between our look at the file and the one at the process.
            left = traces.of(one.lock)
        file = self._readable(one, is_left=left.outcome is not None)
        if file is None:
            return
        one.raw = file.raw
        # One that was claimed, started or adopted by us has not lost its markers to a power cut.
        has_markers = known.origin is not Origin.FOUND or self._boot.has_markers
        rule = choose(
            file.attempts,
            file.stamp,
            marker,
            has_markers=has_markers,
            keeps_inodes=self._boot.keeps_inodes,
            number=known.number,
        )
        if rule.remedy is Remedy.RECORD and marker is not None:
            self._record_if_over(one, file, marker, left.outcome)
        elif rule.remedy is Remedy.FINISH or is_recorded(file.attempts, marker, known):
            self._sync_record()
            one.verdict = Verdict(file.attempts[-1]["verdict"])
            one.on_failure = self._policy(known, file).on_failure
        else:
            self._release(one, file)

    def _readable(self, one: _Held, *, is_left: bool) -> RunningFile | None:
        """The file in running/; None when it is gone or refused, and `settled` is set then."""
        known = one.known
        try:
            return self._files.as_claimed(one.job_id, known, is_left=is_left) or self._files.read(one.job_id)
        except FileNotFoundError:
            one.settled = Settled(Fate.GONE, one.job_id, marker=one.marker)
        except UnopenedError as error:
            if not known.looks:
                raise
            one.settled = self._reject(one, f"cannot be opened: {error.strerror}")
        except JobFormatError as error:
            one.settled = self._reject(one, str(error))
        return None

    def _reject(self, one: _Held, problem: str) -> Settled:
        where = f"running/{one.job_id}.json"
        name = self._spool.refuse(one.job_id, State.RUNNING, Outcome.REJECTED, problem, where, self._clock.wall())
        return Settled(Fate.REJECTED, name or one.job_id, State.FAILED, marker=one.marker, problem=problem)

    def _release(self, one: _Held, file: RunningFile) -> None:
        """Put the job back; one that came back too often without having started counts as crashed instead."""
        known = one.known
        if known.releases >= MAX_RELEASES:
            unstarted = Marker(START, len(file.attempts) + 1, *file.stamp)
            one.lock.append(unstarted.line())
            one.marker = unstarted
            one.known = known._replace(note="never reached its first line")
            self._record(one, file, unstarted, None)
            return
        name = self._spool.move(one.job_id, State.RUNNING, Event.RELEASE)
        one.settled = Settled(Fate.RELEASED, name or one.job_id, State.PENDING, file.raw, one.marker)

    def _record_if_over(self, one: _Held, file: RunningFile, marker: Marker, left: LeftOutcome | None) -> None:
        """Record an attempt, unless it may yet turn out to be interrupted, or something of its tree is to be ended first."""
        known, fate = one.known, None
        if known.stop is Stop.AWAITED and known.may_be_stopped(left):
            fate = Fate.AWAITS_STOP
        elif known.origin is Origin.FOUND and self._policy(known, file).leftovers == "end":
            fate = Fate.LEFT_OVER if self._liveness.end_left_by(one.job_id, marker) else None
        if fate is None:
            self._record(one, file, marker, left)
        else:
            one.settled = Settled(fate, one.job_id, State.RUNNING, marker=marker)

    def _policy(self, known: Known, file: RunningFile) -> Policy:
        policy = known.policy or (self._policy_of(file.document) if file.document else None)
        assert policy is not None  # noqa: S101 -- a file whose document is not kept is one whose policy is known
        return policy

    def _record(self, one: _Held, file: RunningFile, marker: Marker, left: LeftOutcome | None) -> None:
        """Make the record of an attempt that is over: of what its process left or, if that is nothing, of how it died."""
        known, now = one.known, self._clock.wall()
        made, result = made_of(marker, left, known, now)
        policy, said = self._policy(known, file), NOTHING_SAID if left is None else left.said
        changed, decision = record.add(file.raw, made, policy, now, result, said)
        one.raw = record.replacing(self._spool.layout, one.job_id, changed, file.stamp)
        one.verdict, one.may_have_progress = decision.verdict, left is None or left.progress
        one.may_have_steps, one.on_failure = left is None or left.steps or bool(file.attempts), policy.on_failure
        one.data = file.record_of(one.job_id, one.raw)

    def _sync_record(self) -> None:
        """Sync the folder: the dispatcher that made the record may have died before it was on the disk for good."""
        if self._spool.fsync:
            durable.sync_folder(self._spool.layout.folder(State.RUNNING))

    def _commit(self, those: list[_Held]) -> None:
        if not those:
            return
        files = {one.job_id: one.data for one in those if one.data is not None}
        try:
            errors = record.commit_many(self._spool.layout, files, self._spool.fsync)
        except OSError as error:
            errors = dict.fromkeys(files, error)
        for one in those:
            one.error = errors.get(one.job_id)

    def _finish(self, one: _Held) -> None:
        """Move a job whose record is made to where its verdict says."""
        job_id, raw, verdict, layout = one.job_id, one.raw, one.verdict, self._spool.layout
        assert verdict is not None  # noqa: S101 -- what has none has been settled, or the disk refused
        published = ""
        if one.on_failure is not None and verdict is Verdict.FAILED:
            published = on_failure.publish(self._spool, self._key, job_id, raw, one.on_failure)
        if one.may_have_progress:
            durable.unlink(layout.progress(job_id))
        if verdict is Verdict.DONE and one.may_have_steps:
            step_files.remove(layout, job_id, step_files.key_of(raw, 0))
        if verdict in FINAL:
            requests.drop_cancel(layout, job_id)
        target = DESTINATION[verdict]
        if target is State.FAILED and was_rejected(raw):
            what = raw["attempts"][-1].get("error", {}).get("message", "refused by its own process")
            where, now = f"running/{job_id}.json", self._clock.wall()
            name = self._spool.refuse(job_id, State.RUNNING, Outcome.REJECTED, what, where, now)
        else:
            name = self._spool.move(job_id, State.RUNNING, EVENT_OF[verdict])
        if name is None:
            one.settled = Settled(Fate.GONE, job_id, raw=raw, marker=one.marker, published=published)
        else:
            one.settled = Settled(Fate.SETTLED, name, target, raw, one.marker, published=published)


def _answer(one: _Held) -> Settled | OSError:
    answer = one.settled or one.error
    assert answer is not None  # noqa: S101 -- each that was taken came to one or the other
    return answer
