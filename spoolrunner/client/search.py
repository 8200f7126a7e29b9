"""Finding jobs: one by its id, or many by what they are and how they went.

    job = get("20261123-174501-123456-7f3a9c")
    for job in jobs(state="failed", error="ValueError", newer="1d"):
        print(job.id, job.document)
    jobs(state="failed", error="ValueError").retry()

The search is lazy: a folder is listed when it is reached, and a job file is read when the loop comes to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from spoolrunner.client.job import Job
from spoolrunner.client.look import Look, check_id, find, look
from spoolrunner.client.settings import settings_in_force
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError, JobNotFoundError, nearest
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival
from spoolrunner.spool.folders import Spool
from spoolrunner.system import clock, times

Age = float | str | timedelta
States = str | Sequence[str] | None


def get(id: str, *, config: str | None = None) -> Job:  # noqa: A002 -- the word of the job file
    """Return the job of that id, looked at just now.

    One that waits or runs comes before those of the same id that are over; of these it is the one that ended last, which may
    lie there as ID~2. Raises JobNotFoundError when no such job lies in the spool, JobFormatError when `id` cannot be one,
    and ConfigError.
    """
    settings = settings_in_force(config)
    found = find(settings.layout, check_id(id))
    if found is None:
        raise JobNotFoundError(id)
    return Job(id, settings.layout.root, config=settings.path, look=found)


def jobs(
    *,
    state: States = None,
    job: str | None = None,
    method: str | None = None,
    group: str | None = None,
    error: str | None = None,
    match: str | None = None,
    older: Age | None = None,
    newer: Age | None = None,
    after: str | None = None,
    config: str | None = None,
) -> Jobs:
    """Return an iterator over the jobs that fit every filter given, by state (pending, running, done, failed), then by id.

    `state` is one state or several. `job` and `method` are those of the document, `group` is that of
    the document or else of its method's policy. `error` is the type of the last exception, with or
    without its module, or an outcome (`timed_out`, `cancelled`, `rejected` …). `match` is a text in
    the id, or in any name or value of the document. `older` and `newer` are durations, in seconds or like "1d": how
    long the job has lain in its folder. `after` is the `cursor` of an earlier search, which goes on behind it.

    Raises JobFormatError for a filter that means nothing, and ConfigError. A job that moves while the search runs may be
    met twice, or not at all.
    """
    settings = settings_in_force(config)
    found = Filter(job, method, group, error, match, seconds("older", older), seconds("newer", newer))
    return Jobs(settings, _states(state), found, after)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a job must be to be found; None asks nothing. `older` and `newer` are in seconds."""

    job: str | None = None
    method: str | None = None
    group: str | None = None
    error: str | None = None
    match: str | None = None
    older: float | None = None
    newer: float | None = None

    def fits(self, found: Look, settings: Config) -> bool:
        """Return whether a job fits, by all but its age."""
        document = found.document or {}
        return (
            (self.job is None or document.get("job") == self.job)
            and (self.method is None or document.get("method") == self.method)
            and (self.group is None or _group(document, settings) == self.group)
            and (self.error is None or self.error in _errors(found))
            and (self.match is None or any(self.match in text for text in _texts([found.id, document])))
        )

    def fits_age(self, path: str) -> bool:
        """Return whether the file at `path` came to its folder within the bounds; False when it is gone.

        When that was is for `arrival.came_at`.
        """
        if self.older is None and self.newer is None:
            return True
        try:
            age = clock.SYSTEM.wall() - arrival.came_at(os.lstat(path))
        except FileNotFoundError:
            return False  # Race: it moved on since the folder was listed.
        return (self.older is None or age >= self.older) and (self.newer is None or age < self.newer)


ANY = Filter()
"""What every job fits."""


