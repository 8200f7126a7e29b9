"""How long a job is kept in done/ and failed/: when it ended, and what goes with it when its file is removed.

Owns these rules, for `spoolrunner prune` as for the dispatcher. Which jobs are old enough is for those who ask.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival, jobfile, reason_files, step_files
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import SUFFIX, id_problem, is_job_name
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.sweeping import LEFTOVER_AGE
from spoolrunner.system import durable
from spoolrunner.system.times import parse_time

LOG_AGE = LEFTOVER_AGE
"""Seconds for which a log must not have been written before it is left over: a person may have taken the job out to mend it."""
_LOG = ".log"


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept in one folder: `age` is in seconds since a job ended, `count` how many; None for any number."""

    age: float = math.inf
    count: int | None = None


def look_through(layout: Layout, state: State) -> Iterator[tuple[str, os.stat_result] | None]:
    """Yield the id and the status of each regular file in a state that is a job by its name, and None for each other one.

    So the caller can do something else in between, whatever lies there.
    """
    with os.scandir(layout.folder(state)) as entries:
        for entry in entries:
            yield _job_of(entry) if is_job_name(entry.name) else None


def _job_of(entry: os.DirEntry[str]) -> tuple[str, os.stat_result] | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # Race: a person took it away.
    return (entry.name[: -len(SUFFIX)], status) if stat.S_ISREG(status.st_mode) else None


def ended_at(layout: Layout, state: State, job_id: str, status: os.stat_result, before: float = -math.inf) -> float:
    """Return when a job in done/ or failed/ ended, in seconds since 1970; `status` is that of its file.

    What our record says of the end counts, also in a copy that was restored just now; of what has none, when it came there.
    No record is newer than its file: that of a file which came `before` that moment is not read.
    """
    came = arrival.came_at(status)
    if came < before or _was_refused(layout, state, job_id):
        return came
    recorded = _recorded(layout.job(state, job_id))
    return came if recorded is None else min(came, recorded)


def _was_refused(layout: Layout, state: State, job_id: str) -> bool:
    """Whether it was refused as it was: whatever such a file says of its attempts is its producer's word."""
    return state is State.FAILED and reason_files.is_there(layout, job_id)


def _recorded(path: str) -> float | None:
    try:
        attempts = jsontext.decode(jobfile.read(path).data).get("attempts")
        ended = attempts[-1]["ended_at"] if isinstance(attempts, list) else None
        return None if ended is None else parse_time(ended)
    except (OSError, JobFormatError, LookupError, TypeError, ValueError):
        return None  # Race: a person took it away; or it is no record of ours


def remove(layout: Layout, state: State, job_id: str) -> bool:
    """Remove a job's file from that state, then its ID.reason, its steps, and its log unless another job of that id is left.

    False when it was gone: a person removed it, or moved it back to pending/, just now.
    """
    its_steps = steps_of(layout, state, job_id)
    if not durable.unlink(layout.job(state, job_id)):
        return False
    if its_steps is not None:
        durable.unlink(its_steps)
    if state is State.FAILED:
        durable.unlink(layout.reason(job_id))
    if _is_nowhere(Spool(layout), job_id):
        durable.unlink(layout.log(job_id))
    return True


def steps_of(layout: Layout, state: State, job_id: str) -> str | None:
    """Return the path of the steps of the job that lies in that state; None when it has none, or cannot be read."""
    if not os.path.lexists(layout.steps):
        return None  # no job has made a step so far: none is read for that
    try:
        found = Spool(layout).read(state, job_id)
        raw = jsontext.decode(found.data)
    except (FileNotFoundError, JobFormatError):
        return None
    path, is_there = step_files.find(layout, job_id, step_files.key_of(raw, found.inode))
    return path if is_there else None


def remove_if_same(layout: Layout, state: State, job_id: str, status: os.stat_result) -> bool:
    """As `remove`, unless the file is another by now than the one that was like that: a job that ran again, of the same id."""
    try:
        now = os.lstat(layout.job(state, job_id))
    except FileNotFoundError:
        return False
    return (now.st_ino, now.st_ctime_ns) == (status.st_ino, status.st_ctime_ns) and remove(layout, state, job_id)


def sweep_logs(layout: Layout, before: float) -> int:
    """Remove the logs of jobs that are nowhere, as `remove_log_if_left` does, and return how many.

    OSError, at the end, if one stays.
    """
    removed, refused = 0, None
    for name in os.listdir(layout.job_logs):
        try:
            removed += remove_log_if_left(layout, name, before)
        except OSError as error:
            refused = refused or error  # the others go all the same
    if refused is not None:
        raise refused
    return removed


def remove_log_if_left(layout: Layout, name: str, before: float) -> bool:
    """Remove logs/jobs/`name` if it is the log of a job that lies in no folder; return whether it was.

    Only if nothing was written to it since `before` (seconds since 1970).
    """
    job_id = name[: -len(_LOG)]
    if not name.endswith(_LOG) or id_problem(job_id) is not None:
        return False
    path = layout.log(job_id)
    is_left = arrival.came_before(path, before) and not os.path.isdir(path) and _is_nowhere(Spool(layout), job_id)
    return is_left and durable.unlink(path)


def _is_nowhere(spool: Spool, job_id: str) -> bool:
    """Whether no folder holds the job. The first ones are looked at twice: it may be moved back while this looks."""
    return not any(spool.exists(state, job_id) for state in (*State, State.PENDING, State.RUNNING))
