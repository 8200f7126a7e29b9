"""What the operating system may hold one job's process to, by the operator's policy: memory, CPU time, files, privileges.

The process limits itself before any of the user's code. Soft limits are the policy's; the hard ones lie a little above, so
that a job which has used everything up can still be recorded. Light: only a job with limits imports it.
"""

from __future__ import annotations

import errno
import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from spoolrunner.protocol.policy import Policy

SIZE_PATTERN = r"^[0-9]+[kMGT]$"
_UNITS = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MIN_MEMORY = 32 << 20
"""Bytes; less than a Python interpreter with orjson needs."""
_MEMORY_RESERVE = 16 << 20
_FILES_RESERVE = 8
_CPU_RESERVE = 5
"""Seconds from SIGXCPU, which ends the process, to SIGKILL, which ends one that ignores it."""
_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


def parse_size(value: object) -> int:
    """Bytes of a size: a number of bytes, or a string like "512M", "2G" (of 1024 each); else ValueError."""
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
    """Why this system cannot hold a job to the limit of that name; None when it can."""
    if sys.platform == "linux":
        return None
    if sys.platform == "win32":
        return "Windows offers no such limit; leave it out"
    return None if key in ("cpu_time", "open_files") else "only Linux keeps a job to it; leave it out"


if sys.platform == "win32":

    def held_to(policy: Policy) -> AbstractContextManager[None]:
        """Nothing can be limited here, so the configuration has refused every limit."""
        raise OSError(errno.ENOTSUP, f"Windows cannot hold a process to {policy}")

else:
    import resource

    # On Linux, what is written to counts, not what is only reserved: getrlimit(2), since 4.7.
    _MEMORY = resource.RLIMIT_DATA

    @contextmanager
    def held_to(policy: Policy) -> Iterator[None]:
        """Limit this process, and whatever it starts, for the time of a block; OSError when the system refuses."""
        _apply(policy)
        try:
            yield
        finally:
            _lift()

    def _apply(policy: Policy) -> None:
        if policy.memory is not None:
            _limit(_MEMORY, policy.memory, _MEMORY_RESERVE)
        if policy.cpu_time is not None:
            _limit(resource.RLIMIT_CPU, math.ceil(policy.cpu_time), _CPU_RESERVE)
        if policy.open_files is not None:
            _limit(resource.RLIMIT_NOFILE, policy.open_files, _FILES_RESERVE)
        if policy.no_new_privileges:
            _give_up_new_privileges()

    def _lift() -> None:
        """Allow this process what was kept back for the record."""
        for kind in (_MEMORY, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (hard, hard))

    def _limit(kind: int, most: int, reserve: int) -> None:
        _, ceiling = resource.getrlimit(kind)
        hard = most + reserve if ceiling == resource.RLIM_INFINITY else min(most + reserve, ceiling)
        resource.setrlimit(kind, (min(most, hard), hard))

    def _give_up_new_privileges() -> None:
        """From now on no program that is started gains rights by its set-user-ID bit or capabilities; prctl(2), Linux."""
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
