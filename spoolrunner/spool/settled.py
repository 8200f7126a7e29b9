"""What settling answers for a file in running/, and what is removed when its job has come to where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import locks, output, step_files
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.lock_files import drop_lock, drop_lock_of_moved
from spoolrunner.spool.traces import Marker
from spoolrunner.system import durable


class Fate(StrEnum):
    """What settling found or did."""

    HELD = "the lock is held"
    LIVES = "the process lives"
    LEFT_OVER = "something of its tree is left, and is being ended"
    AWAITS_STOP = "it may be a stop that ended the process, and that has not come yet"
    GONE = "the file is gone"
    REJECTED = "the file cannot be read"
    RELEASED = "back in pending, not started"
    SETTLED = "recorded, and moved"


_UNTOUCHED = (Fate.LIVES, Fate.LEFT_OVER, Fate.AWAITS_STOP)


class Settled(NamedTuple):
    """The fate; the job's name and state where it lies now; its document; and the marker that was found.

    `left` says why something that is no longer needed could not be removed. `published` is the id of the job of on_failure that
    was published now, if any.
    """

    fate: Fate
    name: str
    state: State | None = None
    raw: dict[str, Any] | None = None
    marker: Marker | None = None
    problem: str = ""
    left: str = ""
    published: str = ""


def cleaned_up(spool: Spool, lock: locks.JobLock, job_id: str, settled: Settled, max_log_bytes: int) -> Settled:
    """Remove what is no longer needed; what went wrong with that is noted, since the job has moved all the same.

    The caller holds the lock of the job, which was running/`job_id`.json.
    """
    if settled.fate in _UNTOUCHED:
        return settled
    try:
        _tidy(spool, job_id, settled, max_log_bytes)
        if settled.fate is Fate.SETTLED and settled.state is not State.PENDING:
            drop_lock_of_moved(spool, lock, job_id)
        elif settled.state is not State.PENDING:
            drop_lock(spool, lock, job_id)
    except OSError as error:
        return settled._replace(left=str(error))
    return settled


def was_rejected(raw: dict[str, Any] | None) -> bool:
    """Whether the last attempt of the document was refused by its own process, before the call."""
    attempts = [] if raw is None else raw.get("attempts", [])
    return bool(attempts) and attempts[-1].get("outcome") == Outcome.REJECTED


def _tidy(spool: Spool, job_id: str, settled: Settled, max_log_bytes: int) -> None:
    layout, marker = spool.layout, settled.marker
    if settled.fate is Fate.SETTLED and settled.state is State.FAILED and not was_rejected(settled.raw):
        durable.unlink(layout.reason(settled.name))  # of an earlier stay there
    if settled.fate is not Fate.GONE:
        is_start = marker is not None and marker.is_start
        first = output.header(marker.attempt, marker.started_at, marker.pid) if marker and is_start else b""
        log = layout.log(settled.name)
        if settled.name != job_id:  # what an earlier job of its id printed stays behind
            output.split(layout.log(job_id), log, [*_headers(settled.raw), first])
            _move_steps(spool, job_id, settled)
        output.tidy(log, max_log_bytes, first)


def _move_steps(spool: Spool, job_id: str, settled: Settled) -> None:
    """Let the steps of a job go with it to its new name. Without that they would still be found by its key."""
    stamp = None if settled.state is None else spool.stamp(settled.state, settled.name)
    if settled.raw is not None and stamp is not None:
        step_files.follow(spool.layout, job_id, settled.name, step_files.key_of(settled.raw, stamp.inode))


def _headers(raw: dict[str, Any] | None) -> Iterator[bytes]:
    """The first line of each attempt of a document, as it stands in its log."""
    for attempt in (raw or {}).get("attempts", ()):
        yield output.header(attempt["number"], attempt.get("started_at") or "", attempt.get("pid") or 0)
