"""Many jobs looked at for what they have in common: what waits and is due, and what failed, by kind and error.

A survey takes a bounded time and says how many of the files it has seen; the next one goes on, since what was seen before is
remembered. It is made again when it is older than it took, many times over.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from spoolrunner.client.glance import Glance, start_key
from spoolrunner.client.index import Came
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.system.clock import Clock

if TYPE_CHECKING:
    from spoolrunner.web.desk import Desk

MOST = 20_000
"""Files that a survey looks at, the newest ones: so many are remembered."""
_BUDGET = 0.1
"""Seconds for which a survey reads files that it has not seen before."""
_SHARE = 50
"""A survey is used for so many times the time that it took, so that it takes 2 % of a core."""
_SHARE_AT_FIRST = 15
"""The same while not all was seen yet: then the next one goes on, for 6 % of a core."""
_SHORTEST = 0.4
"""Seconds for which a survey is used at least."""
_STEP = 500
"""Names that are taken from the index at a time."""
_FIRST = 6
"""Waiting jobs that are named."""
_Survey = TypeVar("_Survey")


@dataclass(slots=True)
class Waiting:
    """What waits: `seen` of `files` were looked at, how many are due, which start first, how many are of each kind and group.

    `oldest_due` is since when the one is due that has waited longest, in seconds since 1970. `behind` has for a name those that
    wait for it.
    """

    files: int = 0
    seen: int = 0
    due: int = 0
    oldest_due: float | None = None
    first: list[Glance] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)
    by_group: Counter[str] = field(default_factory=Counter)
    behind: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Failure:
    """The failures of one kind with one error: how many, a message of the newest, when each came, oldest first."""

    kind: str
    job: str
    method: str
    error: str
    message: str
    files: int = 0
    times: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Failures:
    """What lies in failed/, in groups, the largest first; `seen` of `files` were looked at.

    `behind` has for a name those that failed because that one did.
    """

    files: int = 0
    seen: int = 0
    groups: list[Failure] = field(default_factory=list)
    behind: dict[str, list[str]] = field(default_factory=dict)


class Kept(Generic[_Survey]):
    """A survey that is made again when it is too old; only one thread makes it, and the others take the last one."""

    def __init__(
        self, make: Callable[[], _Survey], clock: Clock, is_whole: Callable[[_Survey], bool] = lambda _: True
    ) -> None:
        self._make = make
        self._is_whole = is_whole
        self._clock = clock
        self._lock = threading.Lock()
        self._made: _Survey | None = None
        self._good_until = 0.0

    def get(self) -> _Survey:
        """Return the survey."""
        made = self._made
        if made is not None and (self._clock.monotonic() < self._good_until or self._lock.locked()):
            return made
        with self._lock:
            began = self._clock.monotonic()
            if self._made is None or began >= self._good_until:
                self._made = self._make()
                now = self._clock.monotonic()
                share = _SHARE if self._is_whole(self._made) else _SHARE_AT_FIRST
                self._good_until = now + max(_SHORTEST, (now - began) * share)
            return self._made


class Surveys:
    """The surveys of one spool."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.waiting = Kept(self._waiting, desk.clock, _is_whole)
        self.failures = Kept(self._failures, desk.clock, _is_whole)

    def _waiting(self) -> Waiting:
        made, now = Waiting(), self._desk.clock.wall()
        config = self._desk.config
        found = list(self._glances(State.PENDING, made))
        for one in found:
            made.by_kind[one.kind] += 1
            for name in one.after:
                made.behind.setdefault(name, []).append(one.id)
            if one.group:
                made.by_group[one.group] += 1
            if one.due_at is not None and one.due_at <= now and not one.after:
                made.due += 1
                made.oldest_due = one.due_at if made.oldest_due is None else min(made.oldest_due, one.due_at)
        made.first = sorted(found, key=lambda one: start_key(one, config, now))[:_FIRST]
        return made

    def _failures(self) -> Failures:
        made = Failures()
        groups: dict[tuple[str, str], Failure] = {}
        for one in self._glances(State.FAILED, made):
            error = one.error_type or one.outcome
            kind = one.kind
            group = groups.get((kind, error))
            if group is None:
                group = Failure(kind, one.job, one.method, error, one.error or one.problem)
                groups[kind, error] = group
            group.files += 1
            for name in one.after if one.outcome == Outcome.DEPENDENCY_FAILED else ():
                made.behind.setdefault(name, []).append(one.id)
            group.times.append(one.came_at)
        for group in groups.values():
            group.times.reverse()
        made.groups = sorted(groups.values(), key=lambda group: -group.files)
        return made

    def _newest(self, state: State) -> Iterator[Came]:
        """The newest files of a folder, taken from the index a few at a time, so that nobody waits for it long."""
        cursor: str | None = ""
        left = MOST
        while cursor is not None and left > 0:
            page = self._desk.index.page(state, cursor, min(_STEP, left))
            yield from page.jobs
            left -= _STEP
            cursor = page.older

    def _glances(self, state: State, made: Waiting | Failures) -> Iterator[Glance]:
        """The newest files of a folder, newest first; those that were not seen before as far as the time reaches."""
        desk = self._desk
        made.files = desk.index.counts()[state]
        end = desk.clock.monotonic() + _BUDGET
        for came in self._newest(state):
            if not desk.glances.is_known(state, came.id) and desk.clock.monotonic() > end:
                continue
            found = desk.glances.of(state, came.id)
            if found is not None:
                made.seen += 1
                yield found


def _is_whole(made: Waiting | Failures) -> bool:
    """Whether as many files were seen as a survey looks at."""
    return made.seen >= min(made.files, MOST)
