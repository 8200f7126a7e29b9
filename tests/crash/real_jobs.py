"""The jobs that real processes run; they import nothing of the tests."""

from __future__ import annotations

import atexit
import os
import select

from spoolrunner import current_job

MOUNTED = "mounted"
"""The name of the folder, beside the pipe, where the disk of the spool is."""


def append(path: str) -> None:
    """Count the start in a file of its own."""
    job = current_job()
    assert job is not None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{job.id} {job.attempt} {os.getpid()}\n".encode())
    os.close(descriptor)


def tell(pipe: str, seconds: float, failures: int, text: str) -> str:
    """Tell the start to whoever reads the pipe, then take so long, and fail as often as told.

    One whose parent is gone by its last line tells that too, when it has left its outcome and ends.

    A power cut reaches the disk of the spool before it reaches the processes: it tells only if there is power still.
    """
    job = current_job()
    assert job is not None
    _write(pipe, f"started {job.id} {job.attempt}")
    select.select([], [], [], seconds)
    fails = job.attempt <= failures
    if os.getppid() == 1:
        atexit.register(_tell_end, pipe, f"left {job.id} {job.attempt} {'failed' if fails else 'succeeded'}")
    if fails:
        raise RuntimeError("as told")
    return text


def _tell_end(pipe: str, line: str) -> None:
    probe = os.path.join(os.path.dirname(pipe), MOUNTED, f"probe-{os.getpid()}")
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(probe)
    except OSError:
        return
    _write(pipe, line)


def _write(pipe: str, line: str) -> None:
    descriptor = os.open(pipe, os.O_WRONLY)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
