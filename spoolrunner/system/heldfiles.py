"""Files that another program holds open, as only Windows knows them: an antivirus, an editor, an indexer.

What meets such a file is tried again for about two seconds, since most of them let go in milliseconds; then it is a
HeldError, an OSError like any other to whoever does not look closer. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from spoolrunner.system import clock

PATIENCE = 2.0
"""Seconds for which a call is tried again while another program holds the file open."""
LONGEST_PAUSE = 60.0
_PAUSE = 0.02
_VIOLATIONS = (5, 32, 33)  # access denied, sharing violation, lock violation: winerror.h


class HeldError(PermissionError):
    """Another program has held the file open for all of our patience."""


def next_pause(seconds_held: float, shortest: float) -> float:
    """Seconds until a job whose file has been held for so long is worth another try: as long again."""
    return min(LONGEST_PAUSE, max(shortest, seconds_held))


def patiently(call: Callable[..., Any], *arguments: Any) -> Any:
    """What the call returns, trying again while another program holds the file; HeldError when it does not let go."""
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
    """`os.open`, patiently."""
    descriptor: int = patiently(os.open, path, flags, mode)
    return descriptor


def is_violation(error: OSError) -> bool:
    """Whether the call may have failed only because another program has the file open.

    The C library of Windows, by which files are opened, tells that by the error number of a missing permission.
    """
    winerror = getattr(error, "winerror", None)
    if winerror is None:
        return sys.platform == "win32" and isinstance(error, PermissionError)
    return winerror in _VIOLATIONS
