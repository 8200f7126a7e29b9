"""Attempts of a job that does nothing, in a process that will be forked: what is warm there need not be warmed in each fork.

Only a template makes them; a job's own process does not import this.
"""

from __future__ import annotations

import os
from dataclasses import replace

from spoolrunner.attempt.in_process import run_here
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.whitelist import Callee
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable

REHEARSALS = 12
"""More than the number of calls after which CPython 3.11 specialises a function (8; later versions need fewer)."""


def rehearse(settings: Settings, layout: Layout, times: int = REHEARSALS) -> None:
    """Make a few attempts of a job that does nothing, with all their files in tmp/, in a process that will be forked.

    After that Python has specialised the code of an attempt, and its caches are filled, so that the forks need not do
    that each for itself, in pages of memory that have to be copied for it first. OSError when tmp/ cannot be written.
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
    """The job of a rehearsal."""
