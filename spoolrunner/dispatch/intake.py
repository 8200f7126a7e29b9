"""What lies in pending/: the look at a waiting file, and what follows from it.

A job that may run is put into the order of waiting jobs. A file that can never run goes to failed/. One that cannot be judged
yet is looked at again. Owns that look: read, validate, whitelist, limits, expiry. Claims nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.config.load import Config
from spoolrunner.dispatch.candidate import BeyondConfigError, Candidate, FaultyValueError, checked
from spoolrunner.dispatch.dependencies import Dependencies
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.order import Order, Waiting
from spoolrunner.dispatch.postponed import KEEPS_FROM_START, Register, Why
from spoolrunner.dispatch.read_ahead import LARGE, LargeFiles, ReadAhead
from spoolrunner.dispatch.reloading import advice
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.folders import NotRegularError, Spool
from spoolrunner.spool.ids import id_problem, is_job_name
from spoolrunner.system.clock import Clock
from spoolrunner.system.heldfiles import HeldError, next_pause
from spoolrunner.telling.events import Refused

SETTLE_SECONDS = 2.0
"""Seconds for which a file that does not parse must stay the same before it is refused: it may still be being written."""
HELD_SECONDS = 60.0
"""Seconds for which another program may have a file open, so that nobody can read it, before it is refused."""
LOOK_SLICE = 0.02
"""Seconds for which files are looked at, one after the other, before the rest of the dispatcher has its turn again."""
_LOOKED_AT_AGAIN = (Why.NOT_JUDGED, Why.NOT_MOVED, Why.LARGE)
_INSTANT = 0.001
"""Seconds that are too few to keep a job from its start: the difference of two clocks is no more exact."""


class Intake:
    """The waiting files of one spool."""

    def __init__(
        self,
        config: Config,
        spool: Spool,
        order: Order,
        register: Register,
        faults: FileFaults,
        reporter: Reporter,
        clock: Clock,
    ) -> None:
        self._config = config
        self._spool = spool
        self._order = order
        self._register = register
        self._faults = faults
        self._reporter = reporter
        self._clock = clock
        self._read_ahead = ReadAhead[Candidate]()
        self._large_files = LargeFiles()
        self.take_newer_config: Callable[[], bool] = lambda: False
        """Puts a config.json into force that was changed since it was read; returns whether there was one."""
        self.dependencies = Dependencies(spool, self.look, clock)
        """The jobs that wait for others."""

    @property
    def has_unread(self) -> bool:
        """Whether there are files of which it is not known yet what they are: they may still be being written, or are large."""
        return self._register.count(Why.NOT_JUDGED, Why.LARGE) > 0

    def hint(self, file_name: str) -> None:
        """Something happened to this file name in pending/."""
        if is_job_name(file_name):
            job_id = file_name[: -len(".json")]
            if not _is_as_unmovable_as_before(self._spool, self._register, job_id, self._clock.monotonic()):
                self.look(job_id)

    def look(self, job_id: str) -> None:
        """Read the file and put the job into the order, or refuse it."""
        self._read_ahead.pop(job_id)
        candidate = self._examine_in_turn(job_id)
        if candidate is None:
            self._order.remove(job_id)
            self.dependencies.lost(job_id)
            return
        if self.dependencies.holds(job_id):
            self._hold(candidate)
            return
        now, due_at = self._clock.wall(), self._due_at(candidate)
        if due_at <= now:
            self._read_ahead.keep(job_id, candidate, candidate.stamp.size)
        self._add(candidate, due_at)

    def look_if_new(self, job_id: str) -> None:
        """Look at a file that a scan met, unless it is known already."""
        if job_id not in self._order and not self.dependencies.holds(job_id):
            self.look_if_judged(job_id)

    def look_if_judged(self, job_id: str) -> None:
        """Look at a file that a scan met, unless it waits to be judged or moved: that has a time of its own."""
        if all(self._register.get(job_id, why) is None for why in _LOOKED_AT_AGAIN):
            self.look(job_id)

    def put_off(self, job_id: str, why: Why, pause: float) -> None:
        """Do not let the job start before `pause` seconds have passed, whatever its file says, and however the clock is set."""
        self._register.put_off(job_id, why, self._clock.monotonic(), pause)
        self.look(job_id)

    def take(self, job_id: str) -> Candidate | None:
        """The candidate for a claim: as it was just read or, if that is long ago, read again; None when there is none.

        It may be out of date by the time of the claim, however fresh it is: the claim compares the stamp.
        """
        candidate = self._read_ahead.pop(job_id)
        if candidate is None or candidate.has_expired(self._clock.wall()):
            candidate = self._examine_in_turn(job_id)
        if candidate is not None and self.dependencies.holds(job_id):
            self._hold(candidate)
            return None
        if candidate is not None and self._due_at(candidate) > self._clock.wall():
            self._add(candidate, self._due_at(candidate))
            return None
        return candidate

    def _examine_in_turn(self, job_id: str) -> Candidate | None:
        """As `examine`; but a large file is put off while those rest."""
        began = self._clock.monotonic()
        if self._large_files.pause(began) > 0 and self._is_large(job_id):
            self._register.put_off(job_id, Why.LARGE, began, self._large_files.pause(began))
            return None
        self._register.clear(job_id, Why.LARGE)
        candidate = self.examine(job_id)
        self._large_files.looked(began, self._clock.monotonic())
        return candidate

    def _is_large(self, job_id: str) -> bool:
        try:
            stamp = self._spool.stamp(State.PENDING, job_id)
        except OSError:
            return False  # the look meets that error too, and says so
        return stamp is not None and stamp.size > LARGE

    def examine(self, job_id: str) -> Candidate | None:
        """Read and check the file; None when it is gone, was refused, or cannot be judged yet.

        One that can be neither read nor moved is put off.
        """
        try:
            return self._examined(job_id)
        except OSError as error:
            stamp = self._spool.stamp(State.PENDING, job_id)
            self._faults.put_off(job_id, Why.NOT_MOVED, error, SETTLE_SECONDS, stamp)
            return None

    def _examined(self, job_id: str) -> Candidate | None:
        problem = id_problem(job_id)
        if problem:
            self._refuse(job_id, Outcome.REJECTED, problem)
            return None
        try:
            found, now = self._spool.read(State.PENDING, job_id), self._clock.wall()
            candidate = checked(self._config, job_id, found, now, self.take_newer_config)
        except FileNotFoundError:
            self._register.clear(job_id, Why.NOT_JUDGED, Why.NOT_MOVED)
            return None  # Race: a person took it away, or it was claimed since the hint.
        except (NotAllowedError, NotRegularError, FaultyValueError) as error:
            is_by_config = isinstance(error, (NotAllowedError, BeyondConfigError))
            self._refuse(job_id, Outcome.REJECTED, f"{error}{advice(self._config) if is_by_config else ''}")
            return None
        except JobFormatError as error:
            self._wait_for_writer(job_id, error)
            return None
        if candidate.has_expired(self._clock.wall()):
            what = f"expires_at {candidate.raw['expires_at']} passed before its first start"
            self._refuse(job_id, Outcome.EXPIRED, what)
            return None
        self.dependencies.note(job_id, candidate.document)
        failed = self.dependencies.failed(job_id)
        if failed:
            self._refuse(job_id, Outcome.DEPENDENCY_FAILED, f"after: {failed} failed, so this one can never start")
            return None
        self._register.clear(job_id, Why.NOT_JUDGED, Why.NOT_MOVED)
        return candidate

    def judge_anew(self) -> None:
        """Another configuration is in force: what was read ahead was judged by the old one."""
        self._read_ahead = ReadAhead[Candidate]()

    def forget(self, job_id: str) -> None:
        """The job waits no more."""
        self._read_ahead.pop(job_id)
        self._register.clear(job_id, Why.LARGE)
        self._order.remove(job_id)
        self.dependencies.forget(job_id)

    def cancel(self, job_id: str) -> bool:
        """Move a waiting job to failed/ as cancelled; False when it does not wait."""
        if not self._spool.exists(State.PENDING, job_id):
            return False
        self._refuse(job_id, Outcome.CANCELLED, "cancelled before it started")
        return True

    def next_in(self, now: float) -> float:
        """Seconds until a file that could not be judged or moved, or is large, is looked at again. A chore."""
        return min(self._register.next_in(why, now) for why in _LOOKED_AT_AGAIN)

    def work(self, now: float) -> None:
        """Look again at files that could not be judged or moved, or are large, and are due, for a slice of time."""
        until = self._clock.monotonic() + LOOK_SLICE
        for job_id in [job_id for why in _LOOKED_AT_AGAIN for job_id in self._register.due(why, now)]:
            self.look(job_id)
            if self._clock.monotonic() >= until:
                return  # a thousand may become refusable at once, and each is a write and a sync

    def _hold(self, candidate: Candidate) -> None:
        """Let it wait for others; it is looked at again when they are over, or when it has expired."""
        expires_at = candidate.document.expires_at
        if expires_at is None:
            self._order.remove(candidate.job_id)
        else:
            self._add(candidate, expires_at.timestamp() + _INSTANT)

    def _add(self, candidate: Candidate, at: float) -> None:
        """Put the job into the order, for that moment."""
        self._order.add(candidate.job_id, Waiting(at, candidate.policy.priority, candidate.lane), self._clock.wall())

    def _due_at(self, candidate: Candidate) -> float:
        left = self._register.seconds_left(candidate.job_id, self._clock.monotonic(), *KEEPS_FROM_START)
        return candidate.due_at if left < _INSTANT else max(candidate.due_at, self._clock.wall() + left)

    def _wait_for_writer(self, job_id: str, error: JobFormatError) -> None:
        stamp = self._spool.stamp(State.PENDING, job_id)
        now = self._clock.monotonic()
        known = self._register.get(job_id, Why.NOT_JUDGED)
        unmoved = self._register.get(job_id, Why.NOT_MOVED)
        is_held = isinstance(error.__cause__, HeldError)
        if unmoved is not None and unmoved.detail == stamp:
            self._refuse(job_id, Outcome.REJECTED, str(error))  # it was to be refused before
        elif known is None or known.detail != stamp:
            self._register.clear(job_id, Why.NOT_JUDGED, Why.NOT_MOVED)
            self._register.put_off(job_id, Why.NOT_JUDGED, now, SETTLE_SECONDS, stamp)
        elif now - known.since >= (HELD_SECONDS if is_held else SETTLE_SECONDS):
            self._refuse(job_id, Outcome.REJECTED, str(error))
        elif is_held:
            pause = next_pause(now - known.since, SETTLE_SECONDS)
            self._register.put_off(job_id, Why.NOT_JUDGED, now, pause, stamp)

    def _refuse(self, job_id: str, outcome: Outcome, what: str) -> None:
        """Move it to failed/, with the reason; OSError when that cannot be done."""
        self.forget(job_id)
        self._register.clear(job_id, Why.NOT_JUDGED)
        where, now = f"pending/{job_id}.json", self._clock.wall()
        moved = self._spool.refuse(job_id, State.PENDING, outcome, what, where, now)
        self._register.clear(job_id, Why.NOT_MOVED)
        if moved is not None:
            self._reporter.report(Refused(moved, outcome, what))


def _is_as_unmovable_as_before(spool: Spool, register: Register, job_id: str, now: float) -> bool:
    """Whether it could be neither read nor moved, is the same file still, and not to be tried again yet."""
    known = register.get(job_id, Why.NOT_MOVED)
    if known is None or now >= known.until:
        return False
    return bool(known.detail == spool.stamp(State.PENDING, job_id))
