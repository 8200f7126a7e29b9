"""Pruning: finding what lies in done/ and failed/ longer than the configuration keeps it. `operate.remove` removes it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from spoolrunner.config.load import Config
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import SUFFIX, is_job_name
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock

_ORPHAN_AGE = 3600.0
"""Seconds after which an ID.reason without a job is left over; a fresh one's job may be on its way to failed/."""


def outdated(settings: Config) -> Iterator[tuple[State, str]]:
    """Return state and id of each job that is kept no longer, by keep_done and keep_failed and the last write to its file."""
    now = clock.SYSTEM.wall()
    for state, seconds in ((State.DONE, settings.keep_done), (State.FAILED, settings.keep_failed)):
        for job_id in written_before(settings.layout, state, now - seconds):
            yield state, job_id


def sweep_reasons(settings: Config) -> int:
    """Remove each ID.reason whose job a person took away an hour ago or earlier; return how many."""
    return Spool(settings.layout).sweep_reasons(clock.SYSTEM.wall() - _ORPHAN_AGE)


def written_before(layout: Layout, state: State, moment: float) -> list[str]:
    """Return the sorted ids of the regular files in a state that were last written before `moment` (seconds since 1970)."""
    found = []
    with os.scandir(layout.folder(state)) as entries:
        for entry in entries:
            if not is_job_name(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # Race: a person took it away.
            if stat.S_ISREG(status.st_mode) and status.st_mtime < moment:
                found.append(entry.name[: -len(SUFFIX)])
    return sorted(found)
