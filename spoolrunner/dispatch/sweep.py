"""What the dead left behind is removed once an hour: staged files, locks, reasons, steps, and what was put off of lost jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from functools import partial

from spoolrunner.dispatch.divided import Slices
from spoolrunner.dispatch.one_file import is_of_one_file
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.dispatch.scan import Scan
from spoolrunner.protocol.states import State
from spoolrunner.spool import reason_files, step_files
from spoolrunner.spool.lock_files import sweep_lock
from spoolrunner.spool.sweeping import remove_steps_if_left
from spoolrunner.telling.events import Event
from spoolrunner.telling.troubles import NotSwept

SWEEP_PERIOD = 3600.0
SLICE, SHARE = 0.005, 0.05
"""Seconds of a slice of the sweep, and the share of all time for it: there may be a million files in failed/."""


def guarded(remove: Callable[[], object], report: Callable[[Event], None]) -> bool:
    """Remove something; return whether it was. What cannot be removed stays, and keeps nothing else from being removed.

    OSError when it is the disk that refuses.
    """
    try:
        return bool(remove())
    except OSError as error:
        if not is_of_one_file(error):
            raise
        report(NotSwept(str(error)))
        return False


class Sweep:
    """The sweep of one spool. A chore: it begins when there is nothing better to do."""

    def __init__(self, rooms: Rooms, scan: Scan) -> None:
        self._spool = rooms.spool
        self._report = rooms.reporter.report
        self._running = rooms.running
        self._register = rooms.register
        self._order = rooms.order
        self._clock = rooms.clock
        self._scan = scan
        self._slices = Slices(rooms.clock, SLICE, SHARE)
        self._next = 0.0

    def next_in(self, now: float) -> float:
        """Seconds until the next slice; nobody is woken for its beginning."""
        return self._slices.next_in(now)

    def work(self, now: float) -> None:
        """Begin when the dispatcher is idle, or an hour overdue; then go on, slice by slice."""
        if (
            not self._slices.is_under_way
            and now >= self._next
            and (self._is_idle() or now >= self._next + SWEEP_PERIOD)
        ):
            self._next = now + SWEEP_PERIOD
            self._slices.begin(self._steps())
        self._slices.work(now)

    def end(self) -> None:
        """Leave the rest undone: the dispatcher stops."""
        self._slices.end()

    def _is_idle(self) -> bool:
        return not self._scan.is_under_way and not self._order.is_due(self._clock.wall())

    def _steps(self) -> Generator[bool, None, None]:
        layout = self._spool.layout
        yield guarded(lambda: self._spool.sweep_tmp(self._clock.wall()), self._report)
        with os.scandir(layout.folder(State.FAILED)) as entries:
            for entry in entries:
                yield guarded(partial(reason_files.remove_if_left, layout, entry.name), self._report)
        before = self._clock.wall() - SWEEP_PERIOD
        for name in step_files.names(layout):
            yield guarded(partial(remove_steps_if_left, layout, name, before), self._report)
        with os.scandir(layout.locks) as entries:
            for entry in entries:
                yield guarded(partial(self._sweep_lock, entry.name), self._report)
        for job_id in self._register.ids():
            yield self._forget_if_gone(job_id)

    def _is_gone(self, job_id: str) -> bool:
        return job_id not in self._running and not self._spool.waits_or_runs(job_id)

    def _sweep_lock(self, entry: str) -> None:
        """Remove the lock file of an id that neither waits nor runs."""
        job_id, _, ending = entry.rpartition(".")
        if ending == "lock" and self._is_gone(job_id):
            sweep_lock(self._spool, job_id)

    def _forget_if_gone(self, job_id: str) -> bool:
        """Forget what was put off of an id that neither waits nor runs any more."""
        is_gone = self._is_gone(job_id)
        if is_gone:
            self._register.clear(job_id, *Why)
        return is_gone
