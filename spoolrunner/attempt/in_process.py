"""An attempt in a process that goes on afterwards: its standard streams come back, and it holds nothing of the attempt.

For rehearsals and for the inline executor; a job's own process does not import this.
"""

from __future__ import annotations

import os

from spoolrunner.attempt.runner import NONE_KNOWN, Callees, forget_attempt, run
from spoolrunner.attempt.settings import Settings
from spoolrunner.spool.paths import Layout


def run_here(settings: Settings, layout: Layout, job_id: str, number: int, callees: Callees = NONE_KNOWN) -> int:
    """Make attempt `number` of the job in this process; returns what would be the exit status of a job's process."""
    streams = os.dup(1), os.dup(2)
    try:
        return run(settings, layout, job_id, number, callees)
    finally:
        for descriptor, stream in enumerate(streams, start=1):
            os.dup2(stream, descriptor)
            os.close(stream)
        forget_attempt()
