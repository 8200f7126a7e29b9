"""Giving up a job between two attempts: it was cancelled while it waited to be tried again, and has been claimed for that."""

from __future__ import annotations

import errno

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import FINAL, Outcome, Remedy, State, Verdict
from spoolrunner.spool import locks, record, traces
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.lock_files import drop_lock
from spoolrunner.spool.lock_lines import START
from spoolrunner.spool.running_file import RunningFiles
from spoolrunner.spool.settled import Fate, Settled
from spoolrunner.spool.settling_rules import choose
from spoolrunner.spool.traces import Marker
from spoolrunner.system.clock import Clock


def give_up(spool: Spool, files: RunningFiles, clock: Clock, job_id: str, what: str) -> Settled:
    """Turn the last verdict of a job that was to be tried again, and is claimed but not started, into the final one.

    OSError when its lock is held; HELD when it was started nonetheless by a process of an earlier dispatcher. Killed in
    between, it is released, and the request to cancel it still stands.
    """
    path, left = spool.layout.lock(job_id), ""
    lock = locks.acquire(path)
    if lock is None:  # Race: a late process of an earlier attempt has it, for a moment.
        raise BlockingIOError(errno.EAGAIN, "held by another process", path)
    try:
        try:
            file = files.read(job_id)
        except JobFormatError:
            return Settled(Fate.GONE, job_id)
        if not file.attempts:
            return Settled(Fate.GONE, job_id)
        *earlier, last = file.attempts
        marker = traces.of(lock).marker
        rule = choose(file.attempts, file.stamp, marker, has_markers=True)
        if rule.remedy is Remedy.RECORD or last["verdict"] in FINAL:
            return Settled(Fate.HELD, job_id, marker=marker)
        changed = {key: value for key, value in file.raw.items() if key != "next_run_at"}
        changed["attempts"] = [*earlier, {**last, "verdict": Verdict.FAILED.value}]
        changed = record.replacing(spool.layout, job_id, changed, file.stamp)
        number = len(changed["attempts"])
        lock.append(Marker(START, number, 0).line())  # what follows is a record of this attempt
        record.commit(spool.layout, job_id, file.record_of(job_id, changed), spool.fsync)
        where, now = f"pending/{job_id}.json", clock.wall()
        name = spool.refuse(job_id, State.RUNNING, Outcome.CANCELLED, what, where, now)
        try:
            drop_lock(spool, lock, job_id)
        except OSError as error:
            left = str(error)  # the job has moved all the same
    except FileNotFoundError:
        return Settled(Fate.GONE, job_id)
    finally:
        lock.close()
    return Settled(Fate.SETTLED, name or job_id, State.FAILED, changed, left=left)
