"""The steps that a job has made and will not make again: shown, and forgotten when it is to begin from the start.

    [step["step"] for step in kept(layout, found)]

They lie in steps/ID.jsonl, from the first step to the end of the job; `spool.step_files` says whose file is which.
"""

from __future__ import annotations

from typing import Any

from spoolrunner.client.look import Look
from spoolrunner.protocol.states import State
from spoolrunner.spool import retention, step_files
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable


def kept(layout: Layout, found: Look) -> list[dict[str, Any]]:
    """Return the steps of a job, oldest first, each with `step` (its name), `ended_at` and `value`; empty without any.

    OSError when they cannot be read.
    """
    if found.document is None:
        return []
    stamp = Spool(layout).stamp(found.state, found.id)
    key = step_files.key_of(found.document, 0 if stamp is None else stamp.inode)
    path, is_there = step_files.find(layout, found.id, key)
    try:
        return step_files.lines(path) if is_there else []
    except FileNotFoundError:
        return []  # Race: the job was done just now.


def forget(layout: Layout, state: State, job_id: str) -> str | None:
    """Remove the steps of the job that lies in that state, so that it begins from the start; return the path that they had.

    None when it has none.
    """
    path = retention.steps_of(layout, state, job_id)
    return path if path is not None and durable.unlink(path) else None
