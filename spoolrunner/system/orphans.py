"""Processes whose parent has ended: who gets them, which there are, and their collection.

The system gives an orphan to the next ancestor that asked for that (Linux), else to the first process. Whoever gets orphans has
to collect them when they end, or they stay as zombies.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
_CHILDREN = "/proc/self/task/{}/children"
_ENVIRONMENT_BYTES = 1 << 17


def get_them() -> bool:
    """Let this process get the orphans among its descendants from now on; False where the system has no such thing."""
    return sys.platform == "linux" and _prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0


def are_ours() -> bool:
    """Return whether this process gets orphans: it is the first one, or `get_them` was called in it."""
    if os.getpid() == 1:
        return True
    if sys.platform != "linux":
        return False
    import ctypes

    answer = ctypes.c_int(0)
    return _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer)) == 0 and bool(answer.value)


def among(known: Container[int]) -> list[int] | None:
    """Return the children of this process that are not `known`, ended ones too; None where the system does not tell.

    Orphans come to the main thread, as do the processes that it has started; what another thread has started is not among them.
    """
    try:
        children = _read(_CHILDREN.format(os.getpid()))
    except FileNotFoundError:
        return None
    return [pid for pid in map(int, children.split()) if pid not in known]


def belongs(pid: int, leader: int, marks: bytes) -> bool:
    """Return whether a child of ours is of the session of `leader`, or has an environment variable that begins with `marks`.

    A zombie has no environment, and belongs to nobody.
    """
    if sys.platform == "win32":
        return False
    try:
        if os.getsid(pid) == leader and not is_ended(pid):
            return True
        return any(
            variable.startswith(marks) for variable in _read(f"/proc/{pid}/environ", _ENVIRONMENT_BYTES).split(b"\0")
        )
    except (OSError, ValueError):
        return False  # gone, or of another user


def is_ended(pid: int) -> bool:
    """Return whether a child of ours has ended, and waits to be collected."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 1)[0] in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def collect(pid: int) -> None:
    """Collect a child that has ended; do nothing when it lives, or somebody else has collected it."""
    if sys.platform != "win32":
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return


def _prctl(option: int, argument: object) -> int:
    import ctypes

    answer: int = ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
    return answer


def _read(path: str, size: int = 16384) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        data = found = os.read(descriptor, size)
        while len(found) == size:
            found = os.read(descriptor, size)
            data += found
        return data
    finally:
        os.close(descriptor)
