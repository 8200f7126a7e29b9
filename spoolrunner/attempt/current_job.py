"""What a job may know of itself while it runs, by `spoolrunner.current_job()`.

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
    """What a job may know of itself, by `spoolrunner.current_job()`."""

    def __init__(self, layout: Layout, job_id: str, number: int, raw: dict[str, Any], deadline: float) -> None:
        self.id = job_id
        self.attempt = number
        self.meta: dict[str, Any] = raw.get("meta") or {}
        self._deadline = deadline
        self._layout = layout
        self._reported = 0.0
        self.saw_cancel = False
        """Whether the job has been told so."""

    @property
    def deadline(self) -> datetime:
        """When the attempt has used up its timeout."""
        return datetime.fromtimestamp(self._deadline, UTC)

    @property
    def cancel_requested(self) -> bool:
        """Whether a cancel was asked for. A job that saw it and returns counts as cancelled."""
        self.saw_cancel = self.saw_cancel or os.path.exists(self._layout.cancel(self.id))
        return self.saw_cancel

    def progress(self, fraction: float, text: str = "") -> None:
        """Tell how far the job is (0 to 1) and what it is doing, for `spoolrunner show`; at most ten times a second."""
        now = clock.SYSTEM.monotonic()
        if now - self._reported < 0.1 and fraction < 1:
            return
        self._reported = now
        clean = str(text)[:500].encode("utf-8", "backslashreplace").decode()
        said = {"fraction": min(1.0, max(0.0, float(fraction))), "text": clean}
        try:
            with open(self._layout.progress(self.id), "wb") as stream:
                stream.write(orjson.dumps(said))
        except OSError as error:
            print(f"spoolrunner: progress could not be told: {error}", file=sys.stderr)  # no reason for the job to fail

    def forget_progress(self) -> None:
        """What was told is over with the attempt."""
        if self._reported:
            durable.unlink(self._layout.progress(self.id))


_current: CurrentJob | None = None


def current_job() -> CurrentJob | None:
    """The job this process runs, or None when it runs none."""
    return _current


def set_current_job(job: CurrentJob | None) -> None:
    """From now on this process runs that job."""
    global _current  # noqa: PLW0603 -- one job a process
    _current = job
