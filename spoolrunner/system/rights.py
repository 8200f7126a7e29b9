"""What a process may have given up since it began: its user, its root, the sizes it may write to, the modes of its files.

A job may do so to itself, and its outcome is to be written all the same. Light: every job's process imports it.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_DENIED = (errno.EACCES, errno.EPERM)
_UNSEEN = (errno.ENOENT, errno.ENOTDIR)
_FILES = 64
"""Descriptors that are enough to write what is left to be written."""


class plain_modes:  # noqa: N801 -- a function, but for what contextlib would cost
    """For a block, files that are made have the modes that they are asked for, whatever the umask of the process."""

    def __enter__(self) -> None:
        self._umask = os.umask(0o077)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.umask(self._umask)


if sys.platform == "win32":

    def is_elsewhere() -> bool:
        """Return False: a process keeps its root there."""
        return False

    def are_given_up(error: OSError) -> bool:  # noqa: ARG001 -- as elsewhere
        """Return False: a process cannot give up its user there, or what it may write."""
        return False

    def regain(error: OSError) -> bool:  # noqa: ARG001 -- as elsewhere
        """Return False: there is nothing to be had back."""
        return False

else:

    def _root() -> tuple[int, int]:
        status = os.stat("/")
        return status.st_dev, status.st_ino

    # Those of the process that imports this, which comes before the user's code.
    _USER, _GROUP, _ROOT = os.geteuid(), os.getegid(), _root()

    def is_elsewhere() -> bool:
        """Return whether paths lead elsewhere by now, since the process has another root."""
        try:
            return _root() != _ROOT
        except OSError as error:
            return error.errno in _DENIED  # there is a root that we may not look at

    def are_given_up(error: OSError) -> bool:
        """Return whether the error comes from what this process gave up, so that it would come again and again."""
        if error.errno == errno.EFBIG:
            return True
        if error.errno in _DENIED:
            return os.geteuid() != _USER or is_elsewhere()
        return error.errno in _UNSEEN and is_elsewhere()

    def regain(error: OSError) -> bool:
        """Take back what this process put aside and can have back, and for want of which a call failed; False if nothing."""
        if error.errno in _DENIED:
            user = os.geteuid() != _USER and _has_worked(os.seteuid, _USER)
            return (os.getegid() != _GROUP and _has_worked(os.setegid, _GROUP)) or user
        if error.errno not in (errno.EFBIG, errno.EMFILE):
            return False
        try:
            import resource
        except (ImportError, OSError):
            return False  # it is not loaded, and cannot be any more
        kind, most = (
            (resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
            if error.errno == errno.EFBIG
            else (resource.RLIMIT_NOFILE, _FILES)
        )
        soft, hard = resource.getrlimit(kind)
        pairs = ((most, _higher(most, hard)), (hard, hard))
        return any(_higher(pair[0], soft) != soft and _has_worked(resource.setrlimit, kind, pair) for pair in pairs)

    def _higher(one: int, other: int) -> int:
        return -1 if -1 in (one, other) else max(one, other)  # RLIM_INFINITY

    def _has_worked(call: Callable[..., object], *arguments: object) -> bool:
        try:
            call(*arguments)
        except (OSError, ValueError):
            return False
        return True
