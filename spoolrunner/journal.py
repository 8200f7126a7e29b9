"""The two logs, background_jobs.log and background_jobs_errors.log, rotated by size.

Owns the files; their wording is in `events`. A log that cannot be written never stops the jobs: it is said once, on
standard error and in status.json.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler

from spoolrunner import events
from spoolrunner.events import Happening
from spoolrunner.layout import Layout

_KEEP = 5


class Journal:
    """Writes what happens to the logs of a spool; `max_bytes` is the size at which a log is rotated."""

    def __init__(self, layout: Layout, max_bytes: int) -> None:
        self.trouble = ""
        self._all = self._file(os.path.join(layout.logs, "background_jobs.log"), max_bytes)
        self._errors = self._file(os.path.join(layout.logs, "background_jobs_errors.log"), max_bytes)

    def write(self, event: Happening) -> None:
        """Add the event to the log and, if it is a failure, to the error log."""
        before, self.trouble = self.trouble, ""
        self._emit(self._all, events.line(event))
        if event.kind in events.FAILURES:
            self._emit(self._errors, events.block(event))
        if self.trouble and not before:
            print(f"spoolrunner: {self.trouble}; going on without: {events.line(event)}", file=sys.stderr)

    def close(self) -> None:
        """Close both files."""
        self._all.close()
        self._errors.close()

    def _file(self, path: str, max_bytes: int) -> RotatingFileHandler:
        return _LogFile(path, max_bytes, self._note_trouble)

    def _emit(self, file: RotatingFileHandler, text: str) -> None:
        file.handle(logging.LogRecord("spoolrunner", logging.INFO, "", 0, text, None, None))

    def _note_trouble(self, error: BaseException | None) -> None:
        self.trouble = f"the logs cannot be written: {error}"


class _LogFile(RotatingFileHandler):
    """A rotated file that tells `trouble` of an error instead of printing a traceback for each record."""

    def __init__(self, path: str, max_bytes: int, trouble: Callable[[BaseException | None], None]) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=_KEEP, encoding="utf-8", delay=True)
        self._trouble = trouble

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 -- the name and arguments of logging
        self._trouble(sys.exc_info()[1])