class Jobs:
    """The jobs that a search finds, one at a time. `cursor` is where it stands: give it to `jobs(after=…)` to go on.

    `retry`, `cancel` and `discard` do that with all that are left of it, and return how many it was done with.
    """

    def __init__(
        self,
        settings: Config,
        states: list[State],
        wanted: Filter,
        after: str | None = None,
        *,
        backwards: bool = False,
    ) -> None:
        self._settings = settings
        self._backwards = backwards
        self._states = states
        self._wanted = wanted
        self.cursor = after or ""
        """`STATE/ID` of the job that came last; empty before the first."""
        self._found = self._search(states, *_position(after))

    def __iter__(self) -> Jobs:
        return self

    def __next__(self) -> Job:
        found = next(self._found)
        return Job(found.id, self._settings.layout.root, config=self._settings.path, look=found)

    def looks(self) -> Iterator[Look]:
        """Return what the search finds as looks, which are lighter than jobs."""
        return self._found

    def retry(self) -> int:
        """Move the jobs that failed or are done back to pending/, with a fresh budget; return how many moved.

        What was rejected would be rejected again, and what was cancelled was so on purpose: these are left, unless the search
        asks for them by `error`. JobFormatError when the search is not for state="failed", "done" or both. The error of a file
        that cannot be moved is raised when all others are.
        """
        from spoolrunner.client import bulk

        _only(self._states, (State.FAILED, State.DONE), "retry")
        chosen = bulk.retryable(self._settings.layout, self.looks(), self._wanted.error)
        done = [retried for _, retried in bulk.retry(self._settings, chosen.jobs)]
        _raise_first(retried.error for retried in done)
        return sum(retried.source is not None for retried in done)

    def cancel(self) -> int:
        """Ask the dispatcher to cancel the jobs that wait or run; return of how many it was asked, at once.

        JobFormatError when the search is not for state="pending", "running" or both.
        """
        from spoolrunner.client import operate

        _only(self._states, (State.PENDING, State.RUNNING), "cancel")
        return sum(operate.cancel(self._settings.layout, found.id) is not None for found in list(self.looks()))

    def discard(self) -> int:
        """Remove the jobs that wait or are over, with their logs; return how many were there to be removed.

        JobFormatError when the search is for running jobs too: these are to be cancelled. The OSError of a file that cannot be
        removed is raised when all others are.
        """
        from spoolrunner.client import bulk

        _only(self._states, (State.PENDING, State.DONE, State.FAILED), "discard")
        done = [gone for _, gone in bulk.discard(self._settings.layout, bulk.choose(self.looks()))]
        _raise_first(gone for gone in done if isinstance(gone, OSError))
        return sum(gone is True for gone in done)

    def _search(self, states: list[State], begun: State | None, last: str) -> Iterator[Look]:
        order = list(State)
        for state in states:
            if begun is not None and order.index(state) < order.index(begun):
                continue
            names = Spool(self._settings.layout).names(state)
            left = (name for name in names if state is not begun or name > last)
            for name in sorted(left, reverse=self._backwards):
                found = self._look(state, name)
                if found is not None:
                    self.cursor = f"{state.value}/{name}"
                    yield found

    def _look(self, state: State, name: str) -> Look | None:
        if not self._wanted.fits_age(self._settings.layout.job(state, name)):
            return None
        found = look(self._settings.layout, state, name)  # None: it moved on since the folder was listed
        return found if found is not None and self._wanted.fits(found, self._settings) else None


def _raise_first(errors: Iterable[Exception | None]) -> None:
    for error in errors:
        if error is not None:
            raise error


def _only(states: list[State], allowed: tuple[State, ...], verb: str) -> None:
    """Raise JobFormatError when a search is for states whose jobs one cannot do that with."""
    if not set(states) <= set(allowed):
        names = [state.value for state in allowed]
        raise JobFormatError(
            "state", f"{verb} is for {' and '.join(names)}: search with state={names!r}, or one of them"
        )


def _states(given: States) -> list[State]:
    if given is None:
        return list(State)
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in list(State):
            known = [state.value for state in State]
            raise JobFormatError("state", f"{name!r} is none of {', '.join(known)}{nearest(name, known)}")
    return [state for state in State if state in names]


def _position(cursor: str | None) -> tuple[State | None, str]:
    """The state in which a search goes on, and the name there behind which it does."""
    if not cursor:
        return None, ""
    state, slash, name = cursor.partition("/")
    if not slash or state not in list(State):
        raise JobFormatError("after", f"{cursor!r} is no cursor of an earlier search")
    return State(state), name


def seconds(key: str, age: Age | None) -> float | None:
    """Return an age in seconds, None for None; JobFormatError under that key for what is no duration."""
    if age is None:
        return None
    try:
        return times.parse_duration(age.total_seconds() if isinstance(age, timedelta) else age)
    except ValueError as error:
        raise JobFormatError(key, str(error)) from None


def _group(document: dict[str, Any], settings: Config) -> Any:
    """The group of a job: that of its method's policy, which is fixed, or else its own."""
    policy = settings.allowed.get(str(document.get("job")), {}).get(str(document.get("method")))
    return getattr(policy, "group", None) or document.get("group")


def _errors(found: Look) -> set[str]:
    """The words by which an error is asked for: the outcome, and the type of the exception with and without its module."""
    kind = str(found.error.get("type", ""))
    return {word for word in (found.outcome, kind, kind.rpartition(".")[2]) if word}


def _texts(value: Any) -> Iterator[str]:
    """Every name and value in JSON data, as text."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left += [*item, *item.values()]
        elif isinstance(item, list):
            left += item
        else:
            yield str(item)
