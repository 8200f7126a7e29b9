"""When a lock file may go: under its lock, and only for an id that neither waits nor runs."""

from __future__ import annotations

from spoolrunner.protocol.states import State
from spoolrunner.spool import locks
from spoolrunner.spool.folders import Spool


def drop_lock_of_moved(spool: Spool, lock: locks.JobLock, job_id: str) -> None:
    """Remove the file of a lock that this process holds, and under which it has just moved the job out of running/."""
    if not spool.exists(State.PENDING, job_id):
        lock.remove()


def drop_lock(spool: Spool, lock: locks.JobLock, job_id: str) -> bool:
    """Remove the file of a lock that this process holds; False when the id waits or runs, and needs it still."""
    if spool.waits_or_runs(job_id):
        return False
    lock.remove()
    return True


def sweep_lock(spool: Spool, job_id: str) -> bool:
    """Remove the lock file of an id that neither waits nor runs; False when it is held or still needed."""
    lock = locks.acquire(spool.layout.lock(job_id))
    if lock is None:
        return False
    try:
        return drop_lock(spool, lock, job_id)
    finally:
        lock.close()
