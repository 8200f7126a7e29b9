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


class Schedule:
    """The waiting jobs by name. `aging` is in seconds a step of priority."""

    def __init__(self, aging: float) -> None:
        self._aging = aging
        self._jobs: dict[str, Waiting] = {}
        self._ready: list[tuple[float, float, str]] = []
        self._later: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, name: str) -> bool:
        return name in self._jobs

    def add(self, name: str, waiting: Waiting, now: float) -> None:
        """Add a job, or change what is known of it."""
        known = self._jobs.get(name)
        if known == waiting:
            return
        self._jobs[name] = waiting
        if waiting.due_at <= now:
            heappush(self._ready, (*self._key(waiting), name))
        else:
            heappush(self._later, (waiting.due_at, name))
        self._drop_stale_if_many()

    def remove(self, name: str) -> None:
        """Forget a job; nothing when it is not known."""
        self._jobs.pop(name, None)

    def due(self, now: float) -> int:
        """About how many may run now: entries that a change left behind in the heap of later ones are not told apart."""
        self._ripen(now)
        return max(0, len(self._jobs) - len(self._later))

    def is_due(self, now: float) -> bool:
        """Whether there may be something to `pop`."""
        self._ripen(now)
        return bool(self._ready)

    def pop(self, now: float) -> str | None:
        """Take the next job to start out of the schedule, or None when none is due.

        A job that was due once stays so when the clock is set back: whoever claims it reads its file again anyway.
        """
        self._ripen(now)
        while self._ready:
            first, second, name = heappop(self._ready)
            waiting = self._jobs.get(name)
            if waiting is not None and self._key(waiting) == (first, second):
                del self._jobs[name]
                return name
        return None

    def next_due_at(self) -> float | None:
        """When the next job becomes due that is not due yet, in seconds since 1970."""
        while self._later:
            due_at, name = self._later[0]
            waiting = self._jobs.get(name)
            if waiting is not None and waiting.due_at == due_at:
                return due_at
            heappop(self._later)
        return None

    def _key(self, waiting: Waiting) -> tuple[float, float]:
        if self._aging:
            return waiting.due_at - waiting.priority * self._aging, waiting.due_at
        return -float(waiting.priority), waiting.due_at

    def _ripen(self, now: float) -> None:
        while (due_at := self.next_due_at()) is not None and due_at <= now:
            _, name = heappop(self._later)
            heappush(self._ready, (*self._key(self._jobs[name]), name))

    def _drop_stale_if_many(self) -> None:
        # A changed or removed job leaves its old entry in a heap until that comes up; do not let them outnumber the jobs.
        if len(self._ready) + len(self._later) <= 2 * len(self._jobs) + 64:
            return
        self._ready = [(a, b, n) for a, b, n in self._ready if n in self._jobs and self._key(self._jobs[n]) == (a, b)]
        self._later = [(due, n) for due, n in self._later if n in self._jobs and self._jobs[n].due_at == due]
        heapify(self._ready)
        heapify(self._later)
