"""An error of one file is not one of the disk: that file is put off, and everything else goes on.

A folder, an immutable file or a mount in the place of a job file refuses what every other file allows. Whether it is the disk
all the same shows a write: the probe. Knows neither what is done with a file nor what follows when the disk is at fault.
"""

from __future__ import annotations

import errno
from typing import Any

from spoolrunner.dispatch.postponed import Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.spool.folders import Spool
from spoolrunner.system.clock import Clock
from spoolrunner.telling.troubles import KeptOff

LONGEST_PAUSE = 600.0
"""Seconds between two tries at a file at most; until then the pause is as long as the trouble has lasted."""
PROBE_LASTS = 1.0
"""Seconds for which a write that went well speaks for the disk: there may be thousands of such files."""
_OF_ALL = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOENT, errno.EXDEV, 0}
)
"""Errors that do not come of the one file: of space, of a mount, of this process, of a folder that is missing."""


def is_of_one_file(error: OSError) -> bool:
    """Whether the error may come of the one file: the disk is written to before that is believed."""
    return (error.errno or 0) not in _OF_ALL


class FileFaults:
    """Puts off what cannot be done because of one file."""

    def __init__(self, spool: Spool, register: Register, reporter: Reporter, clock: Clock) -> None:
        self._spool = spool
        self._register = register
        self._reporter = reporter
        self._clock = clock
        self._disk_works_until = float("-inf")

    def put_off(self, job_id: str, why: Why, error: OSError, shortest: float, detail: Any = None) -> float:
        """Put the job off for at least `shortest` seconds, longer each time; returns for how many.

        Raises the error when it is none of one file, and that of the probe when the disk cannot be written.
        """
        if not is_of_one_file(error):
            raise error
        now = self._clock.monotonic()
        self._probe(now)
        known = self._register.get(job_id, why)
        so_far = 0.0 if known is None else now - known.since
        pause = min(LONGEST_PAUSE, max(shortest, so_far))
        problem = f"{error.strerror or error}; {why.value}"
        self._register.put_off(job_id, why, now, pause, detail, problem)
        if known is None or known.problem != problem:
            self._reporter.report(KeptOff(job_id, problem))
        return pause

    def _probe(self, now: float) -> None:
        if now < self._disk_works_until:
            return
        at_fault = self._spool.can_write()
        if at_fault is not None:
            raise at_fault
        self._disk_works_until = now + PROBE_LASTS
