"""Calls that Windows refuses while another program has the file open: an antivirus, an editor, an indexer.

Such a call is tried again for about two seconds, since most programs close the file within milliseconds. After that it raises
HeldError, which is an OSError, so most callers need not know it. Light: every job's process imports it.
"""

from __future__ import annotations

import errno
import os
import sys

from spoolrunner.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATIENCE = 2.0
"""Seconds for which a call is tried again while another program has the file open."""
LONGEST_PAUSE = 60.0
"""Seconds; the most that `next_pause` returns."""
_PAUSE = 0.02
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KIND, _PLAIN_KIND = 0o170000, 0o100000
"""S_IFMT and S_IFREG of the module stat."""
_NO_PLAIN_FILE = (errno.ENOENT, errno.ELOOP, errno.EMLINK, errno.EINVAL, errno.ENXIO, errno.EISDIR)
"""What the systems answer for no file, a link (EMLINK on BSD), something else, a socket, and a folder."""
_VIOLATIONS = (5, 32, 33)  # access denied, sharing violation, lock violation: winerror.h


class HeldError(PermissionError):
    """Another program had the file open for all of PATIENCE."""


def next_pause(seconds_held: float, shortest: float) -> float:
    """Return the seconds to wait before the next try at a file that another program has open: as long as that has lasted.

    `seconds_held` is how long it has lasted; the answer is not less than `shortest`, nor more than LONGEST_PAUSE.
    """
    return min(LONGEST_PAUSE, max(shortest, seconds_held))


def patiently(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the call returns, trying again while another program has the file open; HeldError after PATIENCE."""
    deadline = None
    while True:
        try:
            return call(*arguments)
        except OSError as error:
            if not is_violation(error):
                raise
            now = clock.SYSTEM.monotonic()
            deadline = deadline or now + PATIENCE
            if now >= deadline:
                what = f"{error.strerror}; another program has it open"
                raise HeldError(error.errno, what, error.filename, None, error.filename2) from error
            clock.SYSTEM.sleep(_PAUSE)


def open_file(path: str, flags: int, mode: int = 0o600) -> int:
    """Open a file as `os.open` does, and return the descriptor; try again as `patiently` does."""
    try:
        return os.open(path, flags, mode)
    except OSError as error:
        if not is_violation(error):
            raise
    descriptor: int = patiently(os.open, path, flags, mode)
    return descriptor


def open_plain(path: str, flags: int, mode: int = 0o600) -> int:
    """Open a plain file as `open_file` does, where others may put something else at its name: never a link, pipe or device.

    It neither follows a link nor waits for the other end of a pipe; OSError when there is anything but a plain file.
    """
    if sys.platform == "win32" and os.path.islink(path):
        raise OSError(errno.ELOOP, "a link, not a plain file", path)
    descriptor = open_file(path, flags | _PLAIN, mode)
    try:
        check_plain(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_plain(path: str, status: os.stat_result) -> None:
    """Raise OSError if what was opened at that path, with this status, is no plain file."""
    if status.st_mode & _KIND != _PLAIN_KIND:
        raise OSError(errno.EINVAL, "not a plain file", path)


def open_null(mode: int) -> int:
    """Open what swallows all that is written, and has nothing to be read; return the descriptor."""
    return os.open(os.devnull, mode)


def read_plain(path: str, limit: int) -> bytes | None:
    """Return up to `limit` bytes of the plain file at `path`; None when there is none, or something else. OSError otherwise."""
    try:
        descriptor = open_plain(path, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _NO_PLAIN_FILE:
            raise
        return None
    try:
        return read_all(descriptor, limit)
    finally:
        os.close(descriptor)


def read_all(descriptor: int, limit: int = sys.maxsize) -> bytes:
    """Return what an open file holds from where it stands, up to `limit` bytes."""
    data = bytearray()
    while len(data) < limit and (piece := os.read(descriptor, min(limit - len(data), 65536))):
        data += piece
    return bytes(data)


def is_violation(error: OSError) -> bool:
    """Return whether the call may have failed only because another program has the file open.

    The C library of Windows, which opens files for Python, reports that with the error number of a missing permission.
    """
    winerror = getattr(error, "winerror", None)
    if winerror is None:
        return sys.platform == "win32" and isinstance(error, PermissionError)
    return winerror in _VIOLATIONS
