"""Settling: what a file in running/ whose process is gone turns into. Normal ends and crashes take the same path.

Holds the job's lock from the test whether it still runs to the last rename. Owns the rules of `states.RECOVERY_RULES`
and their order; knows neither executors nor the order of waiting jobs.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document as documents
from spoolrunner.protocol import signing
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import (
    DESTINATION,
    EVENT_OF,
    FINAL,
    RECOVERY_RULES,
    Event,
    Outcome,
    RecoveryRule,
    Remedy,
    State,
    Verdict,
)
from spoolrunner.spool import locks, output, record
from spoolrunner.spool.folders import Found, NotOpenedError, Spool
from spoolrunner.system import durable, processes
from spoolrunner.system.clock import Clock, format_time


class Fate(StrEnum):
    """What settling found or did."""

    HELD = "the lock is held"
    LIVES = "the process lives"
    GONE = "the file is gone"
    REJECTED = "the file cannot be read"
    RELEASED = "back in pending, not started"
    SETTLED = "recorded, and moved"


class Settled(NamedTuple):
    """The fate; the job's name and state where it lies now; its document; and the marker that was found.

    `left` says why something that is no longer needed could not be removed.
    """

    fate: Fate
    name: str
    state: State | None = None
    raw: dict[str, Any] | None = None
    marker: locks.Marker | None = None
    problem: str = ""
    left: str = ""


class Ended(NamedTuple):
    """What the dispatcher knows of how an attempt ended: why it ended it, if it did, and the process's own word.

    `is_recorded`: that word was that its record is made, and on the disk for good.
    """

    outcome: Outcome | None = None
    exit_status: int | None = None
    signal: int | None = None
    note: str = ""
    is_recorded: bool = False


PolicyOf = Callable[[Document], Policy]


class Boot(NamedTuple):
    """This start of the machine. `has_markers` says that markers from before are there: no power cut came in between."""

    id: str
    has_markers: bool


def choose(
    attempts: Sequence[dict[str, Any]] | None,
    inode: int,
    marker: locks.Marker | None,
    has_markers: bool,
) -> RecoveryRule:
    """The first rule whose sign is seen.

    `attempts` are those of the document, None when it cannot be read; `inode` is its file's. A final verdict
    that was recorded in running/ has the start marker of its attempt in the lock file, unless a power cut took that; one
    without was in pending/ by a retry by hand, and slipped under a claim.
    """
    if attempts is None:
        return RECOVERY_RULES[0]
    fits = marker is not None and marker.fits(len(attempts), inode)
    if marker is not None and fits and marker.kind == locks.START:
        return RECOVERY_RULES[1]
    if marker is not None and fits and marker.kind == locks.CLAIM:
        return RECOVERY_RULES[2]
    recorded_here = marker is not None and marker.kind == locks.START and marker.attempt == len(attempts)
    if attempts and attempts[-1]["verdict"] in FINAL and (recorded_here or not has_markers):
        return RECOVERY_RULES[3]
    return RECOVERY_RULES[4]


class Settler:
    """Settles the jobs of one spool; what it records is signed with `key`, if there is one."""

    def __init__(
        self,
        spool: Spool,
        policy_of: PolicyOf,
        max_log_bytes: int,
        boot: Boot,
        clock: Clock,
        key: bytes | None = None,
    ) -> None:
        self._spool = spool
        self._max_log_bytes = max_log_bytes
        self._policy_of = policy_of
        self._boot = boot
        self._clock = clock
        self._key = key
        self._not_opened: set[str] = set()

    def settle(
        self,
        job_id: str,
        ended: Ended,
        number: int | None = None,
        never_starts: bool = False,
        claimed: bool = False,
    ) -> Settled:
        """Settle running/ID.json, unless it runs.

        `number` is that of the attempt that was started, if that is known: it tells a recorded retry from a start that
        never came about. With `never_starts` a job that would be released counts as crashed. One that was `claimed` a
        moment ago has not lost its markers to a power cut.
        """
        lock = locks.acquire(self._spool.layout.lock(job_id))
        if lock is None:
            return Settled(Fate.HELD, job_id, marker=locks.peek(self._spool.layout.lock(job_id)))
        try:
            marker = lock.marker()
            if marker is None and number is None:
                marker = self._restored_marker(lock, job_id)
            # A job may have closed its descriptors, the lock among them: only when its process is gone too is it over.
            if (
                marker
                and marker.kind == locks.START
                and processes.lives(marker.pid, marker.process_started, self._boot.id)
            ):
                return Settled(Fate.LIVES, job_id, State.RUNNING, marker=marker)
            has_markers = claimed or self._boot.has_markers
            settled = self._settle_held(job_id, lock, marker, ended, number, never_starts, has_markers)
            left = self._clean_up(settled, lock, job_id)
            return settled._replace(left=left) if left else settled
        finally:
            lock.close()

    def sweep(self, job_id: str) -> bool:
        """Remove the lock file of an id that neither waits nor runs; False when it is held or still needed."""
        lock = locks.acquire(self._spool.layout.lock(job_id))
        if lock is None:
            return False
        try:
            return self._drop_lock(lock, job_id)
        finally:
            lock.close()

    def _settle_held(
        self,
        job_id: str,
        lock: locks.JobLock,
        marker: locks.Marker | None,
        ended: Ended,
        number: int | None,
        never_starts: bool,
        has_markers: bool,
    ) -> Settled:
        spool = self._spool
        try:
            found, raw, document, problem = self._read(job_id)
        except FileNotFoundError:
            return Settled(Fate.GONE, job_id, marker=marker)
        attempts = None if raw is None else raw.get("attempts", [])
        inode = 0 if found is None else found.inode
        rule = choose(attempts, inode, marker, has_markers)
        if rule.remedy is Remedy.REJECT or found is None or raw is None or document is None:
            where = f"running/{job_id}.json"
            name = spool.refuse(job_id, State.RUNNING, Outcome.REJECTED, problem, where, self._clock.wall())
            return Settled(Fate.REJECTED, name or job_id, State.FAILED, marker=marker, problem=problem)
        if rule.remedy is Remedy.RECORD and marker is not None:
            return self._record(job_id, found, raw, document, marker, ended)
        if rule.remedy is Remedy.FINISH:
            self._sync_record(ended)
            return self._finish(job_id, raw, Verdict(raw["attempts"][-1]["verdict"]), marker)
        if number is None and marker is not None and marker.kind == locks.START:
            number = marker.attempt
        if number is not None and number == len(raw.get("attempts", [])):
            # Recorded, as is known without its marker too: a job may remove its own lock file.
            self._sync_record(ended)
            return self._finish(job_id, raw, Verdict(raw["attempts"][-1]["verdict"]), marker)
        if never_starts:
            unstarted = locks.Marker(locks.START, len(raw.get("attempts", [])) + 1, inode)
            lock.append(unstarted)
            ended = ended._replace(note="never reached its first line")
            return self._record(job_id, found, raw, document, unstarted, ended)
        name = spool.move(job_id, State.RUNNING, Event.RELEASE)
        return Settled(Fate.RELEASED, name or job_id, State.PENDING, raw, marker)

    def _restored_marker(self, lock: locks.JobLock, job_id: str) -> locks.Marker | None:
        """The start marker that went with a lock file which the job removed, made anew while its process lives."""
        pid = processes.holder_of_removed(lock.path)
        if pid is None:
            return None
        start = processes.started(pid, self._boot.id)
        status = self._spool.signature(State.RUNNING, job_id)
        if start is None or status is None:
            return None
        _, raw, _, _ = self._read(job_id)
        number = 1 + len([] if raw is None else raw.get("attempts", []))
        began = format_time(self._clock.wall()), self._clock.monotonic()
        marker = locks.Marker(locks.START, number, status.inode, pid, start, *began)
        lock.append(marker)
        return marker

    def _read(self, job_id: str) -> tuple[Found | None, dict[str, Any] | None, Document | None, str]:
        found = None
        try:
            found = self._spool.read(State.RUNNING, job_id)
            document, raw = documents.parse(found.data)
        except NotOpenedError as error:
            if job_id not in self._not_opened and isinstance(error.__cause__, OSError):
                # It could be opened when it was claimed, so it is given a second look before it is refused for good.
                self._not_opened.add(job_id)
                raise error.__cause__ from None
            self._not_opened.discard(job_id)
            return found, None, None, str(error)
        except JobFormatError as error:
            return found, None, None, str(error)
        self._not_opened.discard(job_id)
        return found, raw, document, ""

    def _record(
        self,
        job_id: str,
        found: Found,
        raw: dict[str, Any],
        document: Document,
        marker: locks.Marker,
        ended: Ended,
    ) -> Settled:
        now = self._clock.wall()
        outcome = ended.outcome or Outcome.CRASHED
        made = record.attempt(
            marker.attempt,
            outcome,
            marker.started_at or format_time(now),
            now,
            pid=marker.pid or None,
            exit_status=ended.exit_status,
            signal=ended.signal,
            error=record.error("ProcessEnded", "; ".join(filter(None, [ended.note, _died(ended)]))),
        )
        changed, decision = record.add(raw, made, self._policy_of(document), now)
        self._commit(job_id, found, raw, changed)
        durable.unlink(self._spool.layout.progress(job_id))
        return self._finish(job_id, changed, decision.verdict, marker)

    def _sync_record(self, ended: Ended) -> None:
        """Whoever made the record may have died before it was on the disk for good; a move must not come before that."""
        if self._spool.fsync and not ended.is_recorded:
            durable.sync_folder(self._spool.layout.folder(State.RUNNING))

    def _finish(self, job_id: str, raw: dict[str, Any], verdict: Verdict, marker: locks.Marker | None) -> Settled:
        layout = self._spool.layout
        if verdict in FINAL:
            durable.unlink(layout.cancel(job_id))
        target = DESTINATION[verdict]
        if target is State.FAILED and _was_rejected(raw):
            what = raw["attempts"][-1].get("error", {}).get("message", "refused by its own process")
            where, now = f"running/{job_id}.json", self._clock.wall()
            name = self._spool.refuse(job_id, State.RUNNING, Outcome.REJECTED, what, where, now)
        else:
            name = self._spool.move(job_id, State.RUNNING, EVENT_OF[verdict])
        if name is None:
            return Settled(Fate.GONE, job_id, raw=raw, marker=marker)
        return Settled(Fate.SETTLED, name, target, raw, marker)

    def give_up(self, job_id: str, what: str) -> Settled:
        """Turn the last verdict of a job that was to be tried again, and is claimed but not started, into the final one.

        OSError when its lock is held; HELD when it was started nonetheless by a process of an earlier dispatcher. Killed in
        between, it is released, and the request to cancel it still stands.
        """
        path = self._spool.layout.lock(job_id)
        lock = locks.acquire(path)
        if lock is None:  # Race: a late process of an earlier attempt has it, for a moment.
            raise BlockingIOError(errno.EAGAIN, "held by another process", path)
        try:
            found, raw, _, _ = self._read(job_id)
            if found is None or raw is None or not raw.get("attempts"):
                return Settled(Fate.GONE, job_id)
            *earlier, last = raw["attempts"]
            marker = lock.marker()
            is_begun = choose(raw["attempts"], found.inode, marker, has_markers=True).remedy is Remedy.RECORD
            if is_begun or last["verdict"] in FINAL:
                return Settled(Fate.HELD, job_id, marker=marker)
            changed = {key: value for key, value in raw.items() if key != "next_run_at"}
            changed["attempts"] = [*earlier, {**last, "verdict": Verdict.FAILED.value}]
            number = len(changed["attempts"])
            lock.append(locks.Marker(locks.START, number, 0))  # what follows is a record of this attempt
            self._commit(job_id, found, raw, changed)
            where, now = f"pending/{job_id}.json", self._clock.wall()
            name = self._spool.refuse(job_id, State.RUNNING, Outcome.CANCELLED, what, where, now)
            self._drop_lock(lock, job_id)
        except FileNotFoundError:
            return Settled(Fate.GONE, job_id)
        finally:
            lock.close()
        return Settled(Fate.SETTLED, name or job_id, State.FAILED, changed)

    def _commit(self, job_id: str, found: Found, raw: dict[str, Any], changed: dict[str, Any]) -> None:
        """Record `changed`, signed only if what was `found` was: its maker may have written into it since it was claimed."""
        key = self._key
        if key is not None and signing.problem(key, job_id, raw, found.data):
            key = None
        record.commit(self._spool.layout, job_id, changed, self._spool.fsync, key)

    def _clean_up(self, settled: Settled, lock: locks.JobLock, job_id: str) -> str:
        """Remove what is no longer needed; what went wrong with that, since the job has moved and its fate is to be told."""
        layout = self._spool.layout
        try:
            if settled.fate is Fate.SETTLED and settled.state is State.FAILED and not _was_rejected(settled.raw):
                durable.unlink(layout.reason(settled.name))  # of an earlier stay there
            if settled.fate is not Fate.GONE:
                output.tidy(layout.log(job_id), self._max_log_bytes)
            self._drop_lock(lock, job_id)
        except OSError as error:
            return str(error)
        return ""

    def _drop_lock(self, lock: locks.JobLock, job_id: str) -> bool:
        if self._spool.waits_or_runs(job_id):
            return False
        lock.remove()
        return True


def _was_rejected(raw: dict[str, Any] | None) -> bool:
    attempts = [] if raw is None else raw.get("attempts", [])
    return bool(attempts) and attempts[-1].get("outcome") == Outcome.REJECTED


def _died(ended: Ended) -> str:
    if ended.signal is not None:
        return f"the process was ended by {processes.signal_name(ended.signal)} before it could record its outcome"
    if ended.exit_status is not None:
        return f"the process ended with status {ended.exit_status} before it could record its outcome"
    return "the process is gone and left no record of its outcome"
