"""The order in which waiting jobs start: due ones by priority with aging, the others by time.

Pure; knows neither files nor clocks. A job of priority p counts as if it had become due `p * aging` seconds earlier. That
key never changes, so a heap suffices and nothing starves; aging 0 means strict priority.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Waiting(NamedTuple):
    """A waiting job: when it may run (seconds since 1970) and how important it is."""

    due_at: float
    priority: int


_Entry = tuple[float, float, str]
"""(first key, second key, job_id) of a job that is due; (due_at, priority, job_id) of one that is not.

The same tuple stands in the heap and in the table of jobs: 1,000,000 waiting jobs are kept, and are known from entries that a
change left behind, by identity and without another object each.
"""


class Order:
    """The waiting jobs by id. `aging` is in seconds a step of priority.

    When that is set to another value, jobs that are known keep their place until they are added again.
    """

    def __init__(self, aging: float) -> None:
        self.aging = aging
        self._jobs: dict[str, _Entry] = {}
        self._ready: list[_Entry] = []
        self._later: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def add(self, job_id: str, waiting: Waiting, now: float) -> None:
        """Add a job, or change what is known of it."""
        is_due = waiting.due_at <= now
        entry = self._ready_entry(*waiting, job_id) if is_due else (waiting.due_at, waiting.priority, job_id)
        if self._jobs.get(job_id) == entry:
            return
        self._jobs[job_id] = entry
        heappush(self._ready if is_due else self._later, entry)
        self._drop_stale_if_many()

    def remove(self, job_id: str) -> None:
        """Forget a job; nothing when it is not known."""
        self._jobs.pop(job_id, None)

    def due(self, now: float) -> int:
        """About how many may run now: entries that a change left behind in the heap of later ones are counted too."""
        self._ripen(now)
        return max(0, len(self._jobs) - len(self._later))

    def is_due(self, now: float) -> bool:
        """Whether there may be something to `pop`."""
        self._ripen(now)
        return bool(self._ready)

    def pop(self, now: float) -> str | None:
        """Take the next job to start out of the order, or None when none is due.

        A job that was due once stays so when the clock is set back: its file is read again before it is claimed.
        """
        self._ripen(now)
        while self._ready:
            entry = heappop(self._ready)
            job_id = entry[2]
            if self._jobs.get(job_id) is entry:
                del self._jobs[job_id]
                return job_id
        return None

    def next_due_at(self) -> float | None:
        """When the next job becomes due that is not due yet, in seconds since 1970."""
        while self._later:
            entry = self._later[0]
            if self._jobs.get(entry[2]) is entry:
                return entry[0]
            heappop(self._later)
        return None

    def _ready_entry(self, due_at: float, priority: float, job_id: str) -> _Entry:
        if self.aging:
            return (due_at - priority * self.aging if priority else due_at), due_at, job_id
        return -float(priority), due_at, job_id

    def _ripen(self, now: float) -> None:
        while (due_at := self.next_due_at()) is not None and due_at <= now:
            entry = self._ready_entry(*heappop(self._later))
            self._jobs[entry[2]] = entry
            heappush(self._ready, entry)

    def _drop_stale_if_many(self) -> None:
        # A changed or removed job leaves its old entry in a heap until that comes up; do not let them outnumber the jobs.
        if len(self._ready) + len(self._later) <= 2 * len(self._jobs) + 64:
            return
        self._ready = [entry for entry in self._ready if self._jobs.get(entry[2]) is entry]
        self._later = [entry for entry in self._later if self._jobs.get(entry[2]) is entry]
        heapify(self._ready)
        heapify(self._later)
