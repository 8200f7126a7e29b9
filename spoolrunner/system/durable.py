"""Changes of files that reach the disk whole or not at all; the only caller of rename, link and fsync.

Owns the order write, fsync, rename, fsync of the folder, and the refusal to overwrite. Knows nothing of jobs. A failed
fsync is never tried again on the same file: the kernel may have dropped the data and still report success the second
time (https://lwn.net/Articles/752063/). Each failure raises OSError and leaves no staged file behind.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache

from spoolrunner.system import renames
from spoolrunner.system.heldfiles import open_file, open_plain, patiently
from spoolrunner.system.owners import hand_over

PRIVATE = 0o600
MANY = 8
"""From this number of files on, one sync of the file system is cheaper than a sync of each file."""
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_unchecked: set[str] = set()


def write_new(path: str, data: bytes, fsync: bool, mode: int = PRIVATE) -> None:
    """Write a new file, and sync it if `fsync`; FileExistsError when there is a file at `path`."""
    descriptor = _write(path, data, mode)
    try:
        try:
            if fsync:
                _sync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        unlink(path)
        raise


def _write(path: str, data: bytes, mode: int = PRIVATE) -> int:
    """Write a new file and return its open descriptor; what cannot be written leaves no file behind."""
    descriptor = open_file(path, _NEW, PRIVATE)
    try:
        hand_over(descriptor, os.path.dirname(path))
        if mode != PRIVATE and sys.platform != "win32":
            os.fchmod(descriptor, mode)  # os.open lets the umask of this process take bits away
        left = data
        while left:
            left = left[os.write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        unlink(path)
        raise
    return descriptor


def mode_in(folder: str) -> int:
    """Return the mode for a new file in `folder`.

    The file is private, unless the folder belongs to another user and its group may write into it: the owner of the folder
    then reads the file by way of the group.
    """
    if sys.platform == "win32":
        return PRIVATE
    status = os.stat(folder)
    is_a_guest = status.st_mode & stat.S_IWGRP and status.st_uid != os.geteuid()
    return PRIVATE | stat.S_IRGRP if is_a_guest else PRIVATE


def replace_content(staged: str, path: str, data: bytes, fsync: bool, mode: int = PRIVATE) -> None:
    """Make `data` the whole content of `path`, if there is a file or not; `staged` is a free path on the same file system."""
    for error in replace_many([(staged, path, data)], fsync, mode):
        if error is not None:
            raise error


def replace_many(files: Sequence[tuple[str, str, bytes]], fsync: bool, mode: int = PRIVATE) -> list[OSError | None]:
    """Give many files a whole new content, each given as (staged, path, data); all paths are in one folder.

    All are written, then all synced, then all renamed, then the folder is synced once: a journal has less to do than for one
    after the other. Returns the error of each, None for those that are in place; OSError when the folder cannot be synced.
    """
    errors: list[OSError | None] = [None] * len(files)
    opened: dict[int, int] = {}
    try:
        for index, (staged, _, data) in enumerate(files):
            try:
                opened[index] = _write(staged, data, mode)
            except OSError as error:
                errors[index] = error
        for index, descriptor in opened.items() if fsync else ():
            try:
                _sync(descriptor)
            except OSError as error:
                errors[index] = error
    finally:
        for index, descriptor in opened.items():
            try:
                os.close(descriptor)
            except OSError as error:
                errors[index] = errors[index] or error
    for index, (staged, path, _) in enumerate(files):
        if errors[index] is None:
            try:
                patiently(os.replace, staged, path)
            except OSError as error:
                errors[index] = error
        if errors[index] is not None and index in opened:
            unlink(staged)
    if fsync and None in errors:
        sync_folder(os.path.dirname(files[0][1]))
    return errors


def make_folder_as_before(path: str, mode: int, group: int) -> None:
    """Make a folder with the mode and the group that it had; OSError when it is there already."""
    os.mkdir(path, 0o700)
    if sys.platform == "win32":
        return
    if os.stat(path).st_gid != group:
        os.chown(path, -1, group)
    os.chmod(path, stat.S_IMODE(mode))


def publish(staged: str, path: str, data: bytes, fsync: bool, mode: int = PRIVATE) -> None:
    """Make a new file appear whole at `path`, written at `staged` before; FileExistsError if there is one at `path`."""
    write_new(staged, data, fsync, mode)
    try:
        rename(staged, path)
    except BaseException:
        unlink(staged)
        raise
    if fsync:
        sync_folder(os.path.dirname(path))


def publish_many(files: Sequence[tuple[str, str, bytes]], fsync: bool, mode: int = PRIVATE) -> None:
    """Make many new files appear whole, each given as (staged, path, data); all have the same two folders.

    All are written before the first appears. FileExistsError if there is a file at a path: those before it have appeared.
    """
    if not files:
        return
    folder = os.path.dirname(files[0][0])
    at_once = fsync and len(files) >= MANY and _sync_file_system() is not None and os.access(folder, os.R_OK)
    left: dict[str, None] = {}
    try:
        with _synced(folder) if at_once else nullcontext():
            for staged, _, data in files:
                write_new(staged, data, fsync and not at_once, mode)
                left[staged] = None
        for staged, path, _ in files:
            rename(staged, path)
            del left[staged]
    finally:
        for staged in left:
            unlink(staged)
        if fsync and len(left) < len(files):
            sync_folder(os.path.dirname(files[0][1]))


@contextmanager
def _synced(folder: str) -> Iterator[None]:
    """Sync the whole file system of `folder` once at the end of the block, with all that was written in it.

    The folder is opened first: syncfs reports the errors of writes that were made while it was open (Linux 5.8).
    """
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        yield
        sync = _sync_file_system()
        if sync is not None:
            sync(descriptor)
    finally:
        os.close(descriptor)


def write_link(path: str, text: bytes) -> None:
    """Make `path` a link that holds the text, in place of what is there: not a file, so that no limit of sizes counts.

    OSError when the text is too long, or the system makes no such links. It is not synced.
    """
    try:
        os.symlink(text, os.fsencode(path))
    except FileExistsError:
        os.unlink(path)
        os.symlink(text, os.fsencode(path))


def unlink(path: str) -> bool:
    """Remove a file; return False if there was none."""
    try:
        patiently(os.unlink, path)
    except FileNotFoundError:
        return False
    return True


def sync(path: str) -> None:
    """Make the content of a file durable that another program has written, or this one."""
    descriptor = open_plain(path, os.O_RDWR)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable. Windows has no such call: NTFS keeps a journal of names."""
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        os.sync()  # we may write but not list the folder, so it cannot be opened: all file systems are synced
        return
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
    # An XFS that has shut itself down, as after an error of its log, reports success for the sync of a folder, but refuses
    # to open one: if it opens now, the sync was real.
    os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))


