"""Pruning: finding what lies in done/ and failed/ longer than the configuration keeps it. `operate.remove` removes it."""

from __future__ import annotations

from collections.abc import Iterator

from spoolrunner.config.load import Config
from spoolrunner.protocol.states import State
from spoolrunner.spool import named, reason_files, retention
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.retention import Keep
from spoolrunner.spool.sweeping import sweep_steps
from spoolrunner.system import clock

_ORPHAN_AGE = 3600.0
"""Seconds after which an ID.reason without a job is left over; a fresh one's job may be on its way to failed/."""


def outdated(settings: Config) -> Iterator[tuple[State, str]]:
    """Return state and id of each job that is kept no longer, by keep_done and keep_failed.

    What a waiting job names in its `after` is kept: without it that job would wait for ever.
    """
    now = clock.SYSTEM.wall()
    names: frozenset[str] | None = None
    for state, keep in ((State.DONE, settings.keep_done), (State.FAILED, settings.keep_failed)):
        for job_id in not_kept(settings.layout, state, keep, now):
            if names is None:
                names = named.named_by_waiting(Spool(settings.layout))
            if not named.is_named(job_id, names):
                yield state, job_id


def sweep_leftovers(settings: Config) -> int:
    """Remove what is left of jobs that a person took away: reasons after an hour, the rest after a day. Return how many."""
    now = clock.SYSTEM.wall()
    reasons = reason_files.sweep(settings.layout, now - _ORPHAN_AGE)
    before = now - retention.LOG_AGE
    return reasons + retention.sweep_logs(settings.layout, before) + sweep_steps(settings.layout, before)


def not_kept(layout: Layout, state: State, keep: Keep, now: float) -> list[str]:
    """Return the sorted ids of the regular files in a state that `keep` lets go at `now` (seconds since 1970)."""
    before = now - keep.age
    ends = sorted(
        (retention.ended_at(layout, state, *found, before), found[0])
        for found in retention.look_through(layout, state)
        if found is not None
    )
    surplus = 0 if keep.count is None else max(0, len(ends) - keep.count)
    return sorted(job_id for place, (ended, job_id) in enumerate(ends) if place < surplus or ended < before)
