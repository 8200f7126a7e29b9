"""Whether jobs can be started: asked before each start, and after a failure ever more rarely."""

from __future__ import annotations

import math

import pytest

from spoolrunner.dispatch.readiness import MAX_PAUSE, Readiness
from spoolrunner.telling.events import Blocked, GoingOn


@pytest.fixture
def readiness(executor, events, clock) -> Readiness:
    return Readiness(executor, events.append, clock)


def test_an_executor_that_is_ready(readiness, events, clock) -> None:
    """A start is given, nothing is said, and nothing has to be done."""
    assert readiness.is_given()
    assert (readiness.may_be_given, readiness.next_in(clock.monotonic()), events) == (True, math.inf, [])


def test_one_that_gets_ready(readiness, executor, events, clock) -> None:
    """While it gets ready no start is given, and who waits is woken by it: that is no trouble."""
    executor.is_ready = False
    readiness.work(clock.monotonic())
    assert not readiness.is_given()
    assert (readiness.may_be_given, readiness.next_in(clock.monotonic()), readiness.problem) == (False, math.inf, "")
    executor.is_ready = True
    assert (readiness.may_be_given, readiness.is_given(), events) == (True, True, [])


def test_one_that_cannot(readiness, executor, events, clock) -> None:
    """It is said once for each reason, tried after growing pauses, and said when it goes on."""
    executor.is_ready, executor.problem = False, "no module"
    pauses = []
    for _ in range(7):
        readiness.work(clock.monotonic())
        assert (readiness.is_given(), readiness.may_be_given) == (False, False)
        pauses.append(readiness.next_in(clock.monotonic()))
        clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, MAX_PAUSE, MAX_PAUSE]
    executor.problem = "no memory"
    readiness.work(clock.monotonic())
    assert events == [Blocked("no module", 1.0), Blocked("no memory", MAX_PAUSE)]
    executor.is_ready, executor.problem = True, ""
    readiness.work(clock.monotonic())
    assert (events[2:], readiness.problem, readiness.failures) == ([GoingOn()], "", 0)
    assert readiness.next_in(clock.monotonic()) == math.inf


def test_one_that_is_ready_before_its_time(readiness, executor, events, clock) -> None:
    """One that was not ready, and is now, is believed at once: it has shown that it can."""
    executor.is_ready, executor.problem = False, "no process"
    assert not readiness.is_given()
    executor.is_ready, executor.problem = True, ""
    assert (readiness.may_be_given, readiness.is_given()) == (True, True)
    assert events[-1] == GoingOn()


def test_one_that_takes_itself_for_ready(readiness, executor, events, clock) -> None:
    """A start that fails although all was ready is tried again after its pause, and only a start ends the trouble."""
    assert readiness.is_given()
    readiness.failed("no process")
    assert (readiness.is_given(), readiness.may_be_given) == (False, False)
    clock.advance(1.0)
    assert readiness.is_given()
    assert readiness.problem == "no process"
    readiness.came_about()
    assert (events, readiness.problem) == ([Blocked("no process", 1.0), GoingOn()], "")


def test_what_comes_of_one_try_counts_once(readiness, executor, clock) -> None:
    """Several starts that fail for one reason are one failure."""
    for _ in range(3):
        readiness.failed("no process")
    assert (readiness.failures, readiness.next_in(clock.monotonic())) == (1, 1.0)


def test_nothing_is_made_ready_for_the_end(readiness, executor, clock, events) -> None:
    """A dispatcher that is to end tries nothing any more, and does not wait for it."""
    readiness.failed("no process")
    readiness.is_wanted = lambda: False
    executor.problem = "no module"
    clock.advance(5.0)
    readiness.work(clock.monotonic())
    assert (readiness.next_in(clock.monotonic()), readiness.problem) == (math.inf, "no process")
