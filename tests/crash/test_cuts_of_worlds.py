"""The power cut at every operation of simulated processes: only what was synced is left, or any more than that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import twofold
from spoolrunner.system import durable
from tests.crash.actors import Operation, Plan
from tests.crash.conftest import MakeWorld
from tests.crash.faults import FakeMachine, World
from tests.crash.findings import DoubleError, Findings, LostError
from tests.crash.scenarios import (
    EVERY_CRASH_POINT,
    Scenario,
    come_to_rest,
    dispatch,
    judge,
    nothing,
    pending,
    publish_one,
    until_settled,
    work_about_to_end,
)
from tests.crash.stories import BATCHES, EITHER, ENDING, RUNNING
from tests.crash.unsynced import REMAINS, Remains
from tests.tally import Tally

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
SAMPLE = 20
"""In the default run, one pair of a death and a cut of so many is tried."""


def acknowledged(world: World) -> None:
    """A producer publishes a job, and a dispatcher runs it."""
    publish_one(world)
    if world.fired is None:
        dispatch(world)


def orphaned(world: World) -> None:
    """A dispatcher has died over a job at work, which will go on."""
    work_about_to_end(world)
    assert world.dispatcher is not None
    world.dispatcher.kill()


def alone(world: World) -> None:
    """The job comes to its end without a dispatcher."""
    world.run(lambda: not world.live_runners())


def then_found(world: World) -> None:
    """The job comes to its end without a dispatcher; a later one finds what it left."""
    alone(world)
    if world.fired is None:
        dispatch(world)


def outlived(world: World) -> None:
    """What an orphan left before it ended is recorded: the job is not run again."""
    (orphan, *_) = world.runners
    if not orphan.was_killed:
        assert world.starts("a") == [1], f"an orphan's outcome was lost: {world.describe()}"


def roomy(scenario: Scenario) -> Scenario:
    """The scenario with retries for what the cuts interrupt."""
    return replace(scenario, settings={**scenario.settings, "max_retries": 3}, ends_in=EITHER)


PUBLISHED = Scenario("publish, then dispatch", nothing, acknowledged, nothing, 36)
ORPHANS = [
    Scenario("an orphan", orphaned, alone, outlived, 5),
    Scenario("an orphan that is found", orphaned, then_found, outlived, 30),
]
CUT = [roomy(scenario) for scenario in (PUBLISHED, *ORPHANS, *RUNNING, *BATCHES, *ENDING)]
SHORT_FORM = {"an orphan", "an orphan that is found", RUNNING[3].name, BATCHES[0].name}
"""What the others leave, these leave as well."""


def act_out(world: World, scenario: Scenario, plan: Plan | None) -> list[Operation]:
    """Prepare it, watch the syncs from then on, and act it out; returns its operations."""
    scenario.prepare(world)
    world.watch_syncs()
    world.kill_at(plan)
    scenario.act(world)
    return world.log[world.plan_begins :]


def promised(world: World, scenario: Scenario) -> Scenario:
    """The scenario with the jobs that were acknowledged before the cut."""
    producers = [process for process in world.processes if process.name == "producer"]
    if any(process.was_killed for process in producers):
        return replace(scenario, tokens=())
    return scenario


def cut_and_recover(world: World, scenario: Scenario, remains: Remains, *, reboots: bool = True) -> None:
    """Cut the power; every job must be whole then, and come to its end by what recovery makes of it.

    Where folders stand alone it may lie in two of them, until it is recovered.
    """
    scenario = promised(world, scenario)
    world.plan = None
    world.cut_power(remains, reboots=reboots)
    for token in () if remains.alone else scenario.tokens:
        world.find(token)
    come_to_rest(world, "")
    judge(world, scenario)


def length_of(make_world: MakeWorld, scenario: Scenario) -> int:
    """How many operations it has."""
    with make_world(**scenario.settings) as world:
        count = len(act_out(world, scenario, None))
    assert count >= scenario.least, f"only {count} operations were seen"
    return count


def sweep_cuts(make_world: MakeWorld, scenario: Scenario, tally: Tally | None = None) -> Findings:
    """Cut before each operation, and after the last one, with all that a cut may leave.

    After every other one the file system alone was mounted again, and the machine was not started anew.
    """
    findings = Findings()
    for at in range(1, length_of(make_world, scenario) + 2):
        for remains in REMAINS:
            with findings.trial(f"{scenario}, cut before {at}, {remains}"), make_world(**scenario.settings) as world:
                act_out(world, scenario, Plan(at, everybody=True))
                cut_and_recover(world, scenario, remains, reboots=at % 2 == 0)
    if tally is not None:
        findings.tell(tally, EVERY_CRASH_POINT)
    return findings


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(s, id=s.name, marks=[] if s.name in SHORT_FORM else [pytest.mark.long]) for s in CUT],
)
def test_a_cut_loses_nothing_that_was_promised(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Wherever the power goes, each job is whole, comes to its end, and what an orphan synced is not run again."""
    sweep_cuts(make_world, scenario, tally)


def deaths_and_cuts(make_world: MakeWorld, scenario: Scenario, every: int) -> Iterator[Plan]:
    """Each death of one process and each cut after it, while the others go on; or one pair of so many."""
    number = 0
    for first in range(1, length_of(make_world, scenario) + 1):
        with make_world(**scenario.settings) as world:
            act_out(world, scenario, Plan(first))
            come_to_rest(world, "")
            later = len(world.log) - world.fired_at
        for second in range(1, later + 1):
            number += 1
            if number % every == 0:
                yield Plan(first, then=Plan(second, everybody=True))


