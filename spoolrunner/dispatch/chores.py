"""What a dispatcher does again and again: each chore knows when it has something to do, and does it.

The loop waits for the least of all `next_in`, then lets every chore work in turn; `work` does nothing when it is not time yet.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from spoolrunner.config.load import Config
from spoolrunner.dispatch.candidate import Candidate
from spoolrunner.dispatch.intake import LOOK_SLICE, Intake
from spoolrunner.dispatch.one_file import is_of_one_file
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.errors import StartError
from spoolrunner.spool import output
from spoolrunner.spool.folders import Spool
from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Event, StatusNotWritten
from spoolrunner.telling.status import StatusFile

CUT_PERIOD = 1.0
"""Seconds between looks at the size of the logs of running jobs."""
_HINTS_A_TURN = 500
LONGEST_WAIT = 60.0
"""Seconds after which the clocks are looked at again, whatever is due: the wall clock may have jumped."""


class Chore(Protocol):
    """Something that is to be done again and again."""

    def next_in(self, now: float) -> float:
        """Seconds until there is something to do, not below 0; infinite when nothing is foreseen. `now` is monotonic."""

    def work(self, now: float) -> None:
        """Do what is due now. OSError when the spool cannot be worked on."""


def wait_for(chores: Iterable[Chore], now: float) -> float:
    """Seconds until one of the chores has something to do, LONGEST_WAIT at most."""
    least = LONGEST_WAIT
    for chore in chores:
        seconds = chore.next_in(now)
        if seconds <= 0.0:
            return 0.0
        least = min(least, seconds)
    return least


def those_that_wake(chores: Iterable[Chore]) -> list[Chore]:
    """The chores that have a time; the others are done when the dispatcher is awake anyway."""
    return [chore for chore in chores if chore.next_in is not _never]


def _never(now: float) -> float:  # noqa: ARG001 -- a chore that does not wake the dispatcher
    return math.inf


class Do:
    """A chore made of functions. Without `next_in` it does not wake the dispatcher: it is done when that is awake anyway."""

    def __init__(self, work: Callable[[float], None], next_in: Callable[[float], float] = _never) -> None:
        self.work = work
        self.next_in = next_in


class Arrivals:
    """Looks at the files of which there were events, some in a turn, for a slice of time at most.

    Those that came first and those that came last have turns: a hundred thousand that came at once hide none that comes now.
    """

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock
        self.names: deque[str] = deque()
        """Names of files in pending/ that are still to be looked at."""

    def next_in(self, now: float) -> float:  # noqa: ARG002 -- as every chore
        """0 while there are names."""
        return 0.0 if self.names else math.inf

    def work(self, now: float) -> None:  # noqa: ARG002 -- as every chore
        """Look at some of them."""
        if not self.names:
            return
        until = self._clock.monotonic() + LOOK_SLICE
        for turn in range(min(_HINTS_A_TURN, len(self.names))):
            self._intake.hint(self.names.popleft() if turn % 2 == 0 else self.names.pop())
            if self._clock.monotonic() >= until:
                break


class Starts:
    """Starts due jobs while there are places, and processes to be had."""

    def __init__(self, rooms: Rooms, phase: Callable[[], Phase]) -> None:
        self._rooms = rooms
        self._phase = phase

    def next_in(self, now: float) -> float:  # noqa: ARG002 -- what is due is told by the wall clock
        """0 when a job can be started, else the time until the next one is due."""
        if self._can_start() and self._rooms.readiness.may_be_given:
            return 0.0
        due_at = None if self._phase().is_paused else self._rooms.order.next_due_at()
        return math.inf if due_at is None else max(0.0, due_at - self._rooms.clock.wall())

    def work(self, now: float) -> None:  # noqa: ARG002 -- as above
        """Start what is due, as long as there are places, for a slice of time."""
        if not self._can_start():
            return
        until = self._rooms.clock.monotonic() + LOOK_SLICE
        while self._can_start() and self._rooms.readiness.is_given():
            if self._rooms.clock.monotonic() >= until:
                return  # a thousand may have expired while they waited, and each is a write and a sync
            job_id = self._rooms.order.pop(self._rooms.clock.wall(), self._rooms.admission.ask)
            if job_id in self._rooms.cancelling.left:
                self._rooms.cancelling.cancel_instead(job_id)
                continue
            candidate = None if job_id is None else self._rooms.intake.take(job_id)
            if candidate is None:
                continue
            if candidate.lane == self._rooms.order.popped:
                self._begin(candidate)
            else:
                self._rooms.intake.look(candidate.job_id)  # it was changed, or config.json: other limits may hold it up

    def _can_start(self) -> bool:
        rooms = self._rooms
        if not self._phase().starts or rooms.running.at_work >= rooms.config.concurrency:
            return False
        return rooms.order.is_due(rooms.clock.wall())

    def _begin(self, candidate: Candidate) -> None:
        try:
            if self._rooms.starter.begin(candidate):
                self._rooms.readiness.came_about()
        except StartError as error:
            self._rooms.readiness.failed(str(error))


class CutLogs:
    """Keeps the logs of running jobs within the limit; looks at each once a second, when the dispatcher is awake anyway."""

    def __init__(self, spool: Spool, running: RunningAttempts, config: Config) -> None:
        self._layout = spool.layout
        self._running = running
        self._config = config
        self._next = 0.0

    next_in = staticmethod(_never)

    def work(self, now: float) -> None:
        """Cut the logs that have outgrown the limit."""
        if now < self._next:
            return
        self._next = now + CUT_PERIOD
        for attempt in self._running.all():
            output.cut(self._layout.log(attempt.key.job_id), self._config.max_log_bytes)


class WriteStatus:
    """Writes status.json. Where that file alone is refused to us it is reported, once, and nothing waits for it.

    `can_write` returns the error of a trial, which shows whether it is the disk that refuses; None when it went well.
    """

    def __init__(
        self,
        file: StatusFile,
        describe: Callable[[], dict[str, Any]],
        report: Callable[[Event], None],
        can_write: Callable[[], OSError | None],
    ) -> None:
        self._file = file
        self._can_write = can_write
        self._describe = describe
        self._report = report
        self._problem = ""

    def next_in(self, now: float) -> float:  # noqa: ARG002 -- the file knows the time
        """Seconds until a status that came too soon may be written."""
        return self._file.next_write_in()

    def work(self, now: float) -> None:  # noqa: ARG002 -- as above
        """Write it, if it is new and time for it."""
        try:
            self._file.offer(self._describe)
        except OSError as error:
            at_fault = self._can_write() if is_of_one_file(error) else error
            if at_fault is not None:
                raise at_fault from None
            before, self._problem = self._problem, error.strerror or str(error)
            if self._problem != before:
                self._report(StatusNotWritten(self._problem))


class Once:
    """Something to be done once, at a time that is set later."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self.at: float | None = None
        """When (monotonic); None when it is not to be done."""

    def next_in(self, now: float) -> float:
        """Seconds until it is to be done."""
        return math.inf if self.at is None else max(0.0, self.at - now)

    def work(self, now: float) -> None:
        """Do it, if its time has come."""
        if self.at is not None and now >= self.at:
            self.at = None
            self._do()