def unchecked_folders() -> set[str]:
    """Return the folders whose file system has no exclusive rename, so that only a check just before guards the target."""
    return set(_unchecked)


def rename(source: str, target: str) -> None:
    """Rename a file, atomically where the system offers that; FileExistsError if there is a file at `target`."""
    if sys.platform == "win32":
        patiently(os.rename, source, target)
        return
    try:
        patiently(_exclusive_rename(), source, target)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _rename_checked(source, target)


def exchange(one: str, other: str) -> None:
    """Exchange two files under their names in one step; FileNotFoundError when one of them is not there.

    NotImplementedError where the system, or the file system, has no such call.
    """
    if sys.platform == "win32":
        raise NotImplementedError("Windows cannot exchange two files in one step")
    try:
        patiently(_exchange(), one, other)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        raise NotImplementedError("this file system cannot exchange two files in one step") from None


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        # fsync(2) of macOS leaves the data in the drive's cache; this writes that too, where the file system can.
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in (*_UNSUPPORTED, errno.ENOTTY):
                raise
        else:
            return
    os.fsync(descriptor)


def _rename_checked(source: str, target: str) -> None:
    # Race: another program may make the target between this test and the rename. Nothing better exists on this system.
    _unchecked.add(os.path.dirname(target))
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), source, None, target)
    os.rename(source, target)


_exclusive: Callable[[str, str], None] | None = None


def _exclusive_rename() -> Callable[[str, str], None]:
    global _exclusive  # noqa: PLW0603 -- loaded once a process, on first use
    if _exclusive is None:
        _exclusive = renames.loaded(renames.NO_REPLACE)
    return _exclusive


@cache
def _exchange() -> Callable[[str, str], None]:
    return renames.loaded(renames.EXCHANGE)


@cache
def _sync_file_system() -> Callable[[int], None] | None:
    """Return syncfs of Linux, which takes a descriptor; None where it is missing or does not report errors of writes."""
    if sys.platform != "linux" or tuple(map(int, re.findall(r"[0-9]+", os.uname().release)[:2])) < (5, 8):
        return None
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def sync(descriptor: int) -> None:
        if libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return sync
