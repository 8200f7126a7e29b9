"""What lies in pending/: names from hints and scans become entries of the schedule, or are refused, or waited for.

Owns the look at a waiting file: read, validate, whitelist, limits, expiry. Claims nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from spoolrunner.config.load import Config
from spoolrunner.dispatch.order import Schedule, Waiting
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol import document, signing, whitelist
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy, job_policy
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.folders import Found, NotRegularError, Signature, Spool
from spoolrunner.spool.paths import id_problem, is_job_name
from spoolrunner.system.clock import Clock
from spoolrunner.system.heldfiles import HeldError, next_pause

SETTLE_SECONDS = 2.0
"""How long a file that does not parse must stay the same before it is refused: it may still be being written."""
HELD_SECONDS = 60.0
"""How long a file may be held open by another program, so that nobody can read it, before it is refused."""
SCAN_SLICE = 0.02
"""Seconds a slice of a scan may take before dispatching has its turn again."""
SCAN_SHARE = 0.01
"""The share of time that scans may take."""
LONGEST_PAUSE = 600.0
"""Seconds between two scans at most, however long they take."""
SCAN_PERIOD = 5.0
POLL_PERIOD = 1.0
_LEAP = 1.0
"""Seconds by which the clocks must have moved against each other for the wall clock to count as set."""
_INSTANT = 0.001
"""Seconds that are too few to hold a job back for: the difference of two clocks is no more exact."""
_MAX_READ_AHEAD = 2000
"""Candidates that are kept until they start, so as not to be read twice; each takes about 2 kB."""


class Candidate(NamedTuple):
    """A file in pending/ that may run: its checked document, and what it was when it was read."""

    name: str
    document: Document
    raw: dict[str, Any]
    signature: Signature
    due_at: float
    policy: Policy


class Refusal(NamedTuple):
    """A file that was refused: where it lies now, and why."""

    name: str
    outcome: Outcome
    what: str


class _Unsettled(NamedTuple):
    """A file that cannot be judged, or moved, yet: what it was, since when, and when to look again (monotonic)."""

    signature: Signature | None
    since: float
    again_at: float


class Intake:
    """The waiting files of one spool. `refused` is told of each file that went to failed/."""

    def __init__(
        self, config: Config, spool: Spool, schedule: Schedule, clock: Clock, refused: Callable[[Refusal], None]
    ) -> None:
        self._config = config
        self._spool = spool
        self._schedule = schedule
        self._clock = clock
        self._refused = refused
        self._read_ahead: dict[str, Candidate] = {}
        self._unsettled: dict[str, _Unsettled] = {}
        self._held_until: dict[str, float] = {}
        self._scan: Iterator[str] | None = None
        self._is_thorough = False
        self._thorough_next = False
        self._scan_seconds = 0.0
        self._next_scan = 0.0
        self._next_slice = 0.0
        self._lead = clock.wall() - clock.monotonic()
        self.scans_done = 0

    def mind_the_clock(self) -> None:
        """Look at every waiting file again when the wall clock was set: what is due, and when, was told by the old one."""
        lead = self._clock.wall() - self._clock.monotonic()
        if abs(lead - self._lead) > _LEAP:
            self._lead = lead
            self.start_scan(thorough=True)

    @property
    def is_scanning(self) -> bool:
        """Whether a scan is under way."""
        return self._scan is not None

    @property
    def is_waiting_for_writers(self) -> bool:
        """Whether there are files that do not parse and may still be being written."""
        return bool(self._unsettled)

    def hint(self, file_name: str) -> None:
        """Something happened to this file name in pending/."""
        if is_job_name(file_name):
            self.look(file_name[: -len(".json")])

    def look(self, name: str) -> None:
        """Read the file and put it into the schedule, or refuse it."""
        self._read_ahead.pop(name, None)
        candidate = self.examine(name)
        if candidate is None:
            self._schedule.remove(name)
            return
        now, due_at = self._clock.wall(), self._due_at(candidate)
        if due_at <= now and len(self._read_ahead) < _MAX_READ_AHEAD:
            self._read_ahead[name] = candidate
        self._schedule.add(name, Waiting(due_at, candidate.policy.priority), now)

    def hold(self, name: str, seconds: float) -> None:
        """Do not let the job start before `seconds` have passed, whatever its file says, and however the clock is set."""
        self._held_until[name] = self._clock.monotonic() + seconds
        self.look(name)

    def lift_hold(self, name: str) -> None:
        """The job may start again when its file says so."""
        self._held_until.pop(name, None)

    def take(self, name: str) -> Candidate | None:
        """The candidate for a claim: as it was just read or, if that is long ago, read again; None when there is none.

        It may be out of date by the time of the claim, whoever read it: the claimer compares the signature.
        """
        candidate = self._read_ahead.pop(name, None)
        if candidate is None or self._has_expired(candidate):
            candidate = self.examine(name)
        if candidate is not None and self._due_at(candidate) > self._clock.wall():
            self._schedule.add(name, Waiting(self._due_at(candidate), candidate.policy.priority), self._clock.wall())
            return None
        return candidate

    def examine(self, name: str) -> Candidate | None:
        """Read and check the file; None when it is gone, was refused, or cannot be judged yet."""
        problem = id_problem(name)
        if problem:
            self._refuse(name, Outcome.REJECTED, problem)
            return None
        try:
            candidate = self._check(name, self._spool.read(State.PENDING, name))
        except FileNotFoundError:
            self._unsettled.pop(name, None)
            return None  # Race: a person took it away, or it was claimed since the hint.
        except (NotRegularError, _FaultyValueError, NotAllowedError) as error:
            self._refuse(name, Outcome.REJECTED, str(error))
            return None
        except JobFormatError as error:
            self._wait_for_writer(name, error)
            return None
        if self._has_expired(candidate):
            what = f"expires_at {candidate.raw['expires_at']} passed before its first start"
            self._refuse(name, Outcome.EXPIRED, what)
            return None
        self._unsettled.pop(name, None)
        return candidate

    def forget(self, name: str) -> None:
        """The job waits no more."""
        self._read_ahead.pop(name, None)
        self._schedule.remove(name)

    def cancel(self, name: str) -> bool:
        """Move a waiting job to failed/ as cancelled; False when it does not wait."""
        if not self._spool.exists(State.PENDING, name):
            return False
        self._refuse(name, Outcome.CANCELLED, "cancelled before it started")
        return True

    def start_scan(self, *, thorough: bool = False) -> None:
        """Begin a full scan now, or remember to begin again if one is under way.

        A `thorough` one reads the files that are known too: where events were lost, an edit may have been among them.
        """
        self._thorough_next = self._thorough_next or thorough
        if self._scan is not None:
            self._next_scan = 0.0
            return
        self._scan = self._spool.names(State.PENDING)
        self._is_thorough, self._thorough_next = self._thorough_next, False
        self._scan_seconds = 0.0
        self._next_slice = 0.0
        self._next_scan = float("inf")

    def work(self, has_events: bool, share: float = 1.0) -> None:
        """Whatever is due of scanning and of looking again, for one slice of time; scans take that `share` of it."""
        now = self._clock.monotonic()
        for name, unsettled in list(self._unsettled.items()):
            if now >= unsettled.again_at:
                self.look(name)
        if self._scan is None and now >= self._next_scan:
            self.start_scan(thorough=not has_events)
        if self._scan is None or (share < 1.0 and now < self._next_slice):
            return
        for name in self._scan:
            if name not in self._unsettled and (self._is_thorough or name not in self._schedule):
                self.look(name)
            spent = self._clock.monotonic() - now
            if spent >= SCAN_SLICE * share:
                self._scan_seconds += spent
                self._next_slice = now + spent / share
                return
        self._scan_seconds += self._clock.monotonic() - now
        self._end_scan(has_events)

    def next_work_in(self) -> float:
        """Seconds until `work` has something to do."""
        now = self._clock.monotonic()
        if self._scan is not None:
            return max(0.0, self._next_slice - now)
        times = [unsettled.again_at for unsettled in self._unsettled.values()]
        return max(0.0, min([self._next_scan, *times]) - now)

    def _due_at(self, candidate: Candidate) -> float:
        held_for = self._held_until.get(candidate.name, 0.0) - self._clock.monotonic()
        return candidate.due_at if held_for < _INSTANT else max(candidate.due_at, self._clock.wall() + held_for)

    def _has_expired(self, candidate: Candidate) -> bool:
        expires_at = candidate.document.expires_at
        return (
            expires_at is not None and not candidate.document.attempts and self._clock.wall() > expires_at.timestamp()
        )

    def _end_scan(self, has_events: bool) -> None:
        now = self._clock.monotonic()
        asked_again = self._next_scan == 0.0
        period = SCAN_PERIOD if has_events else POLL_PERIOD
        self._scan = None
        self.scans_done += 1
        pause = min(max(period, self._scan_seconds / SCAN_SHARE), LONGEST_PAUSE)
        self._next_scan = now if asked_again else now + pause

    def _check(self, name: str, found: Found) -> Candidate:
        try:
            checked, raw = document.parse(found.data)
        except JobFormatError as error:
            if error.key:
                raise _FaultyValueError(error.key, error.problem) from None
            raise
        self._check_signature(name, raw, found.data)
        policy = policy_for(self._config, checked)
        due_at = document.due_at(checked, found.mtime, self._clock.wall())
        return Candidate(name, checked, raw, Signature(found.inode, found.size, found.mtime_ns), due_at, policy)

    def _check_signature(self, name: str, raw: dict[str, Any], data: bytes) -> None:
        key = self._config.signing_key
        problem = None if key is None else signing.problem(key, name, raw, data)
        if problem:
            raise _FaultyValueError(signing.FIELD, problem)

    def _wait_for_writer(self, name: str, error: JobFormatError) -> None:
        signature = self._spool.signature(State.PENDING, name)
        now = self._clock.monotonic()
        known = self._unsettled.get(name)
        is_held = isinstance(error.__cause__, HeldError)
        if known is None or known.signature != signature:
            self._unsettled[name] = _Unsettled(signature, now, now + SETTLE_SECONDS)
        elif now - known.since >= (HELD_SECONDS if is_held else SETTLE_SECONDS):
            self._refuse(name, Outcome.REJECTED, str(error))
        elif is_held:
            self._unsettled[name] = known._replace(again_at=now + next_pause(now - known.since, SETTLE_SECONDS))

    def _refuse(self, name: str, outcome: Outcome, what: str) -> None:
        known = self._unsettled.pop(name, None)
        self._read_ahead.pop(name, None)
        self._schedule.remove(name)
        try:
            moved = self._spool.refuse(name, State.PENDING, outcome, what, f"pending/{name}.json", self._clock.wall())
        except HeldError:
            now = self._clock.monotonic()
            since = now if known is None else known.since
            again_at = now + next_pause(now - since, SETTLE_SECONDS)
            self._unsettled[name] = _Unsettled(self._spool.signature(State.PENDING, name), since, again_at)
            raise
        if moved is not None:
            self._refused(Refusal(moved, outcome, what))


class _FaultyValueError(JobFormatError):
    """Valid JSON with a wrong key or value: whole as it is, so there is no writer to wait for."""


def policy_for(config: Config, checked: Document) -> Policy:
    """The policy the job runs under: its method's, with what the document overrides within the operator's limits.

    NotAllowedError when the whitelist has no such job; JobFormatError when it asks for more than the limits allow.
    """
    policy: Policy = whitelist.entry(config.allowed, checked.job, checked.method)
    try:
        return job_policy(document.overrides(checked), policy, config.limits)
    except JobFormatError as error:
        raise _FaultyValueError(error.key, error.problem) from None
