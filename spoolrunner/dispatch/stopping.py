"""A graceful stop: the jobs that run are given time, then they are interrupted; a second stop does not wait.

When which of the two is done stands in the table of `phases`. How an attempt is ended is for `running`.
"""

from __future__ import annotations

import math

from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.telling.events import DispatcherStopping

HURRY_GRACE = 1.0
"""Seconds between the terminate signal and the kill when a second stop says not to wait."""


class Stopping:
    """The stop of one dispatcher. A chore: it interrupts the jobs when their time is over."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._interrupt_at = math.inf

    def begin(self) -> None:
        """Give the jobs that run `stop_grace` seconds from now."""
        self._rooms.running.stop_has_come()
        grace = self._rooms.config.stop_grace
        self._interrupt_at = self._rooms.clock.monotonic() + grace
        self._rooms.reporter.report(DispatcherStopping(len(self._rooms.running), grace))

    def hurry(self) -> None:
        """Interrupt the jobs that run, now, and kill them after HURRY_GRACE."""
        self._interrupt_at = math.inf
        self._rooms.running.interrupt_all(HURRY_GRACE)

    def next_in(self, now: float) -> float:
        """Seconds until the jobs are interrupted; infinite when no stop was asked for."""
        return max(0.0, self._interrupt_at - now)

    def work(self, now: float) -> None:
        """Interrupt the jobs that run, if their time is over."""
        if now >= self._interrupt_at:
            self._interrupt_at = math.inf
            self._rooms.running.interrupt_all()
