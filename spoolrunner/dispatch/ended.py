"""What becomes of an attempt that is over, and of what an earlier dispatcher left: settle, adopt, release.

Joins settling to the rest of the dispatcher: it turns the fate that settling reports into events, pauses and new looks. Raises
OSError when the spool cannot be written; nothing is lost by that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spoolrunner.attempt import runner
from spoolrunner.attempt.own_lines import LOCK_PATIENCE
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.adopting import Adoption
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.postponed import KEEPS_FROM_START, Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.running_attempt import RunningAttempt
from spoolrunner.executors.base import Executor
from spoolrunner.protocol.states import Outcome, State, Verdict
from spoolrunner.spool import record
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import id_problem
from spoolrunner.spool.running_file import UnopenedError
from spoolrunner.spool.settled import Fate, Settled
from spoolrunner.spool.settling import Settler
from spoolrunner.spool.settling_rules import Known, Origin
from spoolrunner.spool.traces import Marker
from spoolrunner.system import place, processes
from spoolrunner.system.clock import Clock
from spoolrunner.system.times import parse_time
from spoolrunner.telling.events import (
    CouldNotWrite,
    Gone,
    LeftBehind,
    NeverStarted,
    Recorded,
    Refused,
    Released,
    RetryPlanned,
    Weakness,
)
from spoolrunner.telling.line_format import Who

RETRY_SETTLE = 0.5
ELSEWHERE = (
    "{}: attempt {} runs on {} in another namespace of pids (a container, perhaps); its end is waited for, but until then "
    "neither its timeout nor a cancel can be carried out from here"
)
MAX_BATCH = 16
"""Attempts that are settled together: each takes two descriptors meanwhile."""
_TO_BE_RECOVERED = (Why.NOT_RESOLVED, Why.NOT_RECOVERED)
LET_GO_PAUSE = 0.05
"""Seconds between looks at a lock that outlived its process."""
LEFTOVER_SECONDS = 2 * LOCK_PATIENCE
"""Seconds after which what holds the lock of a job that is neither settled nor adopted counts as a leftover."""


@dataclass(slots=True)
class EndedAttempts:
    """The settling of one dispatcher."""

    spool: Spool
    settler: Settler
    intake: Intake
    admission: Admission
    register: Register
    faults: FileFaults
    executor: Executor
    running: RunningAttempts
    adoption: Adoption
    reporter: Reporter
    clock: Clock
    last_settled: float = float("-inf")
    """When an attempt was last settled, monotonic."""
    check_ground: Callable[[], None] = lambda: None
    """Raises OSError when the spool at the path is not the one in which the locks of our jobs lie."""

    def next_in(self, now: float) -> float:
        """Seconds until a file that was put off is to be settled. A chore."""
        return min(self.register.next_in(why, now) for why in (Why.NOT_SETTLED, *_TO_BE_RECOVERED))

    def work(self, now: float) -> None:
        """Settle what is over, in batches, and look again at what could not be resolved."""
        over = [attempt for attempt in self.running.all() if self._is_to_be_settled(attempt, now)]
        for first in range(0, len(over), MAX_BATCH):
            self._settle_batch(over[first : first + MAX_BATCH])
        now = self.clock.monotonic()
        for job_id in [job_id for why in _TO_BE_RECOVERED for job_id in self.register.due(why, now)]:
            self.recover(job_id)

    def _is_to_be_settled(self, attempt: RunningAttempt, now: float) -> bool:
        put_off = self.register.seconds_left(attempt.key.job_id, now, Why.NOT_SETTLED)
        return put_off <= 0 and self.running.is_over(attempt)

    def recover_all(self) -> None:
        """Settle or adopt everything in running/: what an earlier dispatcher left."""
        now = self.clock.monotonic()
        for job_id in list(self.spool.names(State.RUNNING)):
            if job_id not in self.running and self.register.seconds_left(job_id, now, *_TO_BE_RECOVERED) <= 0:
                self.recover(job_id)

    def recover(self, job_id: str, origin: Origin = Origin.FOUND) -> None:
        """Settle or adopt one file in running/ that is not ours, or that was claimed just now but is not to be started."""
        try:
            self._recover(job_id, origin)
        except OSError as error:
            self.faults.put_off(job_id, Why.NOT_RECOVERED, error, RETRY_SETTLE)
        else:
            self.register.clear(job_id, Why.NOT_RECOVERED)

    def _recover(self, job_id: str, origin: Origin) -> None:
        problem = id_problem(job_id)
        if problem:
            _refuse_name(self, job_id, problem)
            return
        releases = 0 if origin is Origin.CLAIMED else self.register.times(job_id, Why.NOT_STARTED)
        settled = self._settle_file(job_id, Known(origin, releases=releases))
        marker = settled.marker
        if settled.fate is Fate.LEFT_OVER:
            self._look_again(job_id)
        elif settled.fate not in (Fate.HELD, Fate.LIVES):
            self.register.clear(job_id, Why.NOT_RESOLVED)
            self._report(job_id, settled, None)
        elif marker is not None and marker.is_start and _is_elsewhere(self.spool, marker):
            self._look_again(job_id, elsewhere=marker)
        elif marker is not None and marker.is_start and self.executor.lives(marker):
            self.register.clear(job_id, Why.NOT_RESOLVED)
            self.adoption.adopt(job_id, marker)
        # A runner that has the lock leaves its marker or gives it up within its patience. What holds it longer, while the
        # marker's process is gone, is a leftover of that process's tree.
        elif self._look_again(job_id) > LEFTOVER_SECONDS:
            self.executor.kill_holders(self.spool.layout.lock(job_id))

    def _look_again(self, job_id: str, *, elsewhere: Marker | None = None) -> float:
        """Put the file off; returns for how many seconds it has been.

        `elsewhere` is the marker of a process that lives where we cannot reach it.
        """
        now = self.clock.monotonic()
        known = self.register.get(job_id, Why.NOT_RESOLVED)
        so_far = 0.0 if known is None else now - known.since
        what = None if elsewhere is None else ELSEWHERE.format(job_id, elsewhere.attempt, elsewhere.host)
        if what is not None and (known is None or known.detail is None):
            self.reporter.report(Weakness(what))
        self.register.put_off(job_id, Why.NOT_RESOLVED, now, RETRY_SETTLE, what)
        return so_far

    def _settle_file(self, job_id: str, known: Known) -> Settled:
        (settled,) = self._settle_files([(job_id, known)])
        if isinstance(settled, OSError):
            raise settled
        return settled

    def _settle_files(self, wanted: list[tuple[str, Known]]) -> list[Settled | OSError]:
        """Settle, and remember a file that could not be opened, so that the second look at it is the last."""
        self.check_ground()
        looks = [self.register.times(job_id, Why.NOT_OPENED) for job_id, _ in wanted]
        asked = [(job_id, known.after(times)) for (job_id, known), times in zip(wanted, looks, strict=True)]
        answers = self.settler.settle_all(asked)
        for (job_id, _), answer, times in zip(wanted, answers, looks, strict=True):
            if isinstance(answer, UnopenedError):
                self.register.put_off(job_id, Why.NOT_OPENED, self.clock.monotonic(), 0.0)
            elif times and isinstance(answer, Settled):
                self.register.clear(job_id, Why.NOT_OPENED)
        return answers

    def _settle_batch(self, over: list[RunningAttempt]) -> None:
        """Settle these attempts. The first error of the disk is raised when all that could be settled is."""
        self.last_settled = self.clock.monotonic()
        answers = self._settle_files([(attempt.key.job_id, self._known_of(attempt)) for attempt in over])
        errors = []
        for attempt, answer in zip(over, answers, strict=True):
            job_id = attempt.key.job_id
            try:
                if isinstance(answer, OSError):
                    self.faults.put_off(job_id, Why.NOT_SETTLED, answer, RETRY_SETTLE)
                    attempt.is_kept_off = True
                else:
                    self.register.clear(job_id, Why.NOT_SETTLED)
                    self._take_answer(attempt, answer)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _take_answer(self, attempt: RunningAttempt, settled: Settled) -> None:
        job_id = attempt.key.job_id
        if settled.fate in (Fate.HELD, Fate.LIVES):
            self._is_not_over(attempt, settled.marker)
            return
        if settled.fate is Fate.AWAITS_STOP:
            self.running.put_aside(attempt)
            return
        self._forget(attempt)
        self._report(job_id, settled, attempt)

    def _forget(self, attempt: RunningAttempt) -> None:
        """Watch over it no more; a second job of its id need not wait for it any longer."""
        self.running.remove(attempt)
        for waiting in self.register.free(self.admission.id_key(attempt.key.job_id)):
            self.intake.look(waiting)

    def _known_of(self, attempt: RunningAttempt) -> Known:
        exit_status, signal = (None, None) if attempt.status is None else processes.exit_reason(attempt.status)
        termination = attempt.termination
        return Known(
            Origin.STARTED,
            number=attempt.key.number,
            policy=attempt.policy,
            looked_at=attempt.looked_at,
            outcome=None if termination is None else termination.outcome,
            note="" if termination is None else termination.note,
            exit_status=exit_status,
            signal=signal,
            usage=attempt.usage,
            reaped=None if attempt.status is None else self.executor.pid(attempt.key),
            stop=self.running.stop_of(attempt),
            releases=0 if attempt.never_started else self.register.times(attempt.key.job_id, Why.NOT_STARTED),
        )

    def _is_not_over(self, attempt: RunningAttempt, marker: Marker | None) -> None:
        """Its process was reported to be gone, but the lock is held, or a process of that marker lives."""
        key = attempt.key
        is_start = marker is not None and marker.is_start
        if marker is not None and is_start and marker.pid == self.executor.pid(key):
            # The lock outlived its process: what it forked holds a copy, which Python closes at once, and others never.
            now = self.clock.monotonic()
            if attempt.is_held_too_long(now):
                self.executor.kill(key)
                self.executor.kill_holders(self.spool.layout.lock(key.job_id))
            self.register.put_off(key.job_id, Why.NOT_SETTLED, now, LET_GO_PAUSE)
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
            self._forget(attempt)
            self.recover(key.job_id)

    def _report(self, job_id: str, settled: Settled, attempt: RunningAttempt | None) -> None:
        if settled.left:
            self.reporter.report(LeftBehind(job_id, settled.left))
        if settled.published:
            self.intake.look(settled.published)
        if settled.fate is Fate.GONE:
            self.reporter.report(Gone(job_id))
        elif settled.fate is Fate.REJECTED:
            self.reporter.report(Refused(settled.name, Outcome.REJECTED, settled.problem))
        elif settled.fate is Fate.RELEASED:
            self._released(job_id, settled, attempt)
        elif settled.raw is not None:
            self.register.clear(job_id, *KEEPS_FROM_START)
            _report_record(self.reporter, settled, attempt)
            if settled.state is State.PENDING:
                self.intake.look(settled.name)

    def _released(self, job_id: str, settled: Settled, attempt: RunningAttempt | None) -> None:
        if attempt is None or attempt.termination is not None or attempt.never_started:
            self.reporter.report(Released(settled.name))
            self.intake.look(settled.name)
            return
        if attempt.status == runner.EXIT_UNWRITABLE:
            self.reporter.report(CouldNotWrite(settled.name))
            raise OSError("a job's process could not write to the spool; its log or our standard error says why")
        pause = 2.0 ** self.register.times(job_id, Why.NOT_STARTED)
        self.reporter.report(NeverStarted(settled.name, attempt.status, pause))
        self.intake.put_off(settled.name, Why.NOT_STARTED, pause)


def _refuse_name(ended: EndedAttempts, job_id: str, problem: str) -> None:
    where, now = f"running/{job_id}.json", ended.clock.wall()
    moved = ended.spool.refuse(job_id, State.RUNNING, Outcome.REJECTED, problem, where, now)
    if moved is not None:
        ended.reporter.report(Refused(moved, Outcome.REJECTED, problem))


def _is_elsewhere(spool: Spool, marker: Marker) -> bool:
    """Whether its process is of this spool, and of another namespace of pids: it can be neither adopted nor ended."""
    here = place.place(spool.layout.locks)
    return here.is_ours(marker.home) and not here.is_here(marker.namespace, marker.home)


def _report_record(reporter: Reporter, settled: Settled, attempt: RunningAttempt | None) -> None:
    raw = settled.raw or {}
    made = raw["attempts"][-1]
    verdict, fault = Verdict(made["verdict"]), made.get("error") or {}
    names = str(raw.get("job", "")), str(raw.get("method", ""))
    who = Who(settled.name, *names, made["number"], attempt.starts if attempt else None)
    texts = [*(fault.get(name, "") for name in ("type", "message", "traceback")), made.get("result_dropped", "")]
    reporter.report(Recorded(who, Outcome(made["outcome"]), verdict, record.duration(made), *texts))
    if verdict is Verdict.RETRY:
        again = parse_time(raw["next_run_at"]) if "next_run_at" in raw else None
        reporter.report(RetryPlanned(who._replace(attempt=who.attempt + 1), again))
