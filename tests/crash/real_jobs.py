"""The jobs that real processes run; they import nothing of the tests."""

from __future__ import annotations

import os
import select

from spoolrunner import current_job


def append(path: str) -> None:
    """Count the start in a file of its own."""
    job = current_job()
    assert job is not None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{job.id} {job.attempt} {os.getpid()}\n".encode())
    os.close(descriptor)


def tell(pipe: str, seconds: float, failures: int, text: str) -> str:
    """Tell the start to whoever reads the pipe, then take so long, and fail as often as told."""
    job = current_job()
    assert job is not None
    descriptor = os.open(pipe, os.O_WRONLY)
    os.write(descriptor, f"started {job.id} {job.attempt}\n".encode())
    os.close(descriptor)
    select.select([], [], [], seconds)
    if job.attempt <= failures:
        raise RuntimeError("as told")
    return text
