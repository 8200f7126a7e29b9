"""An attempt's way through the dispatcher: claim, start, watch over, settle; and those that an earlier one left running.

Joins the spool, the executor, the supervision and the settling of one dispatcher. Raises OSError when the spool cannot
be written and StartError when no process can be started; nothing is lost by either, the work is simply still to be done.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

from spoolrunner.attempt import runner
from spoolrunner.config.load import Config
from spoolrunner.dispatch.intake import Candidate, Intake, Refusal, policy_for
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempt, Supervision
from spoolrunner.errors import JobFormatError, NotAllowedError, StartError
from spoolrunner.executors.base import AttemptKey, Executor, Exited
from spoolrunner.protocol import document as documents
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, MAX_RELEASES, Outcome, State
from spoolrunner.protocol.verdict import since_final
from spoolrunner.spool import locks, output
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.locks import Marker
from spoolrunner.spool.paths import id_problem
from spoolrunner.spool.settling import Boot, Ended, Fate, Settled, Settler
from spoolrunner.system import processes
from spoolrunner.system.clock import Clock, format_time, parse_time
from spoolrunner.system.heldfiles import HeldError, next_pause
from spoolrunner.telling.events import Kind

CUT_PERIOD = 1.0
RETRY_SETTLE = 0.5
LEFTOVER_SECONDS = 2 * runner.LOCK_PATIENCE
"""Seconds after which a job that could neither be settled nor adopted is looked at again."""


class Attempts:
    """The attempts of one dispatcher."""

    def __init__(
        self,
        config: Config,
        spool: Spool,
        intake: Intake,
        executor: Executor,
        reporter: Reporter,
        clock: Clock,
        boot: Boot,
    ) -> None:
        self._config = config
        self._spool = spool
        self._intake = intake
        self._executor = executor
        self._reporter = reporter
        self._clock = clock
        self._boot = boot
        self._settler = Settler(spool, self._policy_of, config.max_log_bytes, boot, clock, config.signing_key)
        self.supervision = Supervision(executor, clock, config.kill_grace, spool.same)
        self._releases: dict[str, int] = {}
        self._held_since: dict[str, float] = {}
        self._parked: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._unresolved: dict[str, tuple[float, float]] = {}
        self._next_cut = 0.0
        self.last_settled = float("-inf")
        """When an attempt was last settled, monotonic."""

    @property
    def parked(self) -> int:
        """How many due jobs wait for their method's own concurrency."""
        return sum(len(names) for names in self._parked.values())

    @property
    def unresolved(self) -> int:
        """How many files in running/ could neither be settled nor adopted yet."""
        return len(self._unresolved)

    def describe(self) -> list[dict[str, Any]]:
        """The running attempts, as status.json shows them."""
        return [
            {
                "id": attempt.key.job_id,
                "job": attempt.job,
                "method": attempt.method,
                "attempt": attempt.key.number,
                "pid": self._executor.pid(attempt.key),
                "started_at": attempt.started_at,
                "timeout": attempt.timeout,
                "adopted": attempt.adopted,
                "ending": None if attempt.ending is None else attempt.ending.outcome.value,
            }
            for attempt in self.supervision.all()
        ]

    def begin(self, candidate: Candidate) -> bool:
        """Claim the job and start its process; False when it is not to be started now, for which there are many reasons."""
        name, document = candidate.name, candidate.document
        if name in self.supervision:
            self._parked[self._spool.same(name), ""][name] = None
            return False
        limit = candidate.policy.concurrency
        if limit is not None and self.supervision.count(document.job, document.method) >= limit:
            self._parked[document.job, document.method][name] = None
            return False
        try:
            if not self._claim(candidate):
                return False
        except HeldError:
            now = self._clock.monotonic()
            since = self._held_since.setdefault(name, now)
            self._intake.hold(name, next_pause(now - since, RETRY_SETTLE))
            raise
        self._held_since.pop(name, None)
        key = AttemptKey(name, len(candidate.raw.get("attempts", [])) + 1)
        try:
            self._executor.start(key)
        except StartError:
            self.recover(name, claimed=True)
            raise
        now = self._clock.monotonic()
        timeout = candidate.policy.timeout
        started_at = format_time(self._clock.wall())
        starts = self._starts(candidate.raw, candidate.policy)
        attempt = RunningAttempt(key, document.job, document.method, timeout, now + timeout, started_at, starts)
        self.supervision.add(attempt)
        self._reporter.started(attempt)
        return True

    def exited(self, exited: Exited) -> None:
        """A process ended."""
        self.supervision.exited(exited.key, exited.status)

    def watch_over(self) -> None:
        """End what is overdue, and go on ending what is being ended. Touches no file of the spool."""
        for attempt in self.supervision.step():
            self._reporter.ending(attempt)

    def settle(self) -> None:
        """Settle what is over, and look again at what could not be resolved."""
        for attempt in self.supervision.all():
            if self.supervision.is_over(attempt):
                try:
                    self._settle(attempt)
                except HeldError:
                    self.supervision.put_off(attempt)
                    raise
        now = self._clock.monotonic()
        for name, (_, again_at) in list(self._unresolved.items()):
            if now >= again_at:
                self.recover(name)

    def recover_all(self) -> None:
        """Settle or adopt everything in running/: what an earlier dispatcher left."""
        now = self._clock.monotonic()
        for name in list(self._spool.names(State.RUNNING)):
            _, again_at = self._unresolved.get(name, (now, now))
            if name not in self.supervision and now >= again_at:
                self.recover(name)

    def recover(self, name: str, *, claimed: bool = False) -> None:
        """Settle or adopt one file in running/ that is not ours, or that was `claimed` just now but is not to be started."""
        problem = id_problem(name)
        if problem:
            where = f"running/{name}.json"
            self._spool.refuse(name, State.RUNNING, Outcome.REJECTED, problem, where, self._clock.wall())
            return
        never_starts = not claimed and self._never_starts(name)
        since, _ = self._unresolved.get(name, (self._clock.monotonic(), 0.0))
        try:
            settled = self._settler.settle(name, Ended(), never_starts=never_starts, claimed=claimed)
        except HeldError:
            now = self._clock.monotonic()
            self._unresolved[name] = since, now + next_pause(now - since, RETRY_SETTLE)
            raise
        marker = settled.marker
        if settled.fate not in (Fate.HELD, Fate.LIVES):
            self._unresolved.pop(name, None)
            self._report(name, settled, None)
        elif marker is not None and marker.kind == locks.START and self._lives(marker):
            self._unresolved.pop(name, None)
            self._adopt(name, marker)
        else:
            # A runner that has the lock leaves its marker or gives it up within its patience. What holds it longer, while
            # the marker's process is gone, is a leftover of that process's tree.
            now = self._clock.monotonic()
            self._unresolved[name] = (since, now + RETRY_SETTLE)
            if now - since > LEFTOVER_SECONDS:
                processes.kill(processes.holders(self._spool.layout.lock(name)))

    def is_in_running(self, name: str) -> bool:
        """Whether there is a file of that id in running/, ours or not."""
        return self._spool.exists(State.RUNNING, name)

    def cancel_waiting(self, name: str) -> bool:
        """Cancel a job that waits; False when it does not wait, or cannot be cancelled just now."""
        candidate = self._intake.examine(name)
        if candidate is None or not candidate.document.attempts or candidate.document.attempts[-1].verdict in FINAL:
            return self._intake.cancel(name)
        # It has run, and was to be tried again: that verdict is recorded anew as the final one, so that a retry by hand
        # begins afresh, as after any other failure.
        if not self._claim(candidate):
            return False
        settled = self._settler.give_up(name, "cancelled before it was tried again")
        if settled.state is State.FAILED:
            self._intake.forget(name)
            self._reporter.refused(Refusal(settled.name, Outcome.CANCELLED, "cancelled before it was tried again"))
        else:
            # It can no longer be read, or somebody removed it; or a process of an earlier dispatcher has begun it nonetheless.
            self.recover(name, claimed=True)
        return True

    def cut_logs(self) -> None:
        """Hold the logs of running jobs to the limit; looks at each at most once a second."""
        now = self._clock.monotonic()
        if now < self._next_cut:
            return
        self._next_cut = now + CUT_PERIOD
        for attempt in self.supervision.all():
            output.cut(self._spool.layout.log(attempt.key.job_id), self._config.max_log_bytes)

    def sweep_locks(self) -> None:
        """Remove lock files of ids that neither wait nor run."""
        for entry in os.listdir(self._spool.layout.locks):
            name, _, ending = entry.rpartition(".")
            if ending == "lock" and name not in self.supervision and not self._spool.waits_or_runs(name):
                self._settler.sweep(name)

    def _claim(self, candidate: Candidate) -> bool:
        name = candidate.name
        if self._needs_claim_marker(candidate):
            if self.is_in_running(name):
                self._wait_behind(name)  # the markers there are speak of that file, and none must hide them
                return False
            if not self._mark_claim(candidate):
                self._intake.hold(name, RETRY_SETTLE)
                return False
        if not self._spool.claim(name):
            if self._spool.exists(State.PENDING, name):
                self._wait_behind(name)
            return False
        if self._spool.signature(State.RUNNING, name) != candidate.signature:
            # Race: a person saved another version between our look and our claim, and it is judged anew; or a process that
            # an earlier dispatcher started has made this attempt since our claim. Who settles finds out, under the lock.
            self.recover(name, claimed=True)
            return False
        return True

    def _wait_behind(self, name: str) -> None:
        """An earlier file of this id is still in running/, and not ours: the waiting one waits until that is settled."""
        self.recover(name)
        self._intake.hold(name, RETRY_SETTLE)

    def _needs_claim_marker(self, candidate: Candidate) -> bool:
        """Whether what is on disk would speak against this claim: an old final verdict, or an old start marker.

        Whatever attempt it names: the file that is claimed may be another than the one we looked at, and its inode number
        that of the marker, since they are given out again. After a power cut it may be the marker of a claim that was undone:
        that start is then not counted.
        """
        attempts = candidate.raw.get("attempts", [])
        if attempts and attempts[-1]["verdict"] in FINAL:
            return True
        marker = locks.peek(self._spool.layout.lock(candidate.name))
        return marker is not None and marker.kind == locks.START

    def _mark_claim(self, candidate: Candidate) -> bool:
        lock = locks.acquire(self._spool.layout.lock(candidate.name))
        if lock is None:
            return False
        try:
            number = len(candidate.raw.get("attempts", [])) + 1
            lock.append(Marker(locks.CLAIM, number, candidate.signature.inode))
        finally:
            lock.close()
        return True

    def _settle(self, attempt: RunningAttempt) -> None:
        name = attempt.key.job_id
        self.last_settled = self._clock.monotonic()
        exit_status, signal = (None, None) if attempt.status is None else processes.exit_reason(attempt.status)
        outcome, note = (None, "") if attempt.ending is None else (attempt.ending.outcome, attempt.ending.note)
        ended = Ended(outcome, exit_status, signal, note, attempt.status == runner.EXIT_RECORDED)
        settled = self._settler.settle(name, ended, attempt.key.number, self._never_starts(name))
        marker = settled.marker
        if settled.fate in (Fate.HELD, Fate.LIVES):
            if marker is not None and marker.kind == locks.START and marker.pid == self._executor.pid(attempt.key):
                # The lock outlived its process: something forked from it below Python holds a copy.
                self._executor.kill(attempt.key)
                processes.kill(processes.holders(self._spool.layout.lock(name)))
                return
            if attempt.status is None and marker is not None and self._is_at_work(attempt, marker):
                # Only whoever would have told of its end is gone: the job itself runs on, and so does what we do to it.
                self._executor.adopt(attempt.key, marker.pid)
                attempt.has_exited = False
                return
            self.supervision.remove(attempt)
            self.recover(name)
            return
        self.supervision.remove(attempt)
        self._unpark(self._spool.same(name), "")
        self._unpark(attempt.job, attempt.method)
        self._report(name, settled, attempt)

    def _report(self, name: str, settled: Settled, attempt: RunningAttempt | None) -> None:
        if settled.left:
            self._reporter.say(Kind.TROUBLE, f"something of it is left behind: {settled.left}", name)
        if settled.fate is Fate.GONE:
            self._reporter.say(Kind.TROUBLE, "running/ID.json is gone: removed by the job, or by hand", name)
        elif settled.fate is Fate.REJECTED:
            self._reporter.say(Kind.REFUSED, settled.problem, settled.name)
        elif settled.fate is Fate.RELEASED:
            self._released(name, settled, attempt)
        elif settled.raw is not None:
            self._releases.pop(name, None)
            self._intake.lift_hold(name)
            starts = attempt.starts if attempt else None
            self._reporter.settled(settled.name, settled.raw, starts)
            if settled.state is State.PENDING:
                self._intake.look(settled.name)

    def _released(self, name: str, settled: Settled, attempt: RunningAttempt | None) -> None:
        note = "claimed, but never started"
        if attempt is None or attempt.ending is not None:
            self._reporter.say(Kind.RELEASED, note, settled.name)
            self._intake.look(settled.name)
            return
        if attempt.status == runner.EXIT_UNWRITABLE:
            self._reporter.say(Kind.RELEASED, "its process could not write to the spool", settled.name)
            raise OSError("a job's process could not write to the spool; its log or our standard error says why")
        count = self._releases.get(name, 0) + 1
        self._releases[name] = count
        pause = 2.0 ** (count - 1)
        self._reporter.say(
            Kind.RELEASED, f"{note} (status {attempt.status}); trying again in {pause:g} s", settled.name
        )
        self._intake.hold(settled.name, pause)

    def _never_starts(self, name: str) -> bool:
        return self._releases.get(name, 0) >= MAX_RELEASES

    def _unpark(self, job: str, method: str) -> None:
        waiting = self._parked.pop((job, method), None)
        for name in waiting or ():
            self._intake.look(name)

    def _adopt(self, name: str, marker: Marker) -> None:
        document, policy = self._describe(name)
        left = max(0.0, policy.timeout - self._ran(marker))
        key = AttemptKey(name, marker.attempt)
        attempt = RunningAttempt(
            key=key,
            job=document.job if document else "",
            method=document.method if document else "",
            timeout=policy.timeout,
            deadline=self._clock.monotonic() + left,
            started_at=marker.started_at,
            starts=marker.attempt + policy.max_retries,
            adopted=True,
        )
        self._executor.adopt(key, marker.pid)
        self.supervision.add(attempt)
        self._reporter.started(attempt)

    def _ran(self, marker: Marker) -> float:
        """Seconds since the process left its marker; by the clock that nobody sets, which all processes of a boot share."""
        if marker.began:
            return max(0.0, self._clock.monotonic() - marker.began)
        return max(0.0, self._clock.wall() - parse_time(marker.started_at))

    def _describe(self, name: str) -> tuple[Document | None, Policy]:
        try:
            document, _ = documents.parse(self._spool.read(State.RUNNING, name).data)
        except (FileNotFoundError, JobFormatError):
            return None, self._config.default_policy
        return document, self._policy_of(document)

    def _policy_of(self, document: Document) -> Policy:
        try:
            return policy_for(self._config, document)
        except (NotAllowedError, JobFormatError):
            return self._config.default_policy  # it left the whitelist while it ran; it still needs a verdict

    def _is_at_work(self, attempt: RunningAttempt, marker: Marker) -> bool:
        return marker.kind == locks.START and marker.attempt == attempt.key.number and self._lives(marker)

    def _lives(self, marker: Marker) -> bool:
        return processes.lives(marker.pid, marker.process_started, self._boot.id)

    @staticmethod
    def _starts(raw: dict[str, Any], policy: Policy) -> int:
        """The number of the last attempt there may be, interruptions aside."""
        attempts = raw.get("attempts", [])
        return len(attempts) - len(since_final(attempts)) + 1 + policy.max_retries
