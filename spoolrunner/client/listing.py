"""The jobs of a state as a person wants them listed: those that wait in the order of their starts, the others by name.

    listed = list_state(settings, State.PENDING, 20)
    listed.jobs[0].look.id, listed.jobs[0].due_at

Touches nothing. What a job file, or the file beside it, does not say is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from spoolrunner.client.look import Look, last_names, look
from spoolrunner.client.search import ANY, Filter, Jobs
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.policy import Policy, job_policy
from spoolrunner.protocol.states import State
from spoolrunner.spool import traces
from spoolrunner.spool.folders import Spool
from spoolrunner.system import clock
from spoolrunner.system.times import parse_time

MOST_ORDERED = 20_000
"""Waiting jobs that are put into the order of their starts: each has to be read for that. More are listed by name."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A job with what is known of its start. Times are in seconds since 1970.

    Of one that waits: its `priority`, by its file or else its method, and when it is due. Of one that runs: the `attempt`,
    when it began, and its `deadline`, which is the latest possible one while its module is being imported.
    """

    look: Look
    priority: int | None = None
    due_at: float | None = None
    attempt: int | None = None
    started_at: float | None = None
    deadline: float | None = None


class Listing(NamedTuple):
    """The jobs shown, how many are left out, and whether they are the first or, without that, the last of their state.

    `hidden` is None when there may be more which fit: a search ends when it has found enough.
    """

    jobs: list[Listed]
    hidden: int | None
    are_first: bool = False


class _Start(NamedTuple):
    """When a waiting job will start: what it is sorted by, and what that is made of. The order is that of the dispatcher."""

    key: tuple[float, float, float, str]
    priority: int | None
    due_at: float | None


def list_state(settings: Config, state: State, limit: int, wanted: Filter = ANY) -> Listing:
    """Return the jobs of a state that fit: of those that wait the first `limit`, of the others the last (0: all)."""
    if state is State.PENDING:
        names = list(Spool(settings.layout).names(state))
        if wanted != ANY:
            names = [found.id for found in Jobs(settings, [state], wanted).looks()]
        if len(names) <= MOST_ORDERED:
            return _in_order(settings, names, limit)
    earlier: int | None
    if wanted == ANY:
        names, earlier = last_names(settings.layout, state, limit)
        found = _looks(settings, state, names)
    else:
        found, earlier = _last_that_fit(settings, state, limit, wanted)
    return Listing([_underway(settings, one) if state is State.RUNNING else Listed(one) for one in found], earlier)


def before(settings: Config, job_id: str) -> int | None:
    """Return how many of the waiting jobs are due and start before that one; None when there are too many to read them all.

    None, too, when it does not wait.
    """
    names = list(Spool(settings.layout).names(State.PENDING))
    own = _start(settings, job_id) if len(names) <= MOST_ORDERED else None
    if own is None:
        return None
    starts = (_start(settings, name) for name in names)
    return sum(start is not None and start.key < own.key for start in starts)


def _last_that_fit(settings: Config, state: State, limit: int, wanted: Filter) -> tuple[list[Look], int | None]:
    found = list(islice(Jobs(settings, [state], wanted, backwards=True).looks(), limit or None))[::-1]
    return found, None if limit and len(found) == limit else 0


def _in_order(settings: Config, names: list[str], limit: int) -> Listing:
    starts = {name: start for name in names if (start := _start(settings, name)) is not None}
    order = sorted(starts, key=lambda name: starts[name].key)
    shown = order[:limit] if limit > 0 else order
    jobs = [
        Listed(found, starts[found.id].priority, starts[found.id].due_at)
        for found in _looks(settings, State.PENDING, shown)
    ]
    return Listing(jobs, len(order) - len(shown), are_first=True)


def _looks(settings: Config, state: State, names: Iterable[str]) -> list[Look]:
    return [found for name in names if (found := look(settings.layout, state, name)) is not None]


def _start(settings: Config, name: str) -> _Start | None:
    """When the job starts; None when it is gone. What cannot be read, or will be refused, comes last."""
    now = clock.SYSTEM.wall()
    try:
        found = Spool(settings.layout).read(State.PENDING, name)
        checked, raw = document.parse(found.data)
        policy = _policy(settings, raw)
    except FileNotFoundError:
        return None
    except (OSError, JobFormatError):
        return _Start((2.0, 0.0, 0.0, name), None, None)
    due_at = document.due_at(checked, found.mtime, found.came_at, now)
    priority, aging = policy.priority, settings.priority_aging
    if due_at > now:
        key = (1.0, due_at, float(priority), name)
    elif aging:
        key = (0.0, due_at - priority * aging, due_at, name)
    else:
        key = (0.0, -float(priority), due_at, name)
    return _Start(key, priority, due_at)


def _underway(settings: Config, found: Look) -> Listed:
    """The start of a running job, by the marker of its process; nothing of it before that is there."""
    try:
        left = traces.peek(settings.layout.lock(found.id))
    except OSError:
        return Listed(found)
    marker = left.marker
    if marker is None or not marker.is_start or marker.attempt != len(found.attempts) + 1:
        return Listed(found)
    try:
        started_at = parse_time(marker.started_at)
        timeout = _policy(settings, found.document or {}).timeout
    except (ValueError, JobFormatError):
        return Listed(found, attempt=marker.attempt)
    if not marker.imports:
        deadline = started_at + timeout
    elif left.ready is None:
        deadline = started_at + settings.import_timeout + timeout
    else:
        deadline = clock.SYSTEM.wall() - clock.SYSTEM.monotonic() + left.ready + timeout
    return Listed(found, attempt=marker.attempt, started_at=started_at, deadline=deadline)


def _policy(settings: Config, raw: dict[str, object]) -> Policy:
    """The policy of a document's job; that of any method, when it is of none that is allowed."""
    job, method = str(raw.get("job")), str(raw.get("method"))
    of_method = settings.allowed.get(job, {}).get(method, settings.default_policy)
    return job_policy(raw, of_method, settings.limits)
