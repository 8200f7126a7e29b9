"""Doing what an operator may do: retry, sign, cancel, remove, pause, resume, stop. Each is one file operation or a few.

Values in, values out: an answer says what was done, so that the caller can print it. A race that is lost to a person is
an answer too. What takes effect only by the dispatcher is asked for here, and can be waited for with the `await_` functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from spoolrunner.errors import DuplicateJobError, JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import reason_files, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, durable
from spoolrunner.system.owners import may_be_written_by_others

LEAVE_RUNNING = requests.LEAVE_RUNNING
"""What control/stop holds when the jobs are to run on."""
_POLL = 0.05
"""Seconds between two looks while the dispatcher is waited for."""


class Retried(NamedTuple):
    """What a retry did: the state the job was moved from, None when it was not moved.

    `is_taken`: another job of that id waits in pending/. `lost_expiry`: its expires_at was taken out of it before.
    """

    source: State | None = None
    is_taken: bool = False
    lost_expiry: bool = False


class CancelEnd(StrEnum):
    """What became of a request to cancel."""

    CANCELLED = "cancelled"
    ENDED = "it had ended before"
    STANDS = "not carried out yet"


class Retryable(NamedTuple):
    """The ids in failed/: those to be retried, sorted, and how many rejected ones are left, which would be refused again."""

    ids: list[str]
    rejected: int


def retry(
    layout: Layout, job_id: str, key: bytes | None, states: Sequence[State] = (State.FAILED, State.DONE)
) -> Retried:
    """Move a job from the first of `states` in which it lies back to pending/, durably and with a fresh retry budget.

    A job that expired loses its expires_at first, or it would expire again at once; it is signed anew with `key`, if
    there is one. JobFormatError when such a job cannot be read.
    """
    spool, lost_expiry = Spool(layout), False
    for state in states:
        if not spool.exists(state, job_id):
            continue
        try:
            if state is State.FAILED:
                lost_expiry = _lift_expiry(spool, job_id, key)
            if spool.put_back(job_id, state):
                return Retried(state, lost_expiry=lost_expiry)
        except FileNotFoundError:
            continue  # Race: somebody moved it just now.
        except DuplicateJobError:
            return Retried(is_taken=True, lost_expiry=lost_expiry)
    return Retried(lost_expiry=lost_expiry)


def retryable(layout: Layout) -> Retryable:
    """Return what lies in failed/ and may run again without being mended."""
    names = sorted(Spool(layout).names(State.FAILED))
    rejected = {name for name in names if _refused_as(layout, name) == Outcome.REJECTED}
    return Retryable([name for name in names if name not in rejected], len(rejected))


def sign(layout: Layout, job_id: str, key: bytes) -> bool:
    """Sign a job in failed/ as it stands there now, after a person has read or mended it; False when it is gone.

    What is signed has to be what was read. So a file that its producer may still write into is not: it is made one of our own,
    with the bytes of now, and JobFormatError says that these are to be read first.
    """
    spool = Spool(layout)
    try:
        is_shared = may_be_written_by_others(os.lstat(layout.job(State.FAILED, job_id)))
        data = spool.read(State.FAILED, job_id).data
    except FileNotFoundError:
        return False
    raw = jsontext.decode(data)
    if is_shared:
        spool.mend(job_id, data)
        raise JobFormatError(
            job_id,
            "others could still write into its file; that is ours alone now, and may have changed "
            "since you read it: read it again, then sign it",
        )
    spool.mend(job_id, signing.sign(key, job_id, raw))
    return True


def cancel(layout: Layout, job_id: str) -> bool:
    """Make control/cancel-ID, which the dispatcher carries out; False when the job neither waits nor runs."""
    if not Spool(layout).waits_or_runs(job_id):
        return False
    requests.request_cancel(layout, job_id)
    return True


def await_cancel(layout: Layout, job_id: str, limit: float) -> CancelEnd:
    """Wait at most `limit` seconds until a request to cancel was carried out, and return what became of it."""
    spool = Spool(layout)

    def is_over() -> bool:
        return not requests.is_cancel_asked(layout, job_id) and not spool.waits_or_runs(job_id)

    if not _until(is_over, limit):
        return CancelEnd.STANDS
    return CancelEnd.CANCELLED if spool.exists(State.FAILED, job_id) else CancelEnd.ENDED


def remove(layout: Layout, state: State, job_id: str) -> bool:
    """Remove a job's file from that state, then its ID.reason, and its log unless another job of that id is left.

    False when it was gone: a person removed it, or moved it back to pending/, just now.
    """
    if not durable.unlink(layout.job(state, job_id)):
        return False
    if state is State.FAILED:
        durable.unlink(layout.reason(job_id))
    if not any(Spool(layout).exists(other, job_id) for other in State):
        durable.unlink(layout.log(job_id))
    return True


def pause(layout: Layout) -> None:
    """Make control/pause: the dispatcher starts no more jobs; those that run run on."""
    requests.pause(layout)


def resume(layout: Layout) -> bool:
    """Remove control/pause; False when there was none."""
    return requests.resume(layout)


def stop(layout: Layout, *, leave_running: bool = False) -> None:
    """Make control/stop; with `leave_running` the jobs run on, for the next dispatcher to adopt."""
    requests.request_stop(layout, leave_running)


def await_stop(layout: Layout, holder: dict[str, Any], limit: float) -> bool:
    """Wait at most `limit` seconds until the dispatcher `holder` serves the spool no more; return whether it went."""
    from spoolrunner.client.overview import dispatcher_of

    return _until(lambda: dispatcher_of(layout) != holder, limit)


def _lift_expiry(spool: Spool, job_id: str, key: bytes | None) -> bool:
    if _refused_as(spool.layout, job_id) != Outcome.EXPIRED:
        return False
    data = spool.read(State.FAILED, job_id).data
    raw = jsontext.decode(data)
    if key is not None and signing.problem(key, job_id, raw, data):
        return False  # it is refused for that
    if raw.pop("expires_at", None) is None:
        return False
    spool.mend(job_id, jsontext.encode(raw) if key is None else signing.sign(key, job_id, raw))
    return True


def _refused_as(layout: Layout, job_id: str) -> Any:
    return (reason_files.read(layout, job_id) or {}).get("outcome")


def _until(condition: Callable[[], bool], limit: float) -> bool:
    deadline = clock.SYSTEM.monotonic() + limit
    while not condition():
        if clock.SYSTEM.monotonic() >= deadline:
            return False
        clock.SYSTEM.sleep(_POLL)
    return True
