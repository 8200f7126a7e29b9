"""Rehearsals: attempts of a job that does nothing, which make the later forks of this process faster.

Only the template makes them, so it alone imports this; the spare process that is forked ahead makes one more.
"""

from __future__ import annotations

import os
from dataclasses import replace

from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.in_process import run_here
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol import jsontext
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable

REHEARSALS = 12
"""CPython 3.11 specialises a function after 8 calls, later versions after fewer."""


def rehearse(settings: Settings, layout: Layout, times: int = REHEARSALS) -> None:
    """Make a few attempts of a job that does nothing, with all their files in tmp/; OSError when tmp/ cannot be written.

    After that Python has specialised the code of an attempt and filled its caches. Otherwise each fork would have to do that
    again, and the system would first have to copy the pages of memory that it changes.
    """
    stage = layout.for_rehearsal()
    settings = replace(settings, allowed={"": {"": settings.default_policy}}, fsync=False)
    callees = {("", ""): Callee("", _nothing, None)}
    for number in range(times):
        job_id = f"rehearsal-{os.getpid()}-{number}"
        paths = stage.running(job_id), stage.log(job_id), stage.lock(job_id)
        durable.write_new(paths[0], jsontext.encode({"job": "", "method": "", "params": []}), fsync=False)
        run_here(settings, stage, job_id, 1, callees)
        for path in paths:
            durable.unlink(path)


def _nothing() -> None:
    """Do nothing: this is the job of a rehearsal."""
