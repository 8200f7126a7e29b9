"""Renames with a condition: renameat2 of Linux and renamex_np of macOS, which Python does not offer. For `durable` alone."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

NO_REPLACE = 0x4 if sys.platform == "darwin" else 1
"""RENAME_EXCL and RENAME_NOREPLACE: refuse a target that exists."""
EXCHANGE = 2
"""RENAME_SWAP and RENAME_EXCHANGE: give each of two files the name of the other."""
_AT_FDCWD = -100


def loaded(flag: int) -> Callable[[str, str], None]:
    """Load the call with that flag; what is returned raises OSError, with ENOSYS where the C library has no such call."""
    import ctypes  # 5 ms that only processes which move jobs pay

    libc = ctypes.CDLL(None, use_errno=True)
    folder: tuple[int, ...] = ()
    if sys.platform == "darwin":
        function: Any = getattr(libc, "renamex_np", None)
    else:
        function = getattr(libc, "renameat2", None)
        folder = (_AT_FDCWD,)

    def rename(source: str, target: str) -> None:
        if function is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), source, None, target)
        if function(*folder, os.fsencode(source), *folder, os.fsencode(target), flag) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), source, None, target)

    return rename
