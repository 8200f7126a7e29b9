"""The two logs, background_jobs.log and background_jobs_errors.log, rotated by size.

Owns the files; the words are in `events`. A log that cannot be written never stops the jobs: that is printed once, on standard
error, and stands in status.json.
"""

from __future__ import annotations

import errno
import os
import sys
from logging.handlers import RotatingFileHandler

from spoolrunner.spool.paths import Layout
from spoolrunner.system.heldfiles import open_file
from spoolrunner.telling import line_format
from spoolrunner.telling.events import Event

_KEEP = 5
_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


class LogFiles:
    """A listener that writes the logs of a spool; `max_bytes` is the size at which a log is rotated.

    `trouble` says why the last event could not be written; it is empty when it could.
    """

    def __init__(self, layout: Layout, max_bytes: int) -> None:
        self.trouble = ""
        self._all = _LogFile(os.path.join(layout.logs, "background_jobs.log"), max_bytes)
        self._errors = _LogFile(os.path.join(layout.logs, "background_jobs_errors.log"), max_bytes)

    def __call__(self, event: Event, at: float) -> None:
        """Add the event to the log and, if it is a failure, to the error log."""
        before, self.trouble = self.trouble, ""
        entry = event.entry(at)
        line = line_format.line(entry)
        self._add(self._all, line)
        if entry.kind in line_format.FAILURES:
            self._add(self._errors, line_format.block(entry))
        if self.trouble and not before:
            print(f"spoolrunner: {self.trouble}; going on without: {line}", file=sys.stderr)

    def close(self) -> None:
        """Close both files."""
        self._all.close()
        self._errors.close()

    def _add(self, file: _LogFile, text: str) -> None:
        try:
            file.add(text)
        except OSError as error:
            self.trouble = f"the logs cannot be written: {error}"


class _LogFile:
    """A file that lines are appended to, and that is rotated before it would outgrow `max_bytes`."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._rotation = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=_KEEP, delay=True)
        self._descriptor: int | None = None
        self._size = 0

    def add(self, text: str) -> None:
        """Append a line; OSError when it cannot be written."""
        data = f"{text}\n".encode()
        descriptor = self._open()
        if self._size and self._size + len(data) > self._max_bytes:
            self.close()
            self._rotation.doRollover()
            descriptor = self._open()
        written = os.write(descriptor, data)
        if written != len(data):
            os.ftruncate(descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        self._size += written

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = open_file(self._path, _FLAGS)
            self._size = os.fstat(self._descriptor).st_size
        return self._descriptor

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
