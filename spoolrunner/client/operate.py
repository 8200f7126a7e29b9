"""Doing what an operator may do: retry, sign, cancel, remove, pause, resume, stop. Each is one file operation or a few.

Values in, values out: an answer says what was done, so that the caller can print it. A race that is lost to a person is
an answer too. What takes effect only by the dispatcher is asked for here, and can be waited for with the `await_` functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from spoolrunner.client.look import look
from spoolrunner.config.load import Config
from spoolrunner.config.pausable import pause_problem
from spoolrunner.errors import DuplicateJobError, JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import reason_files, requests, retention
from spoolrunner.spool.folders import Spool, Stamp
from spoolrunner.spool.ids import numbered
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.retrying import put_back
from spoolrunner.system import clock
from spoolrunner.system.owners import may_be_written_by_others

LEAVE_RUNNING = requests.LEAVE_RUNNING
"""What control/stop holds when the jobs are to run on."""
_NOWHERE = 2.0
"""Seconds for which a job must have been in no folder before it counts as taken away."""
_POLL = 0.05
"""Seconds between two looks while the dispatcher is waited for."""


class Retried(NamedTuple):
    """What a retry did: the state the job was moved from, None when it was not moved.

    `is_taken`: another job of that id waits in pending/. `lost_expiry`: its expires_at was taken out of it before. `error`: why
    it could not be moved, where that comes of its own file.
    """

    source: State | None = None
    is_taken: bool = False
    lost_expiry: bool = False
    error: JobFormatError | OSError | None = None


class CancelEnd(StrEnum):
    """What became of a request to cancel."""

    CANCELLED = "cancelled"
    ENDED = "it had ended before"
    STANDS = "not carried out yet"
    GONE = "its file was taken away"


class CancelRequest(NamedTuple):
    """A request that was made, and which jobs of this id, and of ID~2 and so on, were over already then."""

    job_id: str
    over_before: frozenset[tuple[State, str, Stamp]]


class Cancelled(NamedTuple):
    """What became of a request to cancel; `outcome` is how the job ended, None where that is not known."""

    end: CancelEnd
    outcome: str | None = None


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
                lost_expiry = lift_expiry(spool, job_id, key)
            if put_back(spool, job_id, state):
                return Retried(state, lost_expiry=lost_expiry)
        except FileNotFoundError:
            continue  # Race: somebody moved it just now.
        except DuplicateJobError:
            return Retried(is_taken=True, lost_expiry=lost_expiry)
    return Retried(lost_expiry=lost_expiry)


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


def cancel(layout: Layout, job_id: str) -> CancelRequest | None:
    """Make control/cancel-ID, which the dispatcher carries out; None when the job neither waits nor runs."""
    over_before = _over(layout, job_id)
    if not Spool(layout).waits_or_runs(job_id):
        return None
    requests.request_cancel(layout, job_id)
    return CancelRequest(job_id, over_before)


def await_cancel(layout: Layout, request: CancelRequest, limit: float) -> Cancelled:
    """Wait at most `limit` seconds until a request to cancel was carried out, and return what became of it.

    What counts is the record of a job that is over and was not before, under whatever name it lies: a job that is on its
    way is in no folder for a moment on some systems, and a folder alone does not say why it failed.
    """
    spool, job_id, nowhere_until = Spool(layout), request.job_id, 0.0
    deadline = clock.SYSTEM.monotonic() + limit
    while True:
        is_asked, waits_or_runs = requests.is_cancel_asked(layout, job_id), spool.waits_or_runs(job_id)
        outcomes = _outcomes_of(layout, _over(layout, job_id) - request.over_before)
        if Outcome.CANCELLED in outcomes:
            return Cancelled(CancelEnd.CANCELLED, str(Outcome.CANCELLED))
        if outcomes and not is_asked:
            return Cancelled(CancelEnd.ENDED, outcomes[0])
        now = clock.SYSTEM.monotonic()
        if is_asked or waits_or_runs:
            nowhere_until = now + _NOWHERE
        elif now >= nowhere_until > 0.0:
            return Cancelled(CancelEnd.GONE)
        nowhere_until = nowhere_until or now + _NOWHERE
        if now >= deadline:
            return Cancelled(CancelEnd.STANDS)
        clock.SYSTEM.sleep(_POLL)


def remove(layout: Layout, state: State, job_id: str) -> bool:
    """Remove a job's file from that state, then its ID.reason, its steps, and its log unless another job of that id is left.

    False when it was gone: a person removed it, or moved it back to pending/, just now.
    """
    return retention.remove(layout, state, job_id)


def pause(layout: Layout) -> None:
    """Make control/pause: the dispatcher starts no more jobs; those that run run on."""
    requests.pause(layout)


def resume(layout: Layout) -> bool:
    """Remove control/pause; False when there was none."""
    return requests.resume(layout)


def pause_part(settings: Config, what: str) -> None:
    """Make control/pause-WHAT: no more jobs of that method (JOB.METHOD) or group (group-NAME) are started.

    JobFormatError where there is nothing of that name to be paused.
    """
    problem = pause_problem(settings, what)
    if problem:
        raise JobFormatError(what, problem)
    requests.pause_part(settings.layout, what)


def resume_part(layout: Layout, what: str) -> bool:
    """Remove control/pause-WHAT; False when there was none."""
    return requests.resume_part(layout, what)


def stop(layout: Layout, *, leave_running: bool = False) -> None:
    """Make control/stop; with `leave_running` the jobs run on, for the next dispatcher to adopt."""
    requests.request_stop(layout, leave_running)


def reload(layout: Layout) -> None:
    """Make control/reload: the dispatcher reads config.json again, and keeps the old one where the new one has problems."""
    requests.request_reload(layout)


def running(layout: Layout) -> list[str]:
    """Return the sorted ids of the jobs that run: a stopping dispatcher waits for these."""
    return sorted(Spool(layout).names(State.RUNNING))


def await_stop(layout: Layout, holder: dict[str, Any], limit: float) -> bool:
    """Wait at most `limit` seconds until the dispatcher `holder` serves the spool no more; return whether it went."""
    from spoolrunner.client.overview import dispatcher_of

    return _until(lambda: dispatcher_of(layout) != holder, limit)


def _over(layout: Layout, job_id: str) -> frozenset[tuple[State, str, Stamp]]:
    """The jobs of this id, and of ID~2 and so on, that are over, each with what its file is like."""
    spool, found = Spool(layout), set()
    for state in (State.FAILED, State.DONE):
        name = job_id
        while (stamp := spool.stamp(state, name)) is not None:
            found.add((state, name, stamp))
            name = numbered(name)
    return frozenset(found)


def _outcomes_of(layout: Layout, jobs: Iterable[tuple[State, str, Stamp]]) -> list[str | None]:
    return [found.outcome for state, name, _ in jobs if (found := look(layout, state, name)) is not None]


def lift_expiry(spool: Spool, job_id: str, key: bytes | None) -> bool:
    """Take expires_at out of a job in failed/ that expired, or it would expire again at once; return whether that was done.

    It is signed anew with `key`, if there is one. FileNotFoundError when it is gone, JobFormatError when it cannot be read.
    """
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
