"""Settling: what a file in running/ whose process is gone turns into. Normal ends and crashes take the same path.

Holds the job's lock from the test whether it still runs to the last rename. Which rule applies is for `settling_rules`. Knows
neither executors nor the order of waiting jobs; who lives is asked of a `Liveness`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document, signing
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy
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
from spoolrunner.spool import locks, output, process_died, record
from spoolrunner.spool.folders import Found, NotOpenedError, Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.settling_rules import Boot, Known, Origin, choose, is_recorded
from spoolrunner.system import durable
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


PolicyOf = Callable[[Document], Policy]


class UnopenedError(PermissionError):
    """A file in running/ that may not be opened. It could be when it was claimed, so it is given a second look."""


class Liveness(Protocol):
    """Who knows which processes live: the executor that started them."""

    def lives(self, marker: locks.Marker) -> bool:
        """Whether the process that left this start marker still runs."""

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        """Pid and start of the process that has the lock file open which was removed from that path; None without one."""


class _File(NamedTuple):
    """A readable file in running/: as it was found, its raw document, and the checked one."""

    found: Found
    raw: dict[str, Any]
    document: Document

    @property
    def attempts(self) -> list[dict[str, Any]]:
        attempts: list[dict[str, Any]] = self.raw.get("attempts", [])
        return attempts


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
        self._max_log_bytes = max_log_bytes
        self._policy_of = policy_of
        self._liveness = liveness
        self._boot = boot
        self._clock = clock
        self._key = key

    def settle(self, job_id: str, known: Known) -> Settled:
        """Settle running/ID.json, unless it runs; OSError when the disk refuses, and then nothing is lost.

        A file that cannot be opened raises UnopenedError at the first look, and is refused at the second.
        """
        lock = locks.acquire(self._spool.layout.lock(job_id))
        if lock is None:
            return Settled(Fate.HELD, job_id, marker=locks.peek(self._spool.layout.lock(job_id)))
        try:
            marker = lock.marker()
            if marker is None and known.number is None:
                marker = self._restored_marker(lock, job_id, known)
            # A job may have closed its descriptors, the lock among them: only when its process is gone too is it over.
            if marker and marker.kind == locks.START and self._liveness.lives(marker):
                return Settled(Fate.LIVES, job_id, State.RUNNING, marker=marker)
            settled = self._settle_held(job_id, lock, marker, known)
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

    def _settle_held(self, job_id: str, lock: locks.JobLock, marker: locks.Marker | None, known: Known) -> Settled:
        try:
            file = self._read(job_id)
        except FileNotFoundError:
            return Settled(Fate.GONE, job_id, marker=marker)
        except UnopenedError as error:
            if not known.looks:
                raise
            return self._reject(job_id, marker, f"cannot be opened: {error.strerror}")
        except JobFormatError as error:
            return self._reject(job_id, marker, str(error))
        # One that was claimed a moment ago has not lost its markers to a power cut.
        has_markers = known.origin is Origin.CLAIMED or self._boot.has_markers
        attempts, inode = file.attempts, file.found.inode
        rule = choose(attempts, inode, marker, has_markers=has_markers, number=known.number)
        if rule.remedy is Remedy.RECORD and marker is not None:
            return self._record(job_id, file, marker, known)
        if rule.remedy is Remedy.FINISH or is_recorded(attempts, marker, known):
            self._sync_record(known)
            return self._finish(job_id, file.raw, Verdict(attempts[-1]["verdict"]), marker)
        return self._release(job_id, lock, file, marker, known)

    def _reject(self, job_id: str, marker: locks.Marker | None, problem: str) -> Settled:
        where = f"running/{job_id}.json"
        name = self._spool.refuse(job_id, State.RUNNING, Outcome.REJECTED, problem, where, self._clock.wall())
        return Settled(Fate.REJECTED, name or job_id, State.FAILED, marker=marker, problem=problem)

    def _release(
        self, job_id: str, lock: locks.JobLock, file: _File, marker: locks.Marker | None, known: Known
    ) -> Settled:
        """Put the job back; one that came back too often without having started counts as crashed instead."""
        if known.releases >= MAX_RELEASES:
            unstarted = locks.Marker(locks.START, len(file.attempts) + 1, file.found.inode)
            lock.append(unstarted)
            return self._record(job_id, file, unstarted, replace(known, note="never reached its first line"))
        name = self._spool.move(job_id, State.RUNNING, Event.RELEASE)
        return Settled(Fate.RELEASED, name or job_id, State.PENDING, file.raw, marker)

    def _restored_marker(self, lock: locks.JobLock, job_id: str, known: Known) -> locks.Marker | None:
        """The start marker that went with a lock file which the job removed, made anew while its process lives."""
        holder = self._liveness.holder_of_removed(lock.path)
        status = None if holder is None else self._spool.stamp(State.RUNNING, job_id)
        if holder is None or status is None:
            return None
        try:
            number = 1 + len(self._read(job_id).attempts)
        except UnopenedError:
            if not known.looks:
                raise
            number = 1
        except JobFormatError:
            number = 1
        began = format_time(self._clock.wall()), self._clock.monotonic()
        marker = locks.Marker(locks.START, number, status.inode, *holder, *began)
        lock.append(marker)
        return marker

    def _read(self, job_id: str) -> _File:
        """The file in running/; JobFormatError when it is no job document, UnopenedError when it may not be opened."""
        try:
            found = self._spool.read(State.RUNNING, job_id)
        except NotOpenedError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError):
                raise
            raise UnopenedError(cause.errno, cause.strerror, cause.filename) from None
        checked, raw = document.parse(found.data)
        return _File(found, raw, checked)

    def _record(self, job_id: str, file: _File, marker: locks.Marker, known: Known) -> Settled:
        now = self._clock.wall()
        outcome = known.outcome or Outcome.CRASHED
        made = record.attempt(
            marker.attempt,
            outcome,
            marker.started_at or format_time(now),
            now,
            pid=marker.pid or None,
            exit_status=known.exit_status,
            signal=known.signal,
            error=process_died.error(known),
        )
        policy = known.policy or self._policy_of(file.document)
        changed, decision = record.add(file.raw, made, policy, now)
        self._commit(job_id, file, changed)
        durable.unlink(self._spool.layout.progress(job_id))
        return self._finish(job_id, changed, decision.verdict, marker)

    def _sync_record(self, known: Known) -> None:
        """Sync the folder: the process that made the record may have died before it was on the disk for good."""
        if self._spool.fsync and not known.is_recorded:
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
            try:
                file = self._read(job_id)
            except JobFormatError:
                return Settled(Fate.GONE, job_id)
            if not file.attempts:
                return Settled(Fate.GONE, job_id)
            *earlier, last = file.attempts
            marker = lock.marker()
            rule = choose(file.attempts, file.found.inode, marker, has_markers=True)
            if rule.remedy is Remedy.RECORD or last["verdict"] in FINAL:
                return Settled(Fate.HELD, job_id, marker=marker)
            changed = {key: value for key, value in file.raw.items() if key != "next_run_at"}
            changed["attempts"] = [*earlier, {**last, "verdict": Verdict.FAILED.value}]
            number = len(changed["attempts"])
            lock.append(locks.Marker(locks.START, number, 0))  # what follows is a record of this attempt
            self._commit(job_id, file, changed)
            where, now = f"pending/{job_id}.json", self._clock.wall()
            name = self._spool.refuse(job_id, State.RUNNING, Outcome.CANCELLED, what, where, now)
            self._drop_lock(lock, job_id)
        except FileNotFoundError:
            return Settled(Fate.GONE, job_id)
        finally:
            lock.close()
        return Settled(Fate.SETTLED, name or job_id, State.FAILED, changed)

    def _commit(self, job_id: str, file: _File, changed: dict[str, Any]) -> None:
        """Record `changed`, signed only if the file was: its maker may have written into it since it was claimed."""
        key = self._key
        if key is not None and signing.problem(key, job_id, file.raw, file.found.data):
            key = None
        record.commit(self._spool.layout, job_id, changed, self._spool.fsync, key)

    def _clean_up(self, settled: Settled, lock: locks.JobLock, job_id: str) -> str:
        """Remove what is no longer needed; return what went wrong with that, since the job has moved all the same."""
        try:
            _tidy(self._spool.layout, settled, job_id, self._max_log_bytes)
            self._drop_lock(lock, job_id)
        except OSError as error:
            return str(error)
        return ""

    def _drop_lock(self, lock: locks.JobLock, job_id: str) -> bool:
        if self._spool.waits_or_runs(job_id):
            return False
        lock.remove()
        return True


def _tidy(layout: Layout, settled: Settled, job_id: str, max_log_bytes: int) -> None:
    if settled.fate is Fate.SETTLED and settled.state is State.FAILED and not _was_rejected(settled.raw):
        durable.unlink(layout.reason(settled.name))  # of an earlier stay there
    if settled.fate is not Fate.GONE:
        output.tidy(layout.log(job_id), max_log_bytes)


def _was_rejected(raw: dict[str, Any] | None) -> bool:
    attempts = [] if raw is None else raw.get("attempts", [])
    return bool(attempts) and attempts[-1].get("outcome") == Outcome.REJECTED
