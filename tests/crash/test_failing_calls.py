"""Each call of each process fails once, or is cut short, or many fail for a while: nothing is lost, and it is said."""

from __future__ import annotations

import errno
import itertools
import sys

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.telling import status
from tests.crash.actors import Fault
from tests.crash.conftest import MakeWorld
from tests.crash.failing import (
    AILMENTS,
    EVERY_FAILING_CALL,
    Ailment,
    Once,
    Outage,
    endure,
    faults_of,
    judge_trouble,
    measure_calm,
)
from tests.crash.findings import Findings
from tests.crash.scenarios import Scenario, judge_job
from tests.crash.stories import ASKED, ENDING, EVERYTHING, PUBLISHING, REFUSING, RUNNING
from tests.tally import Tally

pytestmark = pytest.mark.skipif(
    sys.platform == "win32",
    reason="the errors are those of POSIX; files that are held: test_failing_stories, tests/daemon",
)
SHORT_FORM = [PUBLISHING[0], RUNNING[3], REFUSING[0], ENDING[0]]
OUTAGE_SAMPLE = 15
"""In the default run, an outage begins at one call in so many."""


def try_faults(make_world: MakeWorld, scenario: Scenario, *, all_faults: bool) -> Findings:
    """Let each call meet each fault (or each call one fault, in turn), and judge what becomes of the jobs."""
    calm = measure_calm(make_world, scenario)
    turn = itertools.count()
    findings = Findings()
    for at, call in enumerate(calm.calls, 1):
        faults = list(faults_of(call))
        for fault in faults if all_faults else [faults[next(turn) % len(faults)]]:
            with findings.trial(f"{scenario}, {fault} at {at}, {call}"), make_world(**scenario.settings) as world:
                trouble = Once(at, fault)
                endure(world, scenario, trouble)
                assert trouble.met is not None, "the call was not reached"
                assert (trouble.met.process, trouble.met.kind) == (call.process, call.kind), "the run was another"
                judge_trouble(world, scenario, trouble, fault, calm)
    assert findings.tried >= len(calm.calls) > 5
    return findings


def sweep_outages(make_world: MakeWorld, scenario: Scenario, ailment: Ailment, tally: Tally, every: int = 1) -> None:
    """Let the ailment begin at each call (or one in so many) and last ten seconds, and judge what becomes of the jobs."""
    calm = measure_calm(make_world, scenario)
    findings = Findings()
    for at in range(1, len(calm.calls) + 1, every):
        with findings.trial(f"{scenario}, {ailment} from {at}"), make_world(**scenario.settings) as world:
            trouble = Outage(world, at, ailment)
            endure(world, scenario, trouble)
            judge_trouble(world, scenario, trouble, ailment.fault, calm)
            assert not trouble.claims_while_blocked
    findings.tell(tally, EVERY_FAILING_CALL)


@pytest.mark.parametrize("scenario", SHORT_FORM, ids=str)
def test_a_call_that_fails_once_loses_nothing_and_is_said(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """Whichever call fails once, each with one error in turn, no job is lost or run again, and somebody says so."""
    try_faults(make_world, scenario, all_faults=False).tell(tally, EVERY_FAILING_CALL)


@pytest.mark.parametrize("ailment", AILMENTS, ids=str)
def test_an_outage_is_waited_out(make_world: MakeWorld, tally: Tally, ailment: Ailment) -> None:
    """Whenever the disk begins to refuse for ten seconds, nothing is claimed meanwhile or lost, and all goes on by itself."""
    sweep_outages(make_world, RUNNING[1], ailment, tally, every=OUTAGE_SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", EVERYTHING, ids=str)
def test_every_call_may_fail_with_every_error(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Whichever call fails once, with whichever error, or is cut short, no job is lost or run again, and somebody says so."""
    is_bulky = scenario is PUBLISHING[2]  # a batch of nine: each of its jobs goes the same way
    try_faults(make_world, scenario, all_faults=not is_bulky).tell(tally, EVERY_FAILING_CALL)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("ailment", AILMENTS, ids=str)
@pytest.mark.parametrize("scenario", RUNNING[:4] + ASKED[8:], ids=str)
def test_every_outage_is_waited_out(make_world: MakeWorld, tally: Tally, scenario: Scenario, ailment: Ailment) -> None:
    """At whichever call an outage begins, nothing is claimed meanwhile or lost, and all goes on by itself."""
    sweep_outages(make_world, scenario, ailment, tally)


def test_a_disk_that_does_not_sync_is_told_of_in_status_json(make_world: MakeWorld) -> None:
    """While nothing can be synced, status.json says blocked and why, and no job starts; afterwards it says neither."""
    with make_world() as world:
        world.put(State.PENDING, "refused", b'{"job": "nowhere.Nothing", "method": "work"}')
        refuses_until = world.clock.now + 30
        refused = Fault(errno.EIO)
        world.trouble = lambda call: refused if call.kind == "fsync" and world.clock.now < refuses_until else None
        dispatcher = world.start_dispatcher()
        world.run(lambda: world.clock.now >= refuses_until - 5)
        told = status.read(world.layout)
        assert told["state"] == "blocked"
        assert "Input/output error" in told["trouble"][0]
        world.put(State.PENDING, "late", world.document("late"))
        world.run(lambda: world.clock.now >= refuses_until - 1)
        assert not world.effects
        world.run(world.is_idle, seconds=60)
        world.run(lambda: status.read(world.layout)["state"] == "running", seconds=60)
        assert status.read(world.layout)["trouble"] == []
        dispatcher.kill()
        judge_job(world, "late", (State.DONE,))
        assert world.starts("late") == [1]
