"""The lock of a job, which shows that its process lives, and the file of it, to which lines are appended.

The lock is one of the operating system, on `locks/ID.lock`: flock of the file or, on Windows, a lock of byte 0; the same
that filelock takes. It is never unlocked, only given up by closing, so that no copy of the descriptor can free it for all.
What the lines say, which stand in the same file from byte 1 on, is for `lock_lines` and `traces`. Light: every job's process
imports it.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from spoolrunner.system.heldfiles import check_plain, open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The same locks that filelock takes, without the 50 ms that its import would cost each job.
if sys.platform == "win32":
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

    try_shared = _try_lock
else:
    import fcntl

    def try_shared(descriptor: int) -> bool:
        """Lock an open file together with all others that do so; return False when a process has it for itself."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


_FLAGS = (
    os.O_RDWR
    | os.O_APPEND
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | os.O_CREAT
)
_POLL = 0.01


class JobLock:
    """A lock that this process holds, and the lines in its file. `is_new`: the file was empty, and nothing was appended."""

    __slots__ = ("_file", "_remove_at_close", "descriptor", "is_new", "path")

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.descriptor = descriptor
        self._file = status.st_dev, status.st_ino
        self.is_new = status.st_size == 0
        self._remove_at_close = False

    def read(self) -> bytes:
        """Return the lines in the file, which end with a line break unless the last one was torn."""
        return read_lines(self.descriptor)

    def append(self, line: bytes) -> None:
        """Append a line with a single write; OSError when only a part of it was written."""
        self.is_new = False
        written = os.write(self.descriptor, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, "the line was written in part only", self.path)

    def append_in_place(self, line: bytes) -> bool:
        """Append a line as `append` does; False when our descriptor is closed, or the file at the path is another by now."""
        try:
            status = os.fstat(self.descriptor)
            there = os.stat(self.path, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOENT):
                raise  # the lock may still be ours, and nobody could take it at the path
            return False
        if (status.st_dev, status.st_ino) != self._file or (there.st_dev, there.st_ino) != self._file:
            return False
        self.append(line)
        return True

    def append_unless_removed(self, line: bytes) -> bool:
        """Append a line as `append` does, wherever our file lies now; False when it was removed or our descriptor is closed."""
        try:
            status = os.fstat(self.descriptor)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            return False
        if (status.st_dev, status.st_ino) != self._file or status.st_nlink == 0:
            return False
        self.append(line)
        return True

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
        try:
            os.close(self.descriptor)
        except OSError:
            return  # the job closed it itself
        if self._remove_at_close:
            try:
                os.unlink(
                    self.path
                )  # refused if another process has opened it meanwhile: then the lock belongs to that one
            except (FileNotFoundError, PermissionError):
                return  # the hourly sweep removes it

    def is_at(self, descriptor: int) -> bool:
        """Return whether that descriptor is ours, and still open on our file."""
        try:
            return self.descriptor == descriptor and os.fstat(descriptor).st_ino == self._file[1]
        except OSError:
            return False  # closed

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
        descriptor = open_file(path, _FLAGS)
        try:
            locked = try_lock(descriptor)
            # Race: the last holder may have removed the file between our open and our lock: then we locked no name.
            if locked:
                status = os.fstat(descriptor)
                check_plain(path, status)
                there = os.stat(path, follow_symlinks=False)
                if status.st_ino == there.st_ino and status.st_dev == there.st_dev:
                    return JobLock(path, descriptor, status)
        except FileNotFoundError:
            pass
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


def opened(path: str) -> JobLock:
    """Open the file of a lock, or make it, without taking the lock: for a process whose own lines stand there."""
    descriptor = open_file(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        check_plain(path, status)
    except BaseException:
        os.close(descriptor)
        raise
    return JobLock(path, descriptor, status)


def read_lines(descriptor: int) -> bytes:
    """Return the lines in an open lock file: all but the byte that is locked on Windows."""
    size = max(os.fstat(descriptor).st_size - 1, 0)
    os.lseek(descriptor, 1, os.SEEK_SET)
    data = os.read(descriptor, size + 1)
    while len(data) != size and (chunk := os.read(descriptor, 65536)):  # cut short, or the file has grown since
        data += chunk
    return data


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _is_open_on(descriptor: int, file: tuple[int, int]) -> bool:
    try:
        status = os.fstat(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        return False  # closed
    return (status.st_dev, status.st_ino) == file
