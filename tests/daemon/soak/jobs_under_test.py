"""Jobs of the soak; copied as jobs.py beside its config.json. Each tells its begin and its end outside of the spool."""

import fcntl
import os
import signal
import time
from contextlib import contextmanager

import spoolrunner

TOLD, WITNESS = "told", "witness"
_held = []


def _append(line):
    descriptor = os.open(TOLD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def _is_alone(number):
    """Lock the byte of this job for the life of the process; False when another process of the same id has it."""
    descriptor = os.open(WITNESS, os.O_RDWR | os.O_CREAT, 0o600)
    _held.append(descriptor)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _told():
    job = spoolrunner.current_job()

    def tell(word):
        _append(f"{job.id} {job.attempt} {word} {time.monotonic_ns()}\n")

    tell("begin")
    if not _is_alone(int(job.id.partition("-")[2])):
        tell("overlap")
    try:
        yield job
    finally:
        tell("end")


def succeeds():
    with _told():
        pass


def takes(seconds):
    with _told():
        time.sleep(seconds)


def fails():
    with _told():
        raise RuntimeError("this one always fails")


def recovers(attempt):
    with _told() as job:
        if job.attempt < attempt:
            raise RuntimeError("not yet")


def crashes(attempts):
    with _told() as job:
        if job.attempt <= attempts:
            os.kill(os.getpid(), signal.SIGKILL)


def hangs():
    with _told():
        time.sleep(60)


def waits(seconds):
    """Meant to be cancelled while it runs; ends by itself when the cancel came while a person had the file."""
    with _told():
        time.sleep(seconds)


def later():
    """Meant to be cancelled while it waits for a time that does not come."""
    with _told():
        pass
