"""When open pages are to look again: after each change in the spool, twice a second at most, at little cost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from spoolrunner.system.clock import Clock

LEAST = 0.5
"""Seconds between two looks of a page at least."""
MOST = 30.0
"""Seconds after which a page looks again though nothing is heard of: what is due, for one, changes by time alone."""
WHILE_RUNNING = 2.0
"""The same while jobs run, whose progress is no event."""
SHARE = 0.1
"""The share of one core that all looks together may take: with many pages open each looks less often."""
_AROUND = 0.001
"""Seconds that a look costs beside the drawing of its page, measured: the request, the stream, the tag."""
_WEIGHT = 0.2
"""How much the last look counts in the average of what a look costs."""


class Pulse:
    """Tells open pages when to look again. `heard` is a number that grows with each change, and waits for nobody."""

    def __init__(self, heard: Callable[[], int], clock: Clock) -> None:
        self._heard, self._clock = heard, clock
        self._lock = threading.Lock()
        self._touched = 0
        self._cost = 0.0
        self.is_busy = False
        """Whether jobs ran when a page was drawn last."""
        self.streams = 0
        """How many pages listen now."""

    def version(self) -> str:
        """Return a text that changes whenever a page may look different: the tag of what is drawn now."""
        period = WHILE_RUNNING if self.is_busy else MOST
        return f"{self._heard()}-{self._touched}-{period:g}-{self._clock.wall() // period:.0f}"

    def touch(self) -> None:
        """Have pages look again for a change that is no file."""
        with self._lock:
            self._touched += 1

    def spent(self, seconds: float) -> None:
        """Take note of how long the page of a look took to draw, in seconds of a core."""
        with self._lock:
            self._cost += _WEIGHT * (seconds - self._cost)

    def pace(self) -> float:
        """Return for how many seconds a page that has just looked is to wait."""
        return min(max(LEAST, self.streams * (self._cost + _AROUND) / SHARE), MOST)
