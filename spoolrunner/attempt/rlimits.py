"""The limits of one job's process that the operating system keeps: memory, CPU time, open files, privileges.

The process sets them on itself before it runs any of the user's code. The soft limits are those of the policy. The hard limits
are a little higher, so that a job which has used everything up can still be recorded. Only a job with such limits imports this.
"""

from __future__ import annotations

import errno
import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.assignment import ProcessLimits

SIZE_PATTERN = r"^[0-9]+[kMGT]$"
_UNITS = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MIN_MEMORY = 32 << 20
"""Bytes; Python with orjson needs more than this, so less would end every job."""
_MEMORY_RESERVE = 16 << 20
_FILES_RESERVE = 8
_CPU_RESERVE = 5
"""Seconds from SIGXCPU, which ends the process, to SIGKILL, which ends one that ignores it."""
_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


def parse_size(value: object) -> int:
    """Return the bytes of a size: a number of bytes, or a text like "512M", "2G" (steps of 1024); else ValueError."""
    if isinstance(value, str) and re.fullmatch(SIZE_PATTERN, value):
        size = int(value[:-1]) * _UNITS[value[-1]]
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise ValueError(f'{value!r} is no size: write bytes as a number, or "512M", "2G"')
    if not MIN_MEMORY <= size < 1 << 60:
        raise ValueError(f"{value!r} is out of range: at least 32M")
    return size


def unavailable(key: str) -> str | None:
    """Return why this system cannot keep a job within the limit of that key; None when it can."""
    if sys.platform == "linux":
        return None
    if sys.platform == "win32":
        return "Windows offers no such limit; leave it out"
    return None if key in ("cpu_time", "open_files") else "only Linux keeps a job to it; leave it out"


if sys.platform == "win32":

    def restricted_by(limits: ProcessLimits) -> AbstractContextManager[None]:
        """Raise OSError: Windows has no such limits, and the configuration refuses them there."""
        raise OSError(errno.ENOTSUP, f"Windows cannot keep a process within {limits}")

else:
    import resource

    # Linux counts memory that is written to, not memory that is only reserved: getrlimit(2), since 4.7.
    _MEMORY = resource.RLIMIT_DATA

    @contextmanager
    def restricted_by(limits: ProcessLimits) -> Iterator[None]:
        """Set the limits on this process and all that it starts, for a block; OSError when the system refuses."""
        _apply(limits)
        try:
            yield
        finally:
            _lift()

    def _apply(limits: ProcessLimits) -> None:
        memory, cpu_time, open_files, no_new_privileges = limits
        if memory is not None:
            _limit(_MEMORY, memory, _MEMORY_RESERVE)
        if cpu_time is not None:
            _limit(resource.RLIMIT_CPU, math.ceil(cpu_time), _CPU_RESERVE)
        if open_files is not None:
            _limit(resource.RLIMIT_NOFILE, open_files, _FILES_RESERVE)
        if no_new_privileges:
            _give_up_new_privileges()

    def _lift() -> None:
        """Raise the soft limits to the hard ones, so that the record can be written."""
        for kind in (_MEMORY, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (hard, hard))

    def _limit(kind: int, most: int, reserve: int) -> None:
        _, ceiling = resource.getrlimit(kind)
        hard = most + reserve if ceiling == resource.RLIM_INFINITY else min(most + reserve, ceiling)
        resource.setrlimit(kind, (min(most, hard), hard))

    def _give_up_new_privileges() -> None:
        """Let no program that this process starts gain rights by a set-user-ID bit or capabilities (prctl(2), Linux)."""
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
