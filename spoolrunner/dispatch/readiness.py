"""Whether jobs can be started at all. When they cannot, that is trouble of ours: nothing is claimed, and it is tried again.

if readiness.is_given(): ...    # claim and start a job
"""

from __future__ import annotations

import math
from collections.abc import Callable

from spoolrunner.errors import StartError
from spoolrunner.executors.base import Executor
from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Blocked, Event, GoingOn

MAX_PAUSE = 30.0
"""Seconds between two tries at most."""


class Readiness:
    """Asks the executor before each start, and after a failure again, ever more rarely. A chore.

    `problem` says why no job can be started; empty when that is not so. `failures` counts the tries in a row that failed.
    """

    def __init__(self, executor: Executor, report: Callable[[Event], None], clock: Clock) -> None:
        self._executor = executor
        self._report = report
        self._clock = clock
        self.problem = ""
        self.failures = 0
        self._again_at: float | None = None
        """When it is tried again (monotonic); None while nothing keeps us from that."""
        self._was_ready = False
        """Whether the executor took itself for ready when it failed: then only time can tell."""
        self.is_wanted: Callable[[], bool] = lambda: True
        """Whether jobs are to be started at all; a dispatcher that is to end gets nothing ready."""

    def is_given(self) -> bool:
        """Whether a job can be started now. If not, `may_be_given` tells without effect whether to ask again."""
        if self._is_held():
            return False
        self._again_at = None
        try:
            self._executor.prepare()
        except StartError as error:
            self.failed(str(error))
            return False
        if self._executor.is_ready and self.problem and not self._was_ready:
            self.came_about()
        return self._executor.is_ready

    @property
    def may_be_given(self) -> bool:
        """Whether a job can be started now as far as is known. The loop is woken when that changes."""
        return not self._is_held() and self._executor.is_ready

    def came_about(self) -> None:
        """A start came about."""
        self.failures = 0
        if self.problem:
            self.problem = ""
            self._report(GoingOn())

    def failed(self, problem: str) -> None:
        """No process was to be had. Reported once for each problem; what comes of the same try counts once."""
        if self._again_at is not None and self._clock.monotonic() < self._again_at:
            return
        pause = min(MAX_PAUSE, 2.0**self.failures)
        self.failures += 1
        self._again_at = self._clock.monotonic() + pause
        self._was_ready = self._executor.is_ready
        if problem != self.problem:
            self.problem = problem
            self._report(Blocked(problem, pause))

    def next_in(self, now: float) -> float:
        """Seconds until the next try; infinite when none is foreseen: the executor wakes the loop when it is ready."""
        return math.inf if self._again_at is None or not self.is_wanted() else max(0.0, self._again_at - now)

    def work(self, now: float) -> None:  # noqa: ARG002 -- as every chore
        """Get the executor ready, if it is not: also while no job is due."""
        if self.is_wanted() and (self.problem or not self._executor.is_ready):
            self.is_given()

    def _is_held(self) -> bool:
        if self._again_at is None or self._clock.monotonic() >= self._again_at:
            return False
        return self._was_ready or not self._executor.is_ready
