"""Locks and markers: a lock shows that a job's process lives, a marker which attempt it has begun.

A job's lock is one of the operating system, on `locks/ID.lock`: flock of the file or, on Windows, a lock of byte 0; the same
that filelock takes. It is never unlocked, only given up by closing, so that no copy of the descriptor can free it for all.
Markers are lines that are appended to the same file from byte 1 on, each with a single write; a torn one harms no other,
because each begins with a line break of its own. Knows nothing of documents. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import orjson

from spoolrunner.system.heldfiles import open_file

# The same locks that filelock takes, without the 50 ms that its import would cost each job.
if sys.platform == "win32":
    import errno
    import msvcrt

    _HELD = (errno.EACCES, errno.EDEADLK, 0)  # wine gives 0

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in _HELD:
                raise
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


START, CLAIM = "start", "claim"
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_POLL = 0.01


@dataclass(slots=True)
class Marker:
    """A line in the lock file: attempt `attempt` is about to be made of the file with this inode.

    A START marker names the process of the attempt and when it began: `started_at` by the wall clock, as RFC 3339, and `began`
    by the monotonic clock. A CLAIM marker (pid 0) says that the job was claimed after a retry by hand, so that the last verdict
    in its document must not be obeyed.
    """

    kind: str
    attempt: int
    inode: int
    pid: int = 0
    process_started: str = ""
    started_at: str = ""
    began: float = 0.0

    def fits(self, attempts: int, inode: int) -> bool:
        """Return whether the marker is about the next attempt of a document with `attempts` attempts, in a file with `inode`.

        A rename keeps the inode and a record changes it, so a marker that fits shows that no record was made since.
        """
        return self.attempt == attempts + 1 and self.inode == inode


class JobLock:
    """A lock that this process holds, and the markers in its file."""

    __slots__ = ("_file", "_is_new", "_remove_at_close", "descriptor", "path")

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.descriptor = descriptor
        self._file = status.st_dev, status.st_ino
        self._is_new = status.st_size == 0
        self._remove_at_close = False

    def marker(self) -> Marker | None:
        """Return the last complete marker in the file, or None."""
        return None if self._is_new else _last_marker(self.descriptor)

    def append(self, marker: Marker) -> None:
        """Append a marker with a single write; OSError when only a part of it was written."""
        line = b"\n" + orjson.dumps(marker) + b"\n"
        self._is_new = False
        written = os.write(self.descriptor, line)
        if written != len(line):
            raise OSError(28, "the marker was written in part only", self.path)

    def remove(self) -> None:
        """Remove the file while we hold the lock; a process that opened it meanwhile notices by the inode (see `acquire`)."""
        if sys.platform == "win32":
            self._remove_at_close = True  # an open file cannot be removed there
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return

    def is_in_place(self) -> bool:
        """Return whether the file at the path is still the one that we locked. If it was removed, the lock guards nothing."""
        return self._file == _identity(self.path)

    def close(self) -> None:
        """Give up the lock. An error of closing is ignored: the descriptor is gone all the same, and the lock is free."""
        with suppress(OSError):
            os.close(self.descriptor)
        if self._remove_at_close:
            try:
                os.unlink(
                    self.path
                )  # refused if another process has opened it meanwhile: then the lock belongs to that one
            except (FileNotFoundError, PermissionError):
                return  # the hourly sweep removes it

    def close_if_ours(self) -> None:
        """Close the copy of the descriptor in a forked child, unless the job closed it and its number means another file."""
        if _is_open_on(self.descriptor, self._file):
            os.close(self.descriptor)


def acquire(path: str, patience: float = 0.0, try_lock: Callable[[int], bool] | None = None) -> JobLock | None:
    """Take the lock at `path`, trying for `patience` seconds; return None when another process still holds it then.

    `try_lock`, if given, takes the lock on a descriptor in place of our own function; it returns False when another process
    holds it.
    """
    try_lock = try_lock or _try_lock
    deadline = None
    while True:
        descriptor = open_file(path, _FLAGS | os.O_CREAT)
        try:
            locked = try_lock(descriptor)
            # Race: the last holder may have removed the file between our open and our lock: then we locked no name.
            if locked and (lock := _guarding(path, descriptor)) is not None:
                return lock
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if not locked:
            now = time.monotonic()
            deadline = now + patience if deadline is None else deadline
            if now >= deadline:
                return None
            time.sleep(_POLL)


def peek(path: str) -> Marker | None:
    """Return the last complete marker at `path`, or None. It is read without the lock: show it, but decide nothing by it."""
    try:
        descriptor = open_file(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    try:
        return _last_marker(descriptor)
    finally:
        os.close(descriptor)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _guarding(path: str, descriptor: int) -> JobLock | None:
    status = os.fstat(descriptor)
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    same = status.st_ino == there.st_ino and status.st_dev == there.st_dev
    return JobLock(path, descriptor, status) if same else None


def _is_open_on(descriptor: int, file: tuple[int, int]) -> bool:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False  # closed
    return (status.st_dev, status.st_ino) == file


def _last_marker(descriptor: int) -> Marker | None:
    os.lseek(descriptor, 1, os.SEEK_SET)
    data = b""
    while chunk := os.read(descriptor, 65536):
        data += chunk
    lines = data.split(b"\n")
    for line in reversed(lines[:-1]):  # what follows the last line break was never finished
        if line:
            try:
                return Marker(**orjson.loads(line))
            except (orjson.JSONDecodeError, TypeError):
                continue  # torn by a power cut
    return None
