"""Chores: when each has something to do, and that it does nothing before."""

from __future__ import annotations

import math
import os

import pytest

from spoolrunner.dispatch.chores import (
    LONGEST_WAIT,
    Arrivals,
    CutLogs,
    Do,
    Once,
    Starts,
    wait_for,
)
from spoolrunner.dispatch.phases import Phase
from spoolrunner.protocol.states import State

NOW = 5_000.0


def at(seconds: float) -> Do:
    return Do(lambda now: None, lambda now: seconds)


@pytest.mark.parametrize(
    ("chores", "wait"),
    [([], LONGEST_WAIT), ([at(3.0), at(2.0)], 2.0), ([at(math.inf)], LONGEST_WAIT), ([at(-1.0), at(5.0)], 0.0)],
)
def test_the_wait_is_the_least_of_all(chores, wait) -> None:
    """The loop waits for the chore that is due first, and never longer than a minute."""
    assert wait_for(chores, NOW) == wait


def test_a_chore_without_a_time_wakes_nobody() -> None:
    """What is done when the dispatcher is awake anyway does not shorten its sleep."""
    done = []
    chore = Do(done.append)
    chore.work(NOW)
    assert (chore.next_in(NOW), done) == (math.inf, [NOW])


def test_once() -> None:
    """What is to be done once is done when its time has come, and not again."""
    done = []
    chore = Once(lambda: done.append(1))
    chore.work(NOW)
    assert chore.next_in(NOW) == math.inf
    chore.at = NOW + 2
    chore.work(NOW + 1)
    assert (chore.next_in(NOW + 1), done) == (1.0, [])
    chore.work(NOW + 2)
    chore.work(NOW + 3)
    assert (chore.next_in(NOW + 3), done) == (math.inf, [1])


def test_arrivals_come_in_portions(rooms, drop) -> None:
    """A burst of events does not keep the dispatcher from its other work: 500 files are looked at in a turn."""
    names = [f"x{number}" for number in range(501)]
    for name in names:
        drop(State.PENDING, name)
    arrivals = Arrivals(rooms.intake, rooms.clock)
    arrivals.names += [f"{name}.json" for name in names]
    assert arrivals.next_in(NOW) == 0.0
    arrivals.work(NOW)
    assert (len(rooms.order), len(arrivals.names)) == (500, 1)
    assert list(arrivals.names) == ["x250.json"]  # neither the first nor the last that came
    arrivals.work(NOW)
    assert (len(rooms.order), arrivals.next_in(NOW)) == (501, math.inf)


def test_starts_fill_the_places(furnished, drop, executor, clock) -> None:
    """As many jobs are started as there are places, and the next one waits for none but them."""
    rooms = furnished(concurrency=2)
    starts = Starts(rooms, lambda: Phase.SERVING)
    for name in "abc":
        drop(State.PENDING, name)
        rooms.intake.look(name)
    assert starts.next_in(NOW) == 0.0
    starts.work(NOW)
    assert executor.told == [("start", "a"), ("start", "b")]
    assert starts.next_in(NOW) > 0.0
    rooms.running.remove(rooms.running.all()[0])
    starts.work(NOW)
    assert executor.told[-1] == ("start", "c")


def test_a_job_that_is_in_another_group_by_now(furnished, drop, executor) -> None:
    """A job that an edit or another config.json has put into a group is not started over the limit of that."""
    limits = {"mail": {"concurrency": 1}}
    keys: dict = {"app.Report": {"build": {}, "send": {"group": "mail"}}}
    rooms = furnished(allowed_jobs=keys, limits=limits)
    for job_id, method in (("a", "send"), ("b", "build")):
        drop(State.PENDING, job_id, {"method": method})
        rooms.intake.look(job_id)
    keys["app.Report"]["build"] = {"group": "mail"}
    rooms.config.become(furnished(allowed_jobs=keys, limits=limits).config)
    rooms.reconfigure(rooms.config)
    starts = Starts(rooms, lambda: Phase.SERVING)
    for _ in range(3):
        starts.work(NOW)
    assert executor.told == [("start", "a")]
    assert "b" in rooms.order


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.SERVING])
def test_nothing_is_started_in_another_phase(rooms, drop, executor, phase) -> None:
    """A dispatcher that is paused, blocked or to end starts nothing."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    Starts(rooms, lambda: phase).work(NOW)
    assert executor.told == []


def test_no_process_to_be_had(rooms, drop, executor, clock) -> None:
    """Each start that fails in a row makes us wait for longer, and the first that comes about begins afresh."""
    starts = Starts(rooms, lambda: Phase.SERVING)
    pauses = []

    def fail(job_id: str) -> None:
        drop(State.PENDING, job_id)
        rooms.intake.look(job_id)
        starts.work(NOW)
        assert starts.next_in(NOW) == math.inf
        pauses.append(rooms.readiness.next_in(clock.monotonic()))
        clock.advance(pauses[-1])

    executor.fails = True
    for _ in range(7):
        fail("x")
    executor.fails = False
    starts.work(NOW)
    executor.fails = True
    fail("y")
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 1.0]


def test_nothing_is_claimed_while_no_job_can_be_started(rooms, drop, executor, places, clock) -> None:
    """An executor that is not ready, or cannot get ready, costs no job a claim, and the loop does not spin."""
    starts = Starts(rooms, lambda: Phase.SERVING)
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    for executor.is_ready, executor.problem in ((False, ""), (False, "no module"), (True, "no module")):
        starts.work(NOW)
        assert (places().pending, places().running, executor.told) == (["x"], [], [])
        assert starts.next_in(NOW) == math.inf
    executor.problem = ""
    clock.advance(rooms.readiness.next_in(clock.monotonic()))
    starts.work(NOW)
    assert executor.told == [("start", "x")]


def test_logs_are_cut_once_a_second(rooms, begin, spool) -> None:
    """The log of a running job that outgrows the limit is cut, and looked at again after a second."""
    begin("x")
    rooms.config.max_log_bytes = 4096
    cut = CutLogs(spool, rooms.running, rooms.config)

    def grow() -> None:
        with open(spool.layout.log("x"), "ab") as stream:
            stream.write(b"x" * 9000)

    grow()
    cut.work(NOW)
    assert os.path.getsize(spool.layout.log("x")) < 5000
    grow()
    cut.work(NOW + 0.9)
    assert os.path.getsize(spool.layout.log("x")) > 9000
    cut.work(NOW + 1.0)
    assert os.path.getsize(spool.layout.log("x")) < 5000
