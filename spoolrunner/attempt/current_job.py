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
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from spoolrunner.attempt.assignment import Assignment
    from spoolrunner.attempt.settings import Settings
    from spoolrunner.attempt.steps import Steps
    from spoolrunner.spool.paths import Layout


class CurrentJob:
    """The job that runs in this process: id, attempt, names, meta, deadline; steps, progress to report, cancels to notice."""

    def __init__(self, settings: Settings, layout: Layout, told: Assignment, ends: tuple[float, float]) -> None:
        self.id = told.job_id
        self.attempt = told.number
        self.job, self.method = told.job, told.method
        """What it calls, as in its file."""
        self.meta = told.meta or {}
        self._settings = settings
        self._layout = layout
        self._told = told
        self._steps: Steps | None = None
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
        self.saw_cancel = self.saw_cancel or _is_asked(self._layout.cancel(self.id))
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

    def step(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a part of the job that the next attempt does not make again: call, keep what that returns, and return it.

        What an earlier attempt has kept under that name is returned without a call. The value must be JSON of at most 64 KiB,
        and comes back as JSON gives it; a step that raises, or whose value cannot be kept, does not count. A name is used once
        in an attempt. StepError says what is wrong; OSError when the steps cannot be read or begun.
        """
        if _is_forked:
            from spoolrunner.errors import StepError

            raise StepError(f"step {name!r}: only the process of the job makes steps, not one that it forked")
        if self._steps is None:
            from spoolrunner.attempt.steps import Steps  # paid by jobs that make steps

            self._steps = Steps(self._layout, self._told, fsync=self._settings.fsync)
        return self._steps.make(name, call, args, kwargs)

    @property
    def left_files(self) -> dict[str, str]:
        """The files that it has left for who records the attempt, as fields of an outcome line."""
        left = {"progress": self._reported > 0, "steps": self._steps is not None}
        return {name: "true" for name, is_there in left.items() if is_there}


def _is_asked(path: str) -> bool:
    """Whether a request lies at that path, as `requests` sees it: whatever it is, but no folder."""
    try:
        return os.lstat(path).st_mode & 0o170000 != 0o040000
    except OSError:
        return False


_is_forked = False
"""Whether this process was forked by the one that makes the attempt, and is no part of it."""
_current: CurrentJob | None = None
_told: tuple[Settings, Layout, Assignment, float] | None = None
"""What `job_runs` was told: most jobs never ask for more."""


def current_job() -> CurrentJob | None:
    """The job this process runs, or None when it runs none."""
    global _current  # noqa: PLW0603 -- one job a process
    if _current is None and _told is not None:
        settings, layout, told, end = _told
        wall_end = clock.SYSTEM.wall() + end - clock.SYSTEM.monotonic()
        _current = CurrentJob(settings, layout, told, (wall_end, end))
    return _current


def set_current_job(job: CurrentJob | None) -> None:
    """Make `job` the one that `current_job` returns; None for no job."""
    global _current, _told
    _current, _told = job, None


def job_runs(settings: Settings, layout: Layout, told: Assignment, end: float) -> None:
    """From now on this process makes that attempt, and has time for it until `end` (monotonic)."""
    global _current, _told
    _current, _told = None, (settings, layout, told, end)


def was_forked() -> None:
    """This process is a child of the one that makes the attempt."""
    global _is_forked  # noqa: PLW0603 -- a child stays one
    _is_forked = True


def ends_at(end: float) -> None:
    """The job that runs has time until `end` (monotonic)."""
    global _told  # noqa: PLW0603 -- one job a process
    if _told is not None:
        _told = (*_told[:3], end)
    if _current is not None:
        _current.ends = clock.SYSTEM.wall() + end - clock.SYSTEM.monotonic(), end


def asked_job() -> CurrentJob | None:
    """The job that runs, if it has asked for itself; None for the others, of which there is nothing to know."""
    return _current
