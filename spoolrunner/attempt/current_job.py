"""What a job can learn of itself while it runs, and report of its progress: `spoolrunner.current_job()`.

Owns the file of its progress. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.spool.lock_lines import quoted
from spoolrunner.system import clock
from spoolrunner.system.heldfiles import open_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from spoolrunner.attempt.assignment import Assignment
    from spoolrunner.spool.paths import Layout


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class CurrentJob:
    """The job that runs in this process: its id, attempt, names, meta, deadline; progress to report; cancels to notice."""

    def __init__(
        self, layout: Layout, job_id: str, number: int, meta: dict[str, Any] | None, ends: tuple[float, float]
    ) -> None:
        self.id = job_id
        self.attempt = number
        self.meta = meta or {}
        self.job = self.method = ""
        """What it calls, as in its file."""
        self._layout = layout
        self._reported = 0.0
        self.ends = ends
        """When its time is over: by the wall clock, and monotonic."""
        self.saw_cancel = False
        """Whether the job has asked, and the answer was yes."""

    @property
    def deadline(self) -> datetime:
        """When the timeout of the attempt is over, in UTC."""
        from datetime import UTC, datetime  # paid by jobs that ask

        return datetime.fromtimestamp(self.ends[0], UTC)

    @property
    def was_to_end(self) -> str | None:
        """What a failure now is due to: the outcome if a cancel was asked for or the deadline has passed, else None."""
        if self.cancel_requested:
            return "cancelled"
        return "timed_out" if clock.SYSTEM.monotonic() >= self.ends[1] else None

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked to cancel the job. A job that has read True here, and returns, counts as cancelled."""
        self.saw_cancel = self.saw_cancel or os.path.exists(self._layout.cancel(self.id))
        return self.saw_cancel

    def progress(self, fraction: float, text: str = "") -> None:
        """Report how far the job is (0 to 1) and what it is doing, for `spoolrunner show`; at most ten times a second."""
        now = clock.SYSTEM.monotonic()
        if now - self._reported < 0.1 and fraction < 1:
            return
        self._reported = now
        share = min(1.0, max(0.0, float(fraction)))
        report = f'{{"fraction":{share!r},"text":{quoted(str(text)[:500])}}}'
        try:
            descriptor = open_plain(self._layout.progress(self.id), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o600)  # whatever the umask of the job makes of that
                os.write(descriptor, report.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            print(
                f"spoolrunner: progress could not be written: {error}", file=sys.stderr
            )  # no reason for the job to fail

    @property
    def has_reported(self) -> bool:
        """Whether there is a file of its progress, which is to be removed when the attempt is recorded."""
        return self._reported > 0


_current: CurrentJob | None = None
_told: tuple[Layout, Assignment, float] | None = None
"""What `job_runs` was told: most jobs never ask for more."""


def current_job() -> CurrentJob | None:
    """The job this process runs, or None when it runs none."""
    global _current  # noqa: PLW0603 -- one job a process
    if _current is None and _told is not None:
        layout, told, end = _told
        wall_end = clock.SYSTEM.wall() + end - clock.SYSTEM.monotonic()
        _current = CurrentJob(layout, told.job_id, told.number, told.meta, (wall_end, end))
        _current.job, _current.method = told.job, told.method
    return _current


def set_current_job(job: CurrentJob | None) -> None:
    """Make `job` the one that `current_job` returns; None for no job."""
    global _current, _told
    _current, _told = job, None


def job_runs(layout: Layout, told: Assignment, end: float) -> None:
    """From now on this process makes that attempt, and has time for it until `end` (monotonic)."""
    global _current, _told
    _current, _told = None, (layout, told, end)


def ends_at(end: float) -> None:
    """The job that runs has time until `end` (monotonic)."""
    global _told  # noqa: PLW0603 -- one job a process
    if _told is not None:
        _told = (*_told[:2], end)
    if _current is not None:
        _current.ends = clock.SYSTEM.wall() + end - clock.SYSTEM.monotonic(), end


def asked_job() -> CurrentJob | None:
    """The job that runs, if it has asked for itself; None for the others, of which there is nothing to know."""
    return _current
