"""Races that the model of the protocol found: most are about a process that a dead dispatcher started and that comes late.

Each is the trace of a counterexample (`tests/model`), acted out by the real code.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from spoolrunner.errors import StartError
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool, Stamp
from tests.crash.conftest import MakeWorld
from tests.crash.faults import FakeExecutor, Process, Runner, World, current
from tests.crash.scenarios import ended, judge_job, pending
from tests.crash.test_promises import does, run_to


class Gate:
    """Holds a simulated process up until the test opens it."""

    is_open = False

    def wait(self) -> None:
        """Go on when the gate is open."""
        process = current()
        assert process is not None, "only simulated processes wait at a gate"
        process.wait(lambda: self.is_open, 3600)


@contextlib.contextmanager
def gate_after_claim() -> Iterator[Gate]:
    """A dispatcher stops between a claim and the look at what it claimed."""
    gate, real = Gate(), Spool.stamp

    def stamp(spool: Spool, state: State, job_id: str) -> Stamp | None:
        if state is State.RUNNING:
            gate.wait()
        return real(spool, state, job_id)

    with mock.patch.object(Spool, "stamp", stamp):
        yield gate


def leave_a_runner(world: World) -> Runner:
    """A dispatcher starts a process for the job that waits, and is killed before that has made its first step."""
    dispatcher = world.start_dispatcher()
    world.run(lambda: any(runner.operations == 0 for runner in world.live_runners()))
    dispatcher.kill()
    return world.live_runners()[-1]


def second_attempt(world: World) -> None:
    """A job has failed once, and its retry is due."""
    world.put(State.PENDING, "a", world.document("a", "fail", "ok", attempts=[ended("failed", "retry")]))


def run_on(world: World, process: Process) -> None:
    """Let a process run to its end, though it waits in between."""
    world.run(lambda: process.is_over, seconds=60)


def test_a_late_runner_that_makes_the_attempt_between_claim_and_comparison_is_not_put_back(
    make_world: MakeWorld,
) -> None:
    """A job that a late process has finished while the next dispatcher was claiming it is not run again."""
    with make_world() as world, gate_after_claim() as gate:
        pending()(world)
        gate.is_open = True
        late = leave_a_runner(world)
        gate.is_open = False
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        assert world.find("a")[0] is State.RUNNING
        late.run()
        gate.is_open = True
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def test_a_job_whose_process_cannot_be_started_stays_where_a_late_runner_works_on_it(make_world: MakeWorld) -> None:
    """A job is not put back because no process can be started while a late process is at work on it."""
    gate, real = Gate(), FakeExecutor.start

    def start(executor: FakeExecutor, key: Any) -> None:
        if len(world.runners) == 1 and not gate.is_open:
            gate.wait()
            raise StartError("no process can be started")
        real(executor, key)

    with make_world() as world, mock.patch.object(FakeExecutor, "start", start):
        pending()(world)
        late = leave_a_runner(world)
        world.start_dispatcher().run()
        run_to(world, late, does("work", "a"))
        late.is_frozen = True
        gate.is_open = True
        assert world.dispatcher is not None
        world.dispatcher.run()
        assert world.find("a")[0] is State.RUNNING
        late.is_frozen = False
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def test_a_late_runner_leaves_a_finished_job_of_its_id_alone(make_world: MakeWorld) -> None:
    """A process that comes late for attempt 2 leaves another job of its id alone that was just finished at its first."""
    with make_world() as world:
        second_attempt(world)
        late = leave_a_runner(world)
        late.is_frozen = True
        os.unlink(world.layout.job(State.RUNNING, "a"))
        world.put(State.PENDING, "a", world.document("b"))
        dispatcher = world.start_dispatcher()
        world.run(lambda: len(world.runners) == 2)
        dispatcher.is_frozen = True
        run_on(world, world.runners[1])
        late.is_frozen = False
        run_on(world, late)
        dispatcher.is_frozen = False
        world.recover()
        judge_job(world, "b", (State.DONE,))
        assert world.starts("b") == [1]


def test_a_job_that_slips_under_a_claim_is_not_counted_by_the_marker_of_another(make_world: MakeWorld) -> None:
    """A new job in the place of one that was looked at is not counted as started for having that one's old inode number."""
    with make_world(max_retries=1) as world:
        world.put(State.PENDING, "a", world.document("old", "fail"))
        inode = os.stat(world.layout.job(State.PENDING, "a")).st_ino
        world.start_dispatcher(drain=True)
        world.run()  # attempt 1 has failed; its start marker stays while it waits for its retry
        world.clock.now += 60
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("open", "pending/a.json"))
        dispatcher.run(0)
        while not world.log[-1].path.startswith("pending/a.json -> "):
            swap = world.log[-1].path == "locks/a.lock" and world.spool.exists(State.PENDING, "a")
            if swap and b"old" in world.files().get((State.PENDING, "a"), b""):
                os.unlink(world.layout.job(State.PENDING, "a"))
                world.put(State.PENDING, "a", world.document("new"))
                world.inodes[os.stat(world.layout.job(State.PENDING, "a")).st_ino] = inode
            dispatcher.run(1)
        dispatcher.kill()
        world.recover()
        _, _, raw = world.find("new")
        assert [made["outcome"] for made in raw["attempts"]] == ["succeeded"]


