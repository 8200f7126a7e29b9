"""failed/ID.reason: why a job lies in failed/ that was refused or cancelled before it could end by itself.

Writes, reads and removes these files, and nothing else. Knows nothing of where jobs come from.
"""

from __future__ import annotations

import os
from typing import Any

import orjson

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import arrival, jobfile
from spoolrunner.spool.ids import id_problem, numbered
from spoolrunner.spool.jobfile import NotOpenedError
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, durable

_ENDING = ".reason"
_LARGEST = 1 << 20
"""Bytes of a reason or of a progress that are read; ours are far below."""


def write(layout: Layout, job_id: str, outcome: Outcome, what: str, where: str, now: float, *, fsync: bool) -> None:
    """Write failed/ID.reason: the outcome, what was wrong, where the file lay, and `now` (seconds since 1970)."""
    reason = {"outcome": outcome.value, "what": what, "where": where, "when": clock.format_time(now)}
    data = jsontext.encode_told(reason, orjson.OPT_INDENT_2)
    durable.replace_content(layout.stage(), layout.reason(job_id), data + b"\n", fsync)


def read(layout: Layout, job_id: str) -> dict[str, Any] | None:
    """Return what failed/ID.reason holds; None when there is none, or when what lies there is no file with a JSON object.

    OSError when that cannot be found out: it decides what becomes of the job, so it is not taken for one that is missing.
    """
    try:
        return _read(layout.reason(job_id))
    except FileNotFoundError:
        return None
    except NotOpenedError as error:
        raise error.__cause__ or error from None
    except (JobFormatError, orjson.JSONDecodeError):
        return None


def is_there(layout: Layout, job_id: str) -> bool:
    """Return whether there is a failed/ID.reason; OSError when that cannot be found out."""
    return _stat(layout.reason(job_id)) is not None


def read_object(path: str) -> dict[str, Any] | None:
    """Return the JSON object in a small file; None when there is none: no file, no JSON, or nothing that can be read as a file.

    What stands beside a job is of no weight: whatever lies there, a folder, a pipe, a link, it hides no job.
    """
    try:
        return _read(path)
    except (OSError, JobFormatError, orjson.JSONDecodeError):
        return None  # there is none, it may not be read, or it is being written this moment


def _read(path: str) -> dict[str, Any] | None:
    found = jobfile.read(path)
    value = orjson.loads(found.data) if found.size <= _LARGEST else None
    return value if isinstance(value, dict) else None


def was_cancelled(layout: Layout, job_id: str) -> bool:
    """Return whether control/cancel-ID is a request that was carried out: a crash kept it from being removed."""
    asked = _stat(layout.cancel(job_id))
    name = job_id
    while asked is not None and _stat(layout.job(State.FAILED, name)) is not None:
        done = _stat(layout.reason(name))
        # We wrote the reason, so its mtime is ours; that of the request is the word of whoever made it.
        if done is not None and done.st_mtime_ns >= arrival.came_at_ns(asked):
            return True
        name = numbered(name)
    return False


def sweep(layout: Layout, before: float | None = None) -> int:
    """Remove each ID.reason beside which there is no job, as `remove_if_left` does, and return how many.

    OSError, at the end, if one stays.
    """
    removed, refused = 0, None
    for name in os.listdir(layout.folder(State.FAILED)):
        try:
            removed += remove_if_left(layout, name, before)
        except OSError as error:
            refused = refused or error  # the others go all the same
    if refused is not None:
        raise refused
    return removed


def remove_if_left(layout: Layout, name: str, before: float | None = None) -> bool:
    """Remove failed/`name` if it is an ID.reason beside which there is no job: its refusal never came about, or the job left.

    Returns whether it was. With `before` (seconds since 1970) only one is removed that was written earlier: while a dispatcher
    runs, a fresh one may be that of a job which is about to arrive.
    """
    job_id, dot, ending = name.rpartition(".")
    if not dot or dot + ending != _ENDING or id_problem(job_id) is not None:
        return False
    path = layout.reason(job_id)
    if before is not None and not arrival.came_before(path, before):
        return False
    is_left = _stat(layout.job(State.FAILED, job_id)) is None and not os.path.isdir(path)
    return is_left and durable.unlink(path)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
