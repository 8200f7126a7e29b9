"""What a job printed: its log read from the start, and on while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator

from spoolrunner.errors import JobNotFoundError
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.system.heldfiles import open_plain, read_all

_PAUSE = 0.2
"""Seconds between two looks at a log that is followed."""


def printed(layout: Layout, job_id: str, *, follow: bool = False) -> Iterator[bytes]:
    """Return what the job has printed so far, in pieces; with `follow` what it prints until it neither waits nor runs.

    While it goes on a piece ends with a whole line. JobNotFoundError when there is no such job.
    """
    if not any(Spool(layout).exists(state, job_id) for state in State):
        raise JobNotFoundError(job_id)
    return _pieces(layout, job_id, follow=follow)


def log_path(layout: Layout, job_id: str) -> str:
    """Return the path of the job's log, or "" when it has printed nothing yet."""
    path = layout.log(job_id)
    return path if os.path.exists(path) else ""


def _pieces(layout: Layout, job_id: str, *, follow: bool) -> Iterator[bytes]:
    position = 0
    while True:
        is_last = not follow or not Spool(layout).waits_or_runs(
            job_id
        )  # asked before the read: nothing comes behind it then
        data, position = _read_on(layout.log(job_id), position, to_the_end=is_last)
        if data:
            yield data
        if is_last:
            return
        clock.SYSTEM.sleep(_PAUSE)


def _read_on(path: str, position: int, *, to_the_end: bool) -> tuple[bytes, int]:
    """Return what the log holds from `position` on, up to its last whole line or to its end, and the position behind that."""
    try:
        descriptor = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return b"", position
    try:
        size = os.fstat(descriptor).st_size
        start = os.lseek(descriptor, position if position <= size else 0, os.SEEK_SET)  # it was cut since
        data = read_all(descriptor)
    finally:
        os.close(descriptor)
    if not to_the_end:
        data = data[: data.rfind(b"\n") + 1]
    return data, start + len(data)
