"""The order in which waiting jobs start: due ones by priority with aging, the others by time.

Pure; knows neither files nor clocks. A job of priority p counts as if it had become due `p * aging` seconds earlier. That
key never changes, so a heap suffices and nothing starves; aging 0 means strict priority. Which of the due jobs may start is for
`lanes`: one that waits for a limit keeps its place, and holds up nobody behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from spoolrunner.dispatch.lanes import Ask, Entry, Held, Lane, LaneKey, Lanes
from spoolrunner.dispatch.postponed import Key

NO_LANE = LaneKey("", "")
"""The lane of jobs that nothing is known of."""


class Waiting(NamedTuple):
    """A waiting job: when it may run (seconds since 1970), how important it is, and whose limits it shares."""

    due_at: float
    priority: int
    lane: LaneKey = NO_LANE


def _anybody(_: LaneKey) -> None:
    return None


class Order:
    """The waiting jobs by id. `aging` is in seconds a step of priority.

    When that is set to another value, jobs that are known keep their place until they are added again.

    One tuple stands in a heap and in the table of jobs: 1,000,000 waiting jobs are kept, and are known from entries that a
    change left behind, by identity and without another object each.
    """

    def __init__(self, aging: float) -> None:
        self.aging = aging
        self._jobs: dict[str, Entry] = {}
        self._lanes = Lanes(self._jobs)
        self._later: list[Entry] = []
        self._left_behind = 0
        self.popped = NO_LANE
        """The lane of the job that was taken out last, as it was known then."""

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def add(self, job_id: str, waiting: Waiting, now: float) -> None:
        """Add a job, or change what is known of it."""
        due_at, priority, key = waiting
        lane, known = self._lanes.enter(key), self._jobs.get(job_id)
        is_due = due_at <= now
        entry = self._ready_entry(due_at, priority, job_id, lane) if is_due else (due_at, priority, job_id, lane)
        if known == entry:
            self._lanes.leave(lane)
            return
        self._jobs[job_id] = entry
        if known is not None:
            self._lanes.leave(known[3])
        if is_due:
            self._lanes.push(entry)
        else:
            heappush(self._later, entry)
        if known is not None:
            self._drop_stale_if_many()

    def remove(self, job_id: str) -> None:
        """Forget a job; nothing when it is not known."""
        known = self._jobs.pop(job_id, None)
        if known is not None:
            self._lanes.leave(known[3])
            self._drop_stale_if_many()

    def due(self, now: float) -> int:
        """About how many may run now: entries that a change left behind in the heap of later ones are counted too."""
        self._ripen(now)
        return max(0, len(self._jobs) - len(self._later))

    def is_due(self, now: float) -> bool:
        """Whether there may be something to `pop`."""
        self._ripen(now)
        return bool(self._lanes)

    def pop(self, now: float, ask: Ask = _anybody) -> str | None:
        """Take the next job to start out of the order, or None when none is due that may start.

        `ask` says of a lane whether its jobs may start now, or which key they wait for. A job that was due once stays so when
        the clock is set back: its file is read again before it is claimed.
        """
        self._ripen(now)
        entry = self._lanes.pop(ask)
        if entry is None:
            return None
        job_id = entry[2]
        del self._jobs[job_id]
        self.popped = entry[3].key
        self._lanes.leave(entry[3])
        return job_id

    def free(self, key: Key) -> None:
        """What waits for this key may be asked for again."""
        self._lanes.free(key)

    def held(self) -> Iterator[Held]:
        """What due jobs wait for."""
        return self._lanes.held()

    def next_due_at(self) -> float | None:
        """When the next job becomes due that is not due yet, in seconds since 1970."""
        while self._later:
            entry = self._later[0]
            if self._jobs.get(entry[2]) is entry:
                return entry[0]
            heappop(self._later)
        return None

    def _ready_entry(self, due_at: float, priority: float, job_id: str, lane: Lane) -> Entry:
        if self.aging:
            return (due_at - priority * self.aging if priority else due_at), due_at, job_id, lane
        return -float(priority), due_at, job_id, lane

    def _ripen(self, now: float) -> None:
        while (due_at := self.next_due_at()) is not None and due_at <= now:
            entry = self._ready_entry(*heappop(self._later))
            self._jobs[entry[2]] = entry
            self._lanes.push(entry)

    def _drop_stale_if_many(self) -> None:
        # A changed or removed job leaves its old entry in a heap until that comes up; do not let them outnumber the jobs.
        self._left_behind += 1
        if self._left_behind <= len(self._jobs) + 64:
            return
        self._left_behind = 0
        self._later = [entry for entry in self._later if self._jobs.get(entry[2]) is entry]
        heapify(self._later)
        self._lanes.drop_stale()
