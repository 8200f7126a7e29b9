"""The two logs, background_jobs.log and background_jobs_errors.log, rotated by size.

Owns the files; the words are in `events`. A log that cannot be written never stops the jobs: that is printed once, on standard
error, and stands in status.json. A log that was moved or removed, as logrotate does, is made anew.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from logging.handlers import RotatingFileHandler

from spoolrunner.spool.paths import Layout
from spoolrunner.system.heldfiles import open_file
from spoolrunner.telling import line_format
from spoolrunner.telling.events import Event
from spoolrunner.telling.outlet import Outlet

ALL = "background_jobs.log"
"""The name of the log of all events."""
_KEEP = 5
_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""A named pipe in the place of a log, which nobody reads, is an error and nothing to wait for."""


class LogFiles:
    """A listener that writes the logs of a spool; `max_bytes` is the size at which a log is rotated.

    `trouble` says why the last event could not be written; it is empty when it could.
    """

    def __init__(self, layout: Layout, max_bytes: int) -> None:
        self.trouble = ""
        self._layout = layout
        self._outlet: Outlet | None = None
        self._all = _LogFile(os.path.join(layout.logs, ALL), max_bytes)
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
            self._outlet = self._outlet or Outlet(sys.stderr)
            self._outlet.put(line_format.printable(f"spoolrunner: {self.trouble}; going on without: {line}"))

    def limit_to(self, max_bytes: int) -> None:
        """Rotate at that size from now on."""
        for file in (self._all, self._errors):
            file.limit_to(max_bytes)

    def close(self) -> None:
        """Close both files; the next event opens them anew."""
        self._all.close()
        self._errors.close()
        if self._outlet is not None:
            self._outlet.close()

    def _add(self, file: _LogFile, text: str) -> None:
        try:
            try:
                file.add(text)
            except FileNotFoundError:
                self._make_folder()
                file.add(text)
        except OSError as error:
            self.trouble = f"the logs cannot be written: {error}"
            return
        if file.problem:
            self.trouble = file.problem

    def _make_folder(self) -> None:
        """Make logs/ again if it alone was removed: where there is no dispatcher.lock the spool itself is gone."""
        os.lstat(self._layout.dispatcher_lock)
        with suppress(FileExistsError):
            os.mkdir(self._layout.logs, 0o700)


def add_line(layout: Layout, event: Event, at: float) -> None:
    """Add an event to the log of a spool from another process than its dispatcher, which alone rotates the files.

    OSError when that cannot be done.
    """
    data = f"{line_format.line(event.entry(at))}\n".encode()
    path = os.path.join(layout.logs, ALL)
    descriptor = open_file(path, _FLAGS)
    try:
        if os.write(descriptor, data) != len(data):  # the system adds it in one piece, wherever the end is by then
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(descriptor)


class _LogFile:
    """A file that lines are appended to, and that is rotated before it would outgrow `max_bytes`."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self.problem = ""
        """Why the file was not rotated when it was to be; it is written on then."""
        self._path = path
        self._max_bytes = max_bytes
        self._rotate_at = max_bytes
        self._rotation = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=_KEEP, delay=True)
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._size = 0

    def limit_to(self, max_bytes: int) -> None:
        """Rotate it at that size from now on."""
        self._max_bytes = self._rotate_at = self._rotation.maxBytes = max_bytes

    def add(self, text: str) -> None:
        """Append a line; OSError when it cannot be written."""
        data = f"{text}\n".encode()
        descriptor = self._open()
        if self._size and self._size + len(data) > self._rotate_at:
            self._rotate()
            descriptor = self._open()
        written = os.write(descriptor, data)
        if written != len(data):
            os.ftruncate(descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        self._size += written

    def _rotate(self) -> None:
        self.close()
        self.problem, self._rotate_at = "", self._max_bytes
        try:
            self._rotation.doRollover()
        except OSError as error:
            # Each try moves the old logs by one number: not again before as much was written once more.
            self._rotate_at = self._size + self._max_bytes
            self.problem = f"the logs cannot be rotated: {error}"

    def _open(self) -> int:
        if self._descriptor is not None and not self._is_in_place():
            self.close()
        if self._descriptor is None:
            self._descriptor = open_file(self._path, _FLAGS)
            status = os.fstat(self._descriptor)
            self._identity, self._size = (status.st_dev, status.st_ino), status.st_size
        return self._descriptor

    def _is_in_place(self) -> bool:
        """Whether the open file is still the one at the path; its size is looked at too, since others may cut it."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # that cannot be known; what is open can be written
        self._size = status.st_size
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
