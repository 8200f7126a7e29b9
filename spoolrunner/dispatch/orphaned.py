"""Orphans that a dispatcher gets, because it is the first process of a container or asked for them: they are collected.

Nobody else would, and a zombie keeps its pid for as long as the dispatcher runs. A chore.
"""

from __future__ import annotations

import math

from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.executors.base import Executor
from spoolrunner.system import orphans

LOOK_PERIOD = 1.0
"""Seconds between looks while jobs run, or orphans are there."""
IDLE_PERIOD = 60.0
"""Seconds between looks otherwise: what is started in a container from outside may leave orphans, too."""


class Orphaned:
    """The orphans of one dispatcher. `is_program`: this process does nothing else, so that all its children are ours."""

    def __init__(self, executor: Executor, running: RunningAttempts, *, is_program: bool) -> None:
        self._executor = executor
        self._running = running
        self._gets_them = is_program and orphans.are_ours()
        self._may_be_some = True
        self._looked_at = -math.inf

    def next_in(self, now: float) -> float:
        """Seconds until the next look."""
        if not self._gets_them:
            return math.inf
        period = LOOK_PERIOD if self._may_be_some or len(self._running) else IDLE_PERIOD
        return max(0.0, self._looked_at + period - now)

    def work(self, now: float) -> None:
        """Collect those that have ended, if it is time to look."""
        if not self._gets_them:
            return
        self._may_be_some = self._may_be_some or len(self._running) > 0
        if self.next_in(now) > 0:
            return
        found = orphans.among(self._executor.children()) or []
        for pid in found:
            if orphans.is_ended(pid):
                orphans.collect(pid)
        self._looked_at, self._may_be_some = now, bool(found)
