"""What a producer gives as `after`: jobs or their ids, checked so that nobody waits for what is nowhere, or in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spoolrunner.client.job import Job
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.names import ID_RULE, is_id
from spoolrunner.spool import circles
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.standing import Stands, standing

After = Job | str | Iterable[Job | str] | Mapping[str, Any]
"""A job or several, or {"jobs": …, "when": "done" or "ended"}."""


def as_written(after: After, root: str) -> list[str] | dict[str, Any]:
    """Return `after` as a job file has it; JobFormatError for a job of another spool than the one at `root`, or none at all."""
    if isinstance(after, Mapping):
        return {**after, "jobs": _ids(after["jobs"], root)} if "jobs" in after else dict(after)
    return _ids(after, root)


def names(written: list[str] | dict[str, Any]) -> list[str]:
    """Return the ids in an `after` as a job file has it."""
    found: list[str] = written.get("jobs", []) if isinstance(written, dict) else written
    return found


def check(spool: Spool, job_id: str, wanted: list[str], batch: Mapping[str, list[str]]) -> None:
    """Raise JobFormatError when one of the `wanted` ids is in no folder, or waits for this job in its turn.

    `batch` has the jobs that are published just before this one, each with what it waits for.
    """
    for name in wanted:
        if name == job_id:
            raise JobFormatError("after", f"{name!r} is this job itself, which would wait for ever")
        if name not in batch and _is_nowhere(spool, name):
            raise JobFormatError("after", f"{name!r} lies in no folder of the spool: enqueue it first")
    circle = circles.find(spool, job_id, wanted, batch)
    if circle:
        raise JobFormatError("after", f"a circle, in which each waits for the next one: {' -> '.join(circle)}")


def _is_nowhere(spool: Spool, name: str) -> bool:
    """Whether no folder holds it; looked at twice, since it may be on its way from one to the next.

    False where we may not look: a producer of a group is let into pending/ alone.
    """
    try:
        return all(standing(spool, name).stands is Stands.NOWHERE for _ in range(2))
    except PermissionError:
        return False


def _ids(after: object, root: str) -> list[str]:
    if isinstance(after, (Job, str)):
        after = [after]
    if not isinstance(after, Iterable) or isinstance(after, (bytes, Mapping)):
        raise JobFormatError("after", f"{type(after).__name__} is no job: give jobs, or their ids")
    return [_id(one, f"after[{index}]", root) for index, one in enumerate(after)]


def _id(one: object, key: str, root: str) -> str:
    if isinstance(one, Job):
        if one.root != root:
            raise JobFormatError(key, f"job {one.id!r} is of another spool, {one.root}")
        return one.id
    if not isinstance(one, str):
        raise JobFormatError(key, f"{type(one).__name__} is no job: give a job or its id")
    if not is_id(one):
        raise JobFormatError(key, f"{one!r} is no id, which is {ID_RULE}")
    return one