def test_the_mark_of_a_start_is_not_hidden_by_the_claim_of_a_second_file(make_world: MakeWorld) -> None:
    """A start is counted though a second file of that id was about to be claimed when the process died."""
    with make_world() as world:
        pending()(world)
        late = leave_a_runner(world)
        run_to(world, late, does("flock", "locks/a.lock"))
        late.run(0)  # it has the lock, and has left no marker
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        run_to(world, late, does("work", "a"))
        world.put(State.PENDING, "a", world.document("b"))
        world.hint("a")
        late.kill()
        world.recover()
        for token in ("a", "b"):
            judge_job(world, token, (State.DONE,))
        assert world.starts("a") == [1, 2]


@pytest.mark.parametrize("dies", [False, True], ids=["runs", "dies"])
def test_a_cancel_between_two_attempts_meets_a_late_runner(make_world: MakeWorld, dies: bool) -> None:
    """A job that a late process begins while it is claimed to be cancelled is settled, and that start is counted."""
    with make_world(max_retries=2) as world, gate_after_claim() as gate:
        second_attempt(world)
        gate.is_open = True
        late = leave_a_runner(world)
        gate.is_open = False
        world.touch_cancel("a")
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        run_to(world, late, does("effect", "a"))
        late.run(0)
        if dies:
            late.kill()
        gate.is_open = True
        world.run(lambda: not os.listdir(world.layout.folder(State.RUNNING)), seconds=60)
        assert not dispatcher.is_over
        world.recover()
        state, _, raw = world.find("a")
        assert state in (State.FAILED, State.DONE)
        assert [made["number"] for made in raw["attempts"]][1:] == [2]


def test_a_cancel_waits_until_it_is_known_what_runs(make_world: MakeWorld) -> None:
    """A cancel is not spent on a second file of the id while a late process comes to the first."""
    with make_world() as world:
        pending()(world)
        late = leave_a_runner(world)
        run_to(world, late, does("flock", "locks/a.lock"))
        late.is_frozen = True
        world.touch_cancel("a")
        world.put(State.PENDING, "a", world.document("b"))
        world.start_dispatcher().run()
        assert world.find("b")[0] is State.PENDING
        late.is_frozen = False
        world.recover()
        judge_job(world, "a", (State.FAILED, State.DONE))


def test_markers_are_trusted_only_after_a_recovery_in_this_boot(make_world: MakeWorld) -> None:
    """A finished job whose marker a power cut took is not run again though the first dispatcher after it was killed at once."""
    with make_world() as world:
        world.put(State.RUNNING, "a", world.document("a", attempts=[ended("succeeded", "done")]))
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("open", "locks/a.lock"))
        dispatcher.kill()
        world.recover()
        assert world.find("a")[0] is State.DONE
        assert not world.starts("a")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_a_record_is_synced_by_whoever_finds_it(make_world: MakeWorld) -> None:
    """A record whose writer was killed before it synced running/ is synced there before the job moves."""
    with make_world() as world:
        pending()(world)
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        (runner,) = world.runners
        run_on(world, runner)
        run_to(world, dispatcher, does("replace", "running/a.json"))
        dispatcher.kill()
        begins = len(world.log)
        world.recover()
        done = [str(operation) for operation in world.log[begins:]]
        synced = next(n for n, line in enumerate(done) if line.endswith("fsync running"))
        moved = next(n for n, line in enumerate(done) if line.endswith("rename running/a.json -> done/a.json"))
        assert synced < moved, world.tail()


def test_a_retry_by_hand_that_slips_under_a_claim_is_run_in_a_fresh_boot_too(make_world: MakeWorld) -> None:
    """A finished job in the place of one that was looked at is run, though markers prove nothing to this dispatcher."""
    with make_world() as world:
        world.put(State.PENDING, "a", world.document("gone"))
        world.put(State.DONE, "a", world.document("a", attempts=[ended("succeeded", "done")]))
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("open", "locks/a.lock"))
        dispatcher.run(0)  # it has found no marker, and stands before its claim
        os.unlink(world.layout.job(State.PENDING, "a"))
        world.mv("a", State.DONE, State.PENDING)
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [2]
