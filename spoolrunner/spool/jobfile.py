"""A job file as it is read: never through a link, never by waiting, never more than is allowed.

Owns the difference between a fault of the file and one of the machine. Knows neither states nor documents.
"""

from __future__ import annotations

import os
import stat
from typing import BinaryIO, NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.spool.arrival import came_at
from spoolrunner.system.heldfiles import open_file

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_OPENING_TELLS_THE_KIND = hasattr(os, "O_NOFOLLOW")
"""Not on Windows, which follows links and reports a folder as a file that may not be opened."""


class Stamp(NamedTuple):
    """What a file is like from outside; that changes whenever the file is written or replaced."""

    inode: int
    size: int
    mtime_ns: int


class Found(NamedTuple):
    """A job file as it was read: its bytes, and what it was like then."""

    data: bytes
    inode: int
    size: int
    mtime_ns: int
    came_at: float
    """When it came to its folder, in seconds since 1970; its mtime is the word of who wrote it."""

    @property
    def mtime(self) -> float:
        """Seconds since 1970."""
        return self.mtime_ns / 1e9

    @property
    def stamp(self) -> Stamp:
        """What it was when it was read."""
        return Stamp(self.inode, self.size, self.mtime_ns)


class NotRegularError(JobFormatError):
    """A thing in pending/ that is no file: there is no use in waiting for it to become one."""


class NotOpenedError(JobFormatError):
    """We may not open the file; the refusal of the system is the cause."""


def read(path: str) -> Found:
    """Return the bytes of the file at `path`; FileNotFoundError when it is gone, JobFormatError when it is no such file."""
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
        _refuse_all_but_files(status.st_mode)
        if status.st_size > jsontext.MAX_BYTES:
            raise JobFormatError(
                "", f"{status.st_size} bytes; a job document has at most {jsontext.MAX_PRODUCER_BYTES}"
            )
        data = jsontext.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)
    return Found(data, status.st_ino, status.st_size, status.st_mtime_ns, came_at(status))


def open_to_read(path: str) -> BinaryIO:
    """Open a file that may be long, which the caller closes; raises what `read` raises."""
    descriptor = _open(path)
    try:
        _refuse_all_but_files(os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _open(path: str) -> int:
    if not _OPENING_TELLS_THE_KIND:
        _refuse_all_but_files(os.stat(path, follow_symlinks=False).st_mode)
    try:
        return open_file(path, _READ_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        _blame_file(path, error)
        raise  # the fault of the machine, not of the file


def stamp(path: str) -> Stamp | None:
    """Return what the file at `path` is now, from outside; None when it is gone."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


def _blame_file(path: str, error: OSError) -> None:
    """Raise JobFormatError if it is the file itself that cannot be opened, by its kind or its permissions."""
    _refuse_all_but_files(os.stat(path, follow_symlinks=False).st_mode)
    if isinstance(error, PermissionError):
        raise NotOpenedError("", f"cannot be opened: {error.strerror}") from error


def _refuse_all_but_files(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularError("", f"{_kind(mode)}, not a file") from None


def _kind(mode: int) -> str:
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return names.get(stat.S_IFMT(mode), "a device")
