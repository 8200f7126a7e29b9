"""Long work that holds nothing up: it is done bit by bit, a slice of time in a turn, and takes a share of all time at most."""

from __future__ import annotations

import math
from collections.abc import Generator

from spoolrunner.system.clock import Clock


class Slices:
    """The slices of one such work; `seconds` is the length of one, `share` that of all time which they may take together."""

    def __init__(self, clock: Clock, seconds: float, share: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._share = share
        self._steps: Generator[object, None, None] | None = None
        self._next = -math.inf

    @property
    def is_under_way(self) -> bool:
        """Whether there is something left to do."""
        return self._steps is not None

    def begin(self, steps: Generator[object, None, None]) -> None:
        """Take up a work: what is done between two values of `steps` is not divided."""
        self._steps = steps

    def end(self) -> None:
        """Leave the rest undone, and close what it has open."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None

    def next_in(self, now: float) -> float:
        """Seconds until the next slice; infinite when there is nothing to do."""
        return math.inf if self._steps is None else max(0.0, self._next - now)

    def work(self, now: float) -> None:
        """Do a slice, if it is time for it. An error ends the work."""
        steps = self._steps
        if steps is None or now < self._next:
            return
        began, is_done = self._clock.monotonic(), True
        self._steps = None
        for _ in steps:
            if self._clock.monotonic() - began >= self._seconds:
                is_done = False
                break
        if not is_done:
            self._steps = steps
        ended = self._clock.monotonic()
        self._next = ended + (ended - began) * (1 / self._share - 1)
