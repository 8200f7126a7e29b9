"""The job that real processes run; it imports nothing of the tests."""

from __future__ import annotations

import os

from spoolrunner import current_job


def append(path: str) -> None:
    """Count the start in a file of its own."""
    job = current_job()
    assert job is not None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{job.id} {job.attempt} {os.getpid()}\n".encode())
    os.close(descriptor)
