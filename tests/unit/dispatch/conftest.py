"""The rooms of a dispatcher, furnished with an executor that starts nothing, and everything it was told."""

from __future__ import annotations

import math
import os
from types import SimpleNamespace

import pytest

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.dispatch.reloading import Reloading
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.rooms import Rooms, furnish
from spoolrunner.dispatch.service import Service, Told
from spoolrunner.dispatch.surroundings import Surroundings
from spoolrunner.dispatch.watch import Hints
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey
from spoolrunner.protocol.states import State
from spoolrunner.spool import lock_lines, locks
from spoolrunner.spool.settling_rules import Boot
from spoolrunner.spool.traces import Marker
from spoolrunner.system.machine import Machine
from spoolrunner.telling.logfiles import LogFiles
from spoolrunner.telling.minutes import Minutes
from spoolrunner.telling.totals import Totals


class QuietExecutor:
    """Notes what it is told. `alive` are the pids of the processes that live; `fails` makes each start fail.

    `problem` is why it cannot get ready, `is_ready` whether it is. `given` are the assignments it was started with; `left_by`
    has the jobs of which an earlier attempt left something.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.given: list[Assignment] = []
        self.alive: set[int] = set()
        self.fails = False
        self.is_ready = True
        self.problem = ""
        self.trouble: list[str] = []
        self.left_by: dict[str, bool] = {}

    def prepare(self) -> None:
        if self.problem:
            raise StartError(self.problem)

    def next_in(self, now: float) -> float:
        return math.inf

    def work(self, now: float) -> None: ...

    def start(self, assignment: Assignment) -> None:
        if self.fails:
            raise StartError("no process to be had")
        self.told.append(("start", assignment.job_id))
        self.given.append(assignment)

    def adopt(self, key: AttemptKey, marker: Marker) -> None:
        self.told.append(("adopt", key.job_id))

    def lives(self, marker: Marker) -> bool:
        return marker.pid in self.alive

    def holder_of_removed(self, lock_path: str) -> None:
        return None

    def pid(self, key: AttemptKey) -> int:
        return 77

    def end_left(self, key: AttemptKey) -> int:
        return 0

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        self.told.append(("end what is left", job_id))
        return bool(self.left_by.get(job_id))

    def kill_holders(self, lock_path: str) -> None:
        self.told.append(("kill holders", os.path.basename(lock_path)))

    def ask_to_end(self, key: AttemptKey) -> None:
        self.told.append(("ask", key.job_id))

    def kill(self, key: AttemptKey) -> None:
        self.told.append(("kill", key.job_id))

    def is_gone(self, key: AttemptKey) -> bool:
        return True

    def forget(self, key: AttemptKey) -> None:
        self.told.append(("forget", key.job_id))

    def replan(self, plan) -> None:
        if self.fails:
            raise StartError("no process to be had")
        self.told.append(("replan", ""))


@pytest.fixture
def executor() -> QuietExecutor:
    return QuietExecutor()


@pytest.fixture
def events() -> list:
    """The events that were reported."""
    return []


@pytest.fixture
def furnished(config, spool, clock, executor, events):
    """Furnish a dispatcher's rooms, with these keys of config.json."""

    def make(**keys) -> Rooms:
        settings = config(spool=spool.layout.root, retry_interval=10, retry_jitter=0, **keys)
        reporter = Reporter(clock, [lambda event, _: events.append(event)])
        return furnish(settings, Boot("", has_markers=False), executor, reporter, clock)

    return make


@pytest.fixture
def rooms(furnished) -> Rooms:
    return furnished()


@pytest.fixture
def mark(spool):
    """Leave the start marker of a process for the file that is in running/ now."""

    def leave(job_id: str = "x", number: int = 1, pid: int = 77) -> None:
        stamp = spool.stamp(State.RUNNING, job_id)
        lock = locks.acquire(spool.layout.lock(job_id))
        assert lock is not None
        lock.append(Marker(lock_lines.START, number, *stamp, pid, "then", "2027-01-15T07:59:00.000000Z").line())
        lock.close()

    return leave


@pytest.fixture
def leave(spool):
    """Leave an outcome, as the process of a job does at its end."""

    def write(job_id: str = "x", made: str = "succeeded", number: int = 1, **fields: str) -> None:
        lock = locks.acquire(spool.layout.lock(job_id))
        assert lock is not None
        lock.append(lock_lines.outcome(number, made, "2027-01-15T07:59:30.000000Z", fields))
        lock.close()

    return write


@pytest.fixture
def begin(rooms, drop, clock):
    """Let a job wait and begin it, as the loop does."""

    def start(job_id: str = "x", **content) -> bool:
        drop(State.PENDING, job_id, content)
        rooms.intake.look(job_id)
        assert rooms.order.pop(clock.wall()) == job_id
        candidate = rooms.intake.take(job_id)
        assert candidate is not None
        return rooms.starter.begin(candidate)

    return start


@pytest.fixture
def places(spool):
    """Where the job files are: state folder -> names."""

    def look() -> SimpleNamespace:
        return SimpleNamespace(**{state.value: sorted(spool.names(state)) for state in State})

    return look


class StillWatch:
    """A watch that notices nothing by itself."""

    has_events, reason = True, ""

    def __init__(self, arrivals: str, control: str, wake) -> None:
        self.arrivals, self.control = Hints(wake), Hints(wake)

    def start(self) -> None: ...

    restart = stop = start


@pytest.fixture
def service(rooms, clock, executor):
    executor.close = executor.renew = lambda: None
    layout = rooms.spool.layout
    holder = Holder(layout, clock, Machine(), "boot")
    holder.begin()
    surroundings = Surroundings(clock=clock, watch=StillWatch, inbox=make_inbox(), weaknesses=lambda _: [])
    reloading = Reloading(rooms.config, executor, lambda config: config, rooms.reporter.report, clock)
    told = Told(LogFiles(layout, 1 << 20), Totals(), Minutes(layout, clock, 86400.0))
    made = Service(rooms, holder, surroundings, told, reloading)
    made.open()
    yield made
    made.close()
    made.logfiles.close()
    holder.end()
