"""When a dispatcher has come to its end, and what it leaves undone."""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import KEEPS_FROM_START, Why
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.dispatch.scan import Scan

DRAIN_TRIES = 3
"""Failures in a row to start a job, after which `--drain` ends without. The third comes after three seconds."""


class Finish:
    """The end of one dispatcher. `all_is_heard` returns whether no event waits to be looked at."""

    def __init__(self, rooms: Rooms, scan: Scan, all_is_heard: Callable[[], bool]) -> None:
        self._rooms = rooms
        self._scan = scan
        self._all_is_heard = all_is_heard

    def has_come(self, phase: Phase, *, drain: bool) -> bool:
        """Whether a stop is carried out or, with `drain`, nothing is due and nothing runs.

        A drain also ends while it is paused, when what is due cannot be started, and beside what is put off.
        """
        rooms = self._rooms
        # What has ended, but whose files are refused to us, is left to the next dispatcher, and so is all on a full disk.
        runs = not rooms.running.all_exited or len(rooms.running) > rooms.register.count(Why.NOT_SETTLED)
        if phase.is_ending:
            may_leave = not phase.works and rooms.running.all_exited
            return phase is Phase.LEAVING or not runs or may_leave
        if not drain or runs or rooms.register.count(Why.NOT_RESOLVED) or not phase.works:
            return False
        return phase.is_paused or rooms.readiness.failures >= DRAIN_TRIES or self._is_idle()

    def _is_idle(self) -> bool:
        rooms, scan = self._rooms, self._scan
        if scan.is_under_way or not scan.done or rooms.intake.has_unread or not self._all_is_heard():
            return False
        return not rooms.has_work

    @property
    def unstarted(self) -> int:
        """How many jobs are due and could not be started so far."""
        return self._rooms.order.due(self._rooms.clock.wall()) + self._rooms.register.count(*KEEPS_FROM_START)
