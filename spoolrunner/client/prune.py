"""Pruning: finding what lies in done/ and failed/ longer than the configuration keeps it. `operate.remove` removes it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival, named, reason_files
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import SUFFIX, is_job_name
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.system.times import parse_time

_ORPHAN_AGE = 3600.0
"""Seconds after which an ID.reason without a job is left over; a fresh one's job may be on its way to failed/."""


def outdated(settings: Config) -> Iterator[tuple[State, str]]:
    """Return state and id of each job that is kept no longer, by keep_done and keep_failed since it ended.

    What a waiting job names in its `after` is kept: without it that job would wait for ever.
    """
    now = clock.SYSTEM.wall()
    names: frozenset[str] | None = None
    for state, seconds in ((State.DONE, settings.keep_done), (State.FAILED, settings.keep_failed)):
        for job_id in ended_before(settings.layout, state, now - seconds):
            if names is None:
                names = named.named_by_waiting(Spool(settings.layout))
            if not named.is_named(job_id, names):
                yield state, job_id


def sweep_reasons(settings: Config) -> int:
    """Remove each ID.reason whose job a person took away an hour ago or earlier; return how many."""
    return reason_files.sweep(settings.layout, clock.SYSTEM.wall() - _ORPHAN_AGE)


def ended_before(layout: Layout, state: State, moment: float) -> list[str]:
    """Return the sorted ids of the regular files in a state that ended before `moment` (seconds since 1970).

    What our record says of the end counts, also in a copy that was restored just now; of what has none, when it came there.
    """
    found = []
    with os.scandir(layout.folder(state)) as entries:
        for entry in entries:
            if not is_job_name(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # Race: a person took it away.
            job_id = entry.name[: -len(SUFFIX)]
            if stat.S_ISREG(status.st_mode) and _ended_before(layout, state, job_id, status, moment):
                found.append(job_id)
    return sorted(found)


def _ended_before(layout: Layout, state: State, job_id: str, status: os.stat_result, moment: float) -> bool:
    if arrival.came_at(status) < moment:
        return True  # no record is newer than its file
    if state is State.FAILED and reason_files.is_there(layout, job_id):
        return False  # it was refused as it was: whatever it says of its attempts is its producer's word
    try:
        attempts = jsontext.decode(Spool(layout).read(state, job_id).data).get("attempts")
        ended_at = attempts[-1]["ended_at"] if isinstance(attempts, list) else None
        return ended_at is not None and parse_time(ended_at) < moment
    except (FileNotFoundError, JobFormatError, LookupError, TypeError, ValueError):
        return False  # Race: a person took it away; or it is no record of ours
