"""Rehearsals: attempts of a job that does nothing, which make the later forks of this process faster.

Only the template makes them, so it alone imports this; the spare process that is forked ahead makes one more.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.attempt import callables
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.in_process import run_here
from spoolrunner.spool.paths import REHEARSAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.settings import Settings
    from spoolrunner.spool.paths import Layout

REHEARSALS = 12
"""CPython 3.11 specialises a function after 8 calls, later versions after fewer."""


NO_JOB = "spoolrunner.attempt.no_job"
"""The job of `rehearse_import`: compiled ahead, as those of users are."""


def rehearse(settings: Settings, layout: Layout, times: int = REHEARSALS) -> None:
    """Make a few attempts of a job that does nothing, with all their files in tmp/; OSError when tmp/ cannot be written.

    After that Python has specialised the code of an attempt and filled its caches. Otherwise each fork would have to do that
    again, and the system would first have to copy the pages of memory that it changes.
    """
    # tmp/ may be open to others, who could put a pipe or a link where a file of ours is expected: the folder is ours alone.
    folder = layout.stage(REHEARSAL)
    os.mkdir(folder, 0o700)
    try:
        _rehearse(settings, layout.for_rehearsal(folder), times)
    finally:
        os.rmdir(folder)


def _rehearse(settings: Settings, stage: Layout, times: int) -> None:
    callees = {("", ""): Callee("", _nothing, None)}
    for number in range(times):
        job_id = f"rehearsal-{number}"
        paths = stage.running(job_id), stage.log(job_id), stage.lock(job_id)
        try:
            stamp = _write(paths[0])
            told = Assignment(job_id, 1, stamp, "", "", [], 1.0).to_bytes()
            run_here(settings, stage, Assignment.from_bytes(told), callees)
        finally:
            for path in paths:
                _remove(path)


def rehearse_import(times: int = REHEARSALS) -> None:
    """Import a module and look up its function, again and again, as each job does whose module is not preloaded."""
    for _ in range(times):
        sys.modules.pop(NO_JOB, None)
        callables.resolve(NO_JOB, "nothing")


def _write(path: str) -> tuple[int, int, int]:
    """Make the file of the job, and return its stamp."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, b"{}")
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # it did not come to be


def _nothing() -> None:
    """Do nothing: this is the job of a rehearsal."""
