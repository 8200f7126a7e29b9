"""The wall clock set forward and back by an hour and a day at the moments when it matters: no job is lost, none hastened."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.system.clock import format_time
from tests.crash.conftest import MakeWorld
from tests.crash.faults import World
from tests.crash.scenarios import judge_job
from tests.tally import Tally

HOUR, DAY = 3600.0, 86_400.0
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY, -DAY], ids=["+1 h", "-1 h", "+1 day", "-1 day"])
SOON = 70.0
"""Seconds within which whatever is due must have run: the longest wait of the loop, and some."""


def put_now(world: World, token: str, *endings: str, **fields: object) -> None:
    """A job is published by a program with the same clock."""
    world.put(State.PENDING, token, world.document(token, *endings, **fields))
    path = world.layout.job(State.PENDING, token)
    os.utime(path, (world.clock.wall(), world.clock.wall()))


def pass_time(world: World, seconds: float) -> None:
    """Let everybody run for so long."""
    end = world.clock.now + seconds
    world.run(lambda: world.clock.now >= end, seconds=seconds + SOON)


def end_well(world: World, tally: Tally, *tokens: str) -> None:
    """Everything comes to its end, and no promise was broken on the way."""
    tally.add("clock jumps", 1)
    world.recover()
    for token in tokens:
        judge_job(world, token, (State.DONE,))


@JUMPS
def test_a_job_that_is_due_runs_soon(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """Jobs published before and after the clock was set run soon, and once each."""
    with make_world() as world:
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        put_now(world, "a")
        world.clock.ahead += jump
        put_now(world, "b")
        world.run(world.is_idle, seconds=SOON)
        end_well(world, tally, "a", "b")
        assert world.starts("a") == world.starts("b") == [1]


@JUMPS
def test_a_running_job_is_not_ended(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """The timeout of a running job is not shortened by a clock that is set, and it is recorded as it ended."""
    with make_world(timeout=HOUR / 2) as world:
        put_now(world, "a", "fail", "ok")
        world.start_dispatcher().run()
        (runner,) = world.runners
        while not world.effects:
            runner.run(1)
        runner.is_frozen = True
        world.clock.ahead += jump
        pass_time(world, SOON)
        assert not runner.is_over
        runner.is_frozen = False
        world.run(lambda: runner.is_over, seconds=SOON)
        end_well(world, tally, "a")
        assert [made["outcome"] for made in world.find("a")[2]["attempts"]] == ["failed", "succeeded"]


@JUMPS
def test_an_adopted_job_keeps_the_rest_of_its_timeout(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """A job that is adopted after the clock was set is ended when its timeout is over, and not before."""
    with make_world(timeout=300) as world:
        put_now(world, "a")
        first = world.start_dispatcher()
        first.run()
        (runner,) = world.runners
        while not world.effects:
            runner.run(1)
        runner.is_frozen = True
        first.kill()
        world.clock.ahead += jump
        world.start_dispatcher()
        pass_time(world, 200)
        assert not runner.is_over
        pass_time(world, 100 + SOON)
        assert runner.was_killed
        end_well(world, tally, "a")
        assert [made["outcome"] for made in world.find("a")[2]["attempts"]] == ["timed_out", "succeeded"]


@JUMPS
def test_a_timeout_still_comes(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """A running job that outlives its timeout is ended after that time, however the clock was set meanwhile."""
    with make_world(timeout=300) as world:
        put_now(world, "a")
        world.start_dispatcher().run()
        (runner,) = world.runners
        while not world.effects:
            runner.run(1)
        runner.is_frozen = True
        world.clock.ahead += jump
        pass_time(world, 300 + SOON)
        assert runner.was_killed
        end_well(world, tally, "a")
        assert [made["outcome"] for made in world.find("a")[2]["attempts"]] == ["timed_out", "succeeded"]


@JUMPS
def test_a_retry_comes_once(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """A job that waits for its retry runs once more when the clock says so, soon after it was set forward, and no oftener."""
    with make_world(retry_interval=600) as world:
        put_now(world, "a", "fail", "ok")
        world.start_dispatcher()
        world.run(lambda: world.starts("a") == [1] and not world.live_runners(), seconds=SOON)
        pass_time(world, SOON)
        world.clock.ahead += jump
        pass_time(world, SOON)
        assert world.starts("a") == ([1, 2] if jump > 0 else [1])
        assert world.find("a")[0] is (State.DONE if jump > 0 else State.PENDING)
        world.clock.ahead += max(0.0, -jump)
        end_well(world, tally, "a")
        assert world.starts("a") == [1, 2]


@JUMPS
def test_a_job_whose_process_never_began_is_tried_again_soon(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """A job that is held back a moment, because its process died before its first line, is not held longer by the clock."""
    with make_world() as world:
        put_now(world, "a")
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        (runner,) = world.runners
        runner.kill()
        world.run(lambda: world.find("a")[0] is State.PENDING, seconds=5)
        world.clock.ahead += jump
        world.run(lambda: world.starts("a") == [1], seconds=SOON)
        end_well(world, tally, "a")


@pytest.mark.parametrize("back", [HOUR, DAY])
def test_jobs_that_come_due_all_at_once_run_no_more_than_allowed_at_a_time(
    make_world: MakeWorld, tally: Tally, back: float
) -> None:
    """When a jump makes many delayed jobs due they run soon, once each, never more at a time than `concurrency`."""
    tokens = [f"t{number}" for number in range(12)]
    with make_world(concurrency=3) as world:
        for number, token in enumerate(tokens):
            due_at = world.clock.wall() + back * (number + 1) / (len(tokens) + 1)
            put_now(world, token, next_run_at=format_time(due_at))
        world.start_dispatcher()
        world.run(lambda: world.service is not None and world.service.scan.done, seconds=SOON)
        assert not world.effects
        world.clock.ahead += back
        most = 0

        def all_ran() -> bool:
            nonlocal most
            most = max(most, len(world.live_runners()))
            return len(world.effects) == len(tokens)

        world.run(all_ran, seconds=SOON)
        assert most <= 3
        end_well(world, tally, *tokens)
        assert all(world.starts(token) == [1] for token in tokens)


@JUMPS
def test_a_job_that_is_not_due_waits(make_world: MakeWorld, tally: Tally, jump: float) -> None:
    """A job for later than the clock says, after it was set, does not start before, and starts when its time has come."""
    with make_world() as world:
        due_at = world.clock.wall() + jump + 600
        put_now(world, "a", next_run_at=format_time(max(due_at, world.clock.wall() + 600)))
        world.start_dispatcher().run()
        world.clock.ahead += jump
        pass_time(world, 300)
        assert not world.effects
        world.clock.ahead += max(0.0, -jump)
        world.run(lambda: world.starts("a") == [1], seconds=600)
        end_well(world, tally, "a")


def test_the_jumps_are_seen(make_world: MakeWorld) -> None:
    """A jump moves the wall clock of everybody in this world, and of nobody's intervals: a delayed job is started by it."""
    with make_world() as world:
        put_now(world, "a", next_run_at=format_time(world.clock.wall() + HOUR))
        world.start_dispatcher().run()
        before = world.clock.monotonic(), world.clock.wall()
        pass_time(world, SOON)
        assert not world.effects
        world.clock.ahead += HOUR
        world.run(lambda: world.effects, seconds=SOON)
        assert world.clock.monotonic() - before[0] < 3 * SOON
        assert world.clock.wall() - before[1] >= HOUR
