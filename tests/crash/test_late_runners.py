"""Races that the model of the protocol found: most are about a process that a dead dispatcher started and that comes late.

Each is the trace of a counterexample (`tests/model`), acted out by the real code.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from spoolrunner.errors import StartError
from spoolrunner.spool import Signature, Spool
from spoolrunner.states import State
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
    gate, real = Gate(), Spool.signature

    def signature(spool: Spool, state: State, job_id: str) -> Signature | None:
        if state is State.RUNNING:
            gate.wait()
        return real(spool, state, job_id)

    with mock.patch.object(Spool, "signature", signature):
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


def test_a_late_runner_leaves_a_finished_job_of_its_id_alone(make_world: MakeWorld) -> None:
    """A process that comes late for attempt 2 does not take another job of its id for it that was just finished at its first."""
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
