"""What a job can learn of itself while it runs, and report of its progress: `spoolrunner.current_job()`.

Owns the file of its progress. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, durable


class CurrentJob:
    """The job that runs in this process: its id, attempt, meta, deadline; progress to report; cancels to notice."""

    def __init__(self, layout: Layout, job_id: str, number: int, raw: dict[str, Any], deadline: float) -> None:
        self.id = job_id
        self.attempt = number
        self.meta: dict[str, Any] = raw.get("meta") or {}
        self._deadline = deadline
        self._layout = layout
        self._reported = 0.0
        self.saw_cancel = False
        """Whether the job has asked, and the answer was yes."""

    @property
    def deadline(self) -> datetime:
        """When the timeout of the attempt is over, in UTC."""
        return datetime.fromtimestamp(self._deadline, UTC)

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
        clean = str(text)[:500].encode("utf-8", "backslashreplace").decode()
        report = {"fraction": min(1.0, max(0.0, float(fraction))), "text": clean}
        try:
            with open(self._layout.progress(self.id), "wb") as stream:
                stream.write(orjson.dumps(report))
        except OSError as error:
            print(
                f"spoolrunner: progress could not be written: {error}", file=sys.stderr
            )  # no reason for the job to fail

    def forget_progress(self) -> None:
        """Remove the file of the progress, if there is one: it ends with the attempt."""
        if self._reported:
            durable.unlink(self._layout.progress(self.id))


_current: CurrentJob | None = None


def current_job() -> CurrentJob | None:
    """The job this process runs, or None when it runs none."""
    return _current


def set_current_job(job: CurrentJob | None) -> None:
    """Make `job` the one that `current_job` returns; None for no job."""
    global _current  # noqa: PLW0603 -- one job a process
    _current = job
