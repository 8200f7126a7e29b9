"""Two things that Windows has and Python does not offer: the start time of a process, and job objects. For `processes` alone.

A job object contains a process and all processes that it starts, so that none can be left behind. The process of a job makes
one for itself, so that it does not matter which dispatcher started it, or whether that still lives. Its name is made from the
mark of the attempt. The process has the only handle: when it ends, Windows ends the other processes. Light: every job's
process imports it.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from ctypes import wintypes

assert sys.platform == "win32"  # noqa: S101 -- there is no such thing elsewhere

_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
_KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
_MAY_TERMINATE = 0x8  # JOB_OBJECT_TERMINATE
_MAY_QUERY, _MAY_WAIT = 0x1000, 0x100000  # PROCESS_QUERY_LIMITED_INFORMATION, SYNCHRONIZE
_SIGNALLED = 0  # WAIT_OBJECT_0
EXIT_ENDED = 15
"""The exit status of processes that `end` ends: the one that psutil gives them, the number of SIGTERM."""


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("process_time", wintypes.LARGE_INTEGER),
        ("job_time", wintypes.LARGE_INTEGER),
        ("flags", wintypes.DWORD),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("active_processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority_class", wintypes.DWORD),
        ("scheduling_class", wintypes.DWORD),
        ("io_counters", ctypes.c_ulonglong * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel.CreateJobObjectW.restype = _kernel.OpenJobObjectW.restype = wintypes.HANDLE
_kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
_kernel.OpenJobObjectW.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR)
_kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
_kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
_kernel.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.GetCurrentProcess.restype = _kernel.OpenProcess.restype = wintypes.HANDLE
_kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
_kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4)
_kernel.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)

_own: int | None = None


def began(pid: int) -> int | None:
    """Return when the process was created, in units of 100 ns; None when it is gone or belongs to another user."""
    process = _kernel.OpenProcess(_MAY_QUERY | _MAY_WAIT, False, pid)
    if not process:
        return None
    try:
        created, *others = (wintypes.FILETIME() for _ in range(4))
        has_ended = _kernel.WaitForSingleObject(process, 0) == _SIGNALLED
        if has_ended or not _kernel.GetProcessTimes(process, *map(ctypes.byref, (created, *others))):
            return None
        return created.dwHighDateTime << 32 | created.dwLowDateTime
    finally:
        _kernel.CloseHandle(process)


def enter(mark: str) -> None:
    """Put this process, and all that it starts from now on, into a new job object of that mark; OSError if refused."""
    global _own  # noqa: PLW0603 -- one job a process
    _own = _checked(_kernel.CreateJobObjectW(None, _name(mark)))
    _limit(_KILL_ON_CLOSE)
    _checked(_kernel.AssignProcessToJobObject(_own, _kernel.GetCurrentProcess()))


def leave_children() -> None:
    """Let the processes that this one started outlive it; do nothing when it is in no job object of its own."""
    if _own is not None:
        _limit(0)


def end(mark: str) -> bool:
    """End all processes in the job object of that mark; return False when there is none."""
    job = _kernel.OpenJobObjectW(_MAY_TERMINATE, False, _name(mark))
    if not job:
        return False
    try:
        return bool(_kernel.TerminateJobObject(job, EXIT_ENDED))
    finally:
        _kernel.CloseHandle(job)


def _limit(flags: int) -> None:
    limits = _Limits(flags=flags)
    _checked(_kernel.SetInformationJobObject(_own, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)))


def _name(mark: str) -> str:
    """Return the name of a job object of this session: at most 260 characters, and no further backslash."""
    return f"Local\\spoolrunner-{hashlib.sha256(mark.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _checked(result: int) -> int:
    if not result:
        raise ctypes.WinError(ctypes.get_last_error())
    return result
