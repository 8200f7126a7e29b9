"""With `auto_prune`, what was kept long enough is removed from done/ and failed/, and what is left of jobs that are nowhere.

In slices, so that a million files hold up no start. Which time counts, and what goes with a job, is for `spool.retention`.
"""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from functools import partial

from spoolrunner.dispatch.divided import Slices
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.dispatch.scan import Scan
from spoolrunner.dispatch.sweep import guarded
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival, reason_files, retention
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.retention import Keep
from spoolrunner.telling.upkeep import Pruned

SLICE, SHARE = 0.002, 0.009
"""Seconds of a slice, and the share of all time for all of them."""
PERIOD = 60.0
"""Seconds from one run to the next at least, while the dispatcher is awake: it is not woken for that."""
LEFTOVERS_PERIOD = 3600.0
"""Seconds between two looks for logs and reasons of jobs that are nowhere."""
_MINUTE = 60
_MOST_AT_ONCE = 10_000
"""Jobs of one minute that a run removes because there are too many; the next runs remove the rest."""


class Retention:
    """The retention of one spool. A chore. A job stays that another one waits for.

    So it begins when all that waits has been looked at once.
    """

    def __init__(self, rooms: Rooms, scan: Scan) -> None:
        self._may_be_waited_for = rooms.may_be_waited_for
        self._scan = scan
        self._config = rooms.config
        self._layout = rooms.spool.layout
        self._report = rooms.reporter.report
        self._clock = rooms.clock
        self._slices = Slices(rooms.clock, SLICE, SHARE)
        self._ends = {state: Ends(self._layout, state) for state in (State.DONE, State.FAILED)}
        self._removed: dict[State, int] = {}
        self._next = self._leftovers_next = 0.0

    def next_in(self, now: float) -> float:
        """Seconds until the next slice; nobody is woken for the beginning of a run."""
        return self._slices.next_in(now)

    def work(self, now: float) -> None:
        """Begin a run if it is time, and do a slice of the one that is under way."""
        if not self._config.auto_prune:
            if self._slices.is_under_way:
                self.end()
            return
        if not self._slices.is_under_way and now >= self._next and self._scan.done:
            self._next = now + PERIOD
            self._slices.begin(self._steps(now))
        self._slices.work(now)

    def end(self) -> None:
        """Leave the rest undone: it is not wanted any more, or the dispatcher stops."""
        self._slices.end()

    def _steps(self, now: float) -> Generator[None, None, None]:
        config, left = self._config, 0
        self._removed = dict.fromkeys(self._ends, 0)
        for state, keep in ((State.DONE, config.keep_done), (State.FAILED, config.keep_failed)):
            yield from self._prune(state, keep)
        if now >= self._leftovers_next:
            self._leftovers_next = now + LEFTOVERS_PERIOD
            for is_removed in self._leftovers():
                left += is_removed
                yield None
        if left or any(self._removed.values()):
            self._report(Pruned(self._removed[State.DONE], self._removed[State.FAILED], left))

    def _prune(self, state: State, keep: Keep) -> Iterator[None]:
        """Remove what is too old, then what is too much."""
        wall, survey, ends = self._clock.wall(), Survey(), self._ends[state]
        before = wall - keep.age
        for found in retention.look_through(self._layout, state):
            if found is not None:
                ended = ends.of(*found, before)
                if ended < before:
                    self._remove(state, *found)
                elif keep.count is not None:
                    survey.add(ended)
            yield
        ends.were_read(wall)
        surplus = 0 if keep.count is None else survey.total - keep.count
        if surplus > 0:
            yield from self._prune_surplus(state, *survey.oldest(surplus))

    def _prune_surplus(self, state: State, minute: int, count: int) -> Iterator[None]:
        """Remove what ended before that minute, and so many of those that ended in it: the oldest ones."""
        oldest: list[tuple[float, str, os.stat_result]] = []  # a heap, the newest of them first
        for found in retention.look_through(self._layout, state):
            if found is not None:
                ended = self._ends[state].of(*found)
                if ended // _MINUTE < minute:
                    self._remove(state, *found)
                elif ended // _MINUTE == minute:
                    heapq.heappush(oldest, (-ended, *found))
                    if len(oldest) > min(count, _MOST_AT_ONCE):
                        heapq.heappop(oldest)
            yield
        for _, job_id, status in oldest:
            self._remove(state, job_id, status)
            yield

    def _remove(self, state: State, job_id: str, status: os.stat_result) -> None:
        """Remove the job whose file was found like that; another one of its id stays, which may have come since."""
        if not self._may_be_waited_for(job_id):
            remove = partial(retention.remove_if_same, self._layout, state, job_id, status)
            self._removed[state] += guarded(remove, self._report)

    def _leftovers(self) -> Iterator[bool]:
        before = self._clock.wall() - retention.LOG_AGE
        for folder, remove in (
            (self._layout.job_logs, retention.remove_log_if_left),
            (self._layout.folder(State.FAILED), reason_files.remove_if_left),
        ):
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield guarded(partial(remove, self._layout, entry.name, before), self._report)


class Survey:
    """How many jobs ended in which minute, by the hour: a year has few of these, and all is kept small."""

    def __init__(self) -> None:
        self.total = 0
        self._hours: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, ended: float) -> None:
        """Count one that ended then (seconds since 1970)."""
        self.total += 1
        minute = int(ended // _MINUTE)
        self._hours[minute // 60][minute] += 1

    def oldest(self, count: int) -> tuple[int, int]:
        """Return the minute (since 1970) in which the last of the `count` oldest ended, and how many of them ended in it."""
        for hour in sorted(self._hours):
            of_hour = sum(self._hours[hour].values())
            if count > of_hour:
                count -= of_hour
                continue
            for minute, of_minute in sorted(self._hours[hour].items()):
                if count <= of_minute:
                    return minute, count
                count -= of_minute
        raise ValueError("fewer jobs were counted")


class Ends:
    """When the jobs in one folder ended. The record of each file is read once, which shows whether its arrival says the same.

    It does but for files that were put there later, such as those of a restored backup; the ends of these are remembered.
    """

    SAME = 60.0
    """Seconds after its end within which a job comes to its folder, as a rule."""
    MOST_REMEMBERED = 20_000
    """If there are more of those others, every record is read in each run."""

    def __init__(self, layout: Layout, state: State) -> None:
        self._layout = layout
        self._state = state
        self._read_until = float("-inf")
        """Of each file that came before, the record was read."""
        self._others: dict[str, float] = {}
        self._met: dict[str, float] = {}
        """Those of the others that were met with since `were_read`."""

    def of(self, job_id: str, status: os.stat_result, before: float = float("-inf")) -> float:
        """Return when it ended, in seconds since 1970; one that came `before` that moment did so before it, too."""
        came = arrival.came_at(status)
        if came < before:
            return came
        if came < self._read_until:
            ended = self._others.get(job_id, came)
        else:
            ended = retention.ended_at(self._layout, self._state, job_id, status)
        if came - ended <= self.SAME:
            self._met.pop(job_id, None)
        elif len(self._met) <= self.MOST_REMEMBERED:
            self._met[job_id] = ended
        return ended

    def were_read(self, began: float) -> None:
        """Note that a run which began then (seconds since 1970) has met with every file."""
        is_too_much = len(self._met) > self.MOST_REMEMBERED
        self._read_until = float("-inf") if is_too_much else began - 1.0  # the clock of files is a little behind
        self._others, self._met = ({} if is_too_much else self._met), {}
