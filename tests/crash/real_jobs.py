"""The jobs that real processes run; they import nothing of the tests."""

from __future__ import annotations

import atexit
import os
import select
from typing import Any

from spoolrunner import current_job

MOUNTED = "mounted"
"""The name of the folder, beside the pipe, where the disk of the spool is."""
PIPE = "pipe"
"""The name of the pipe, beside config.json."""
MADE, HANDED_BACK = "made", "handed-back"
"""The words of lines about a step: it is being made, and its job got its value."""


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
    fails = job.attempt <= failures or job.method == "fail"
    if os.getppid() == 1:
        atexit.register(_tell_end, pipe, f"left {job.id} {job.attempt} {'failed' if fails else 'succeeded'}")
    if fails:
        raise RuntimeError("as told")
    return text


def in_steps(pipe: str, seconds: float, failures: int, text: str) -> str:
    """As `tell`, in two steps that tell of themselves, one before and one after the first line of `tell`."""
    _step(pipe, "first")
    told = tell(pipe, seconds, failures, text)
    _step(pipe, "second")
    return told


def _step(pipe: str, name: str) -> None:
    job = current_job()
    assert job is not None
    job.step(name, _write, pipe, f"{MADE} {job.id} {name}")
    _write(pipe, f"{HANDED_BACK} {job.id} {name}")


def fail(pipe: str, seconds: float, failures: int, text: str) -> None:
    """As `tell`, and fail in any case."""
    tell(pipe, seconds, failures, text)
    raise RuntimeError("for good")


def tell_of(id: str, outcome: str, error: Any) -> None:  # noqa: A002 - the name that on_failure gives it
    """Tell the start of a job that tells of a failure."""
    assert id
    assert outcome
    tell(os.path.join(os.path.dirname(os.environ["SPOOLRUNNER_CONFIG"]), PIPE), 0, 0, repr(error))


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