def sweep_deaths_and_cuts(make_world: MakeWorld, scenario: Scenario, tally: Tally, every: int) -> None:
    """Let one process die, cut the power later, and judge what recovery makes of it."""
    findings = Findings()
    for number, plan in enumerate(deaths_and_cuts(make_world, scenario, every)):
        remains = REMAINS[number % len(REMAINS)]
        with findings.trial(f"{scenario}, {plan}, {remains}"), make_world(**scenario.settings) as world:
            act_out(world, scenario, plan)
            come_to_rest(world, "")  # the cut may come in here
            assert len(world.struck) == 2, f"{plan}: {world.struck}"
            cut_and_recover(world, scenario, remains, reboots=number % 2 == 0)
    assert findings.tried
    findings.tell(tally, EVERY_CRASH_POINT)


PAIRED = [roomy(RUNNING[0]), roomy(RUNNING[1]), CUT[2]]


@pytest.mark.parametrize("scenario", PAIRED[:1], ids=str)
def test_a_sample_of_deaths_and_later_cuts_loses_nothing(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """A process that dies, and a power cut while the others go on or the next dispatcher recovers: a sample of pairs."""
    sweep_deaths_and_cuts(make_world, scenario, tally, every=SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", PAIRED, ids=str)
def test_deaths_and_later_cuts_lose_nothing(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Wherever one process dies, and wherever the power goes after that, each job is whole and comes to its end."""
    sweep_deaths_and_cuts(make_world, scenario, tally, every=1)


def cut_after_an_orphan(world: World, remains: Remains) -> None:
    """An orphan ends, and the power goes before anybody has looked at what it left."""
    act_out(world, ORPHANS[0], None)
    assert [left.is_synced for left in world.left] == [True]
    world.cut_power(remains)


@pytest.mark.parametrize("remains", REMAINS, ids=str)
def test_what_an_orphan_left_outlives_a_cut(make_world: MakeWorld, remains: Remains) -> None:
    """An orphan that ended hours before the power went has left its outcome for good, and the job is not run again."""
    with make_world(max_retries=2) as world:
        cut_after_an_orphan(world, remains)
        assert remains.alone or world.find("a")[0] is State.RUNNING
        come_to_rest(world, "")
        assert [made["outcome"] for made in world.find("a")[2]["attempts"]] == ["succeeded"]
        assert world.starts("a") == [1]


def test_a_process_whose_dispatcher_lives_syncs_nothing(make_world: MakeWorld) -> None:
    """Only an orphan pays for a sync of its own: who has a dispatcher leaves that to it."""
    with make_world() as world:
        work_about_to_end(world)
        until_settled(world)
        assert world.find("a")[0] is State.DONE
        synced_by = {operation.process for operation in world.log if operation.kind == "fsync"}
        assert synced_by == {"dispatcher"}


def unsynced_parts(path: str) -> Callable[[str], None]:
    """A sync that leaves out what lies at that path."""
    real = durable.sync if path.endswith(".lock") else durable.sync_folder

    def sync(asked: str) -> None:
        if not asked.endswith(path):
            real(asked)

    return sync


@pytest.mark.parametrize(
    ("name", "path"), [("sync", "locks/a.lock"), ("sync_folder", "/locks"), ("sync_folder", "/running")]
)
def test_an_orphan_that_leaves_out_a_sync_is_found(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    """Without any one of its three syncs, an orphan's outcome is lost to a cut, and these tests see that."""
    with make_world(max_retries=2) as world:
        pending()(world)
        world.watch_syncs()
        dispatcher = world.start_dispatcher()
        world.run(lambda: any("work" in operation for operation in world.log))
        dispatcher.kill()
        monkeypatch.setattr(durable, name, unsynced_parts(path))
        alone(world)
        world.cut_power(REMAINS[0])
        monkeypatch.undo()
        come_to_rest(world, "")
        assert world.runners[1:], f"the job was not run again: {world.describe()}"


def test_records_that_are_not_synced_are_found_lost(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no file is synced before its rename, jobs are found torn after cuts."""
    monkeypatch.setattr(durable, "_sync", lambda descriptor: None)
    assert sweep_cuts(make_world, CUT[3]).count(LostError)


def test_names_that_come_back_are_found(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher that does not look for second names is found to run finished jobs again, or to leave them in two folders."""
    monkeypatch.setattr(twofold, "remove_second_names", lambda spool: [])
    assert sweep_cuts(make_world, CUT[3]).count(DoubleError)


def served_before(world: World) -> None:
    """A dispatcher has vouched for the spool, for good, before the job was published."""
    dispatch(world)
    CUT[3].prepare(world)


SERVED = replace(CUT[3], name="one attempt, in a spool that was served before", prepare=served_before)


def test_a_file_system_that_is_mounted_again_is_not_trusted(make_world: MakeWorld, tally: Tally) -> None:
    """A dispatcher vouched in this boot, and then the file system failed: the next one does without lost markers."""
    sweep_cuts(make_world, SERVED, tally)


def test_a_dispatcher_that_trusts_another_mounting_is_found(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that asks for the boot alone runs finished jobs again, after a file system was mounted again in the same boot."""
    monkeypatch.setattr(FakeMachine, "mounting", lambda self, path: "the only one")
    assert sweep_cuts(make_world, SERVED).count(DoubleError)
