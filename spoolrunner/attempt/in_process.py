"""An attempt in a process that goes on afterwards: its standard streams come back, and it holds nothing of the attempt.

For rehearsals and for the inline executor; a job's own process does not import this, but its template does.
"""

from __future__ import annotations

import os

from spoolrunner.attempt.forks import forget_attempt
from spoolrunner.attempt.runner import NONE_KNOWN, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.assignment import Assignment
    from spoolrunner.attempt.runner import Callees
    from spoolrunner.attempt.settings import Settings
    from spoolrunner.spool.paths import Layout


def run_here(settings: Settings, layout: Layout, assignment: Assignment, callees: Callees = NONE_KNOWN) -> int:
    """Make the attempt in this process; returns what would be the exit status of a job's process."""
    streams = os.dup(1), os.dup(2)
    try:
        return run(settings, layout, assignment, callees)
    finally:
        for descriptor, stream in enumerate(streams, start=1):
            os.dup2(stream, descriptor)
            os.close(stream)
        forget_attempt()
