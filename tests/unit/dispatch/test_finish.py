"""When the end has come, above all that of a drain: beside what cannot be started or moved, and with the number of it."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.finish import DRAIN_TRIES, Finish
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.scan import Scan
from spoolrunner.protocol.states import State


@pytest.fixture
def finish(rooms, clock) -> Finish:
    """That of a dispatcher which has scanned an empty spool."""
    scan = Scan(rooms.spool, rooms.intake, clock, lambda: True, lambda now: 1.0)
    scan.start()
    while scan.is_under_way:
        scan.work(clock.monotonic())
    return Finish(rooms, scan, lambda: True)


def is_drained(finish: Finish) -> bool:
    return finish.has_come(Phase.SERVING, drain=True)


def test_nothing_to_do(finish) -> None:
    """An empty spool is drained, and nothing is left."""
    assert is_drained(finish)
    assert not finish.has_come(Phase.SERVING, drain=False)
    assert finish.unstarted == 0


def test_a_due_job(finish, rooms, drop) -> None:
    """A drain waits for what is due, and for what runs."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    assert not is_drained(finish)
    assert rooms.starter.begin(rooms.intake.take(rooms.order.pop(rooms.clock.wall())))
    assert not is_drained(finish)


def test_what_cannot_be_started(finish, rooms, drop, executor, clock) -> None:
    """After a few failures a drain ends, whatever is due, and says how much that is."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    executor.problem = "no module"
    for _ in range(DRAIN_TRIES):
        assert not is_drained(finish)
        rooms.readiness.work(clock.monotonic())
        rooms.readiness.is_given()
        clock.advance(rooms.readiness.next_in(clock.monotonic()))
    assert is_drained(finish)
    assert finish.unstarted == 1


@pytest.mark.parametrize("why", [Why.NOT_STARTED, Why.LOCK_HELD, Why.FILE_HELD, Why.NOT_CANCELLED])
def test_what_is_put_off(finish, rooms, clock, why) -> None:
    """A drain ends beside a job that could not be started and is put off, and says that one is left."""
    rooms.register.put_off("x", why, clock.monotonic(), 5.0)
    assert is_drained(finish)
    assert finish.unstarted == 1


def test_a_pause_ends_a_drain(finish, rooms, drop) -> None:
    """Where nothing may be started a drain has nothing to wait for."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    assert finish.has_come(Phase.PAUSED, drain=True)
    assert not finish.has_come(Phase.BLOCKED, drain=True)


def test_a_stop(finish, begin) -> None:
    """A stop waits for what runs, a stop that leaves does not."""
    assert finish.has_come(Phase.STOPPING, drain=False)
    begin("x")
    assert not finish.has_come(Phase.STOPPING, drain=False)
    assert finish.has_come(Phase.LEAVING, drain=False)
