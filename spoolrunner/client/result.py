"""What a job that is over came to: its result, or the error that says why there is none. Touches nothing."""

from __future__ import annotations

from typing import Any

from spoolrunner.client.look import Look
from spoolrunner.errors import JobFailedError, ResultDroppedError
from spoolrunner.protocol.states import Outcome, State

_MOVED_BY_HAND = "no attempt of it has succeeded: it was moved to done/ by hand"


def result_of(job_id: str, found: Look) -> Any:
    """Return the value that a job in done/ returned; ResultDroppedError when it was not kept, or there is none."""
    raw = found.document
    if raw is None:
        raise ResultDroppedError(job_id, found.problem)
    if "result" in raw:
        return raw["result"]
    if found.outcome != Outcome.SUCCEEDED:
        raise ResultDroppedError(job_id, _MOVED_BY_HAND)
    dropped = found.attempts[-1].get("result_dropped")
    if dropped is not None:
        raise ResultDroppedError(job_id, str(dropped))
    return None


def failure(job_id: str, found: Look | None) -> JobFailedError:
    """Return the error that says why a job in failed/ failed: by its ID.reason if it was refused, else by its last attempt."""
    if found is None:
        return JobFailedError(job_id, "")
    if found.reason is not None:
        return JobFailedError(job_id, found.outcome or "", message=str(found.reason.get("what", "")))
    error = {key: str(found.error.get(key, "")) for key in ("type", "message", "traceback")}
    message = error["message"] or found.problem
    return JobFailedError(job_id, found.outcome or "", error["type"], message, error["traceback"])


def problem_of(job_id: str, found: Look | None) -> str:
    """Return why a job that is over is not done, in a sentence; empty when it is done. None is one that was taken away."""
    if found is None:
        return f"{job_id}: its file was taken away; it lies in no folder of the spool"
    return "" if found.state is State.DONE else str(failure(job_id, found))
