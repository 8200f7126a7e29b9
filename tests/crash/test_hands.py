"""People move files by hand while processes work and die: a hand at every operation, and a kill at every later one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import orjson
import pytest

from spoolrunner.protocol.states import State
from tests.crash.actors import Operation, Plan
from tests.crash.conftest import MakeWorld
from tests.crash.faults import Visit, World
from tests.crash.findings import Findings
from tests.crash.scenarios import ALL, EVERY_CRASH_POINT, Scenario, come_to_rest, dispatch, judge, nothing, pending
from tests.crash.stories import EITHER
from tests.tally import Tally

SAMPLE = 5
"""In the default run, a hand comes at one operation in so many, and so does the kill."""
Hand = Callable[[World], None]


def takes_it_away(world: World) -> None:
    """`mv pending/a.json` to where no dispatcher looks."""
    there = world.layout.job(State.PENDING, "a")
    if os.path.lexists(there):
        os.rename(there, os.path.join(world.folder, "shelf"))


def brings_it_back(world: World) -> None:
    """`mv -n` of what was taken away back into pending/."""
    shelf, there = os.path.join(world.folder, "shelf"), world.layout.job(State.PENDING, "a")
    if os.path.exists(shelf):
        assert not os.path.lexists(there)
        os.rename(shelf, there)


def saves_it_anew(world: World) -> None:
    """An editor replaces pending/a.json by another version of it."""
    there = world.layout.job(State.PENDING, "a")
    if os.path.lexists(there):
        with open(there, "rb") as stream:
            raw = orjson.loads(stream.read())
        world.put(State.PENDING, "a", {**raw, "priority": 7})


def moves_it_back(world: World) -> None:
    """`mv -n` of a finished job back into pending/, to run it again."""
    for state in (State.DONE, State.FAILED):
        if os.path.lexists(world.layout.job(state, "a")):
            world.mv("a", state, State.PENDING)


def puts_another_of_its_name(world: World) -> None:
    """Another job of the same id comes into pending/ while the first is elsewhere."""
    if not os.path.lexists(world.layout.job(State.PENDING, "a")):
        world.put(State.PENDING, "a", world.document("another"))


def asks_for_a_cancel(world: World) -> None:
    """`touch control/cancel-a`."""
    world.touch_cancel("a")


HANDS: list[Hand] = [
    takes_it_away, saves_it_anew, moves_it_back, puts_another_of_its_name, asks_for_a_cancel
]  # fmt: skip
FAILS_ONCE = Scenario(
    "a failure, to be tried again", pending("fail", "ok"), dispatch, nothing, 30, settings={"max_retries": 2},
    ends_in=EITHER,
)  # fmt: skip


def visited(world: World, scenario: Scenario, visit: Visit, plan: Plan | None) -> None:
    """Act the scenario out with a visitor and a kill, and let everything come to its end."""
    scenario.prepare(world)
    world.kill_at(plan)
    world.visit = visit
    scenario.act(world)
    world.plan = world.visit = None
    come_to_rest(world, ALL)
    brings_it_back(world)
    come_to_rest(world, ALL)


def measure_visited(make_world: MakeWorld, scenario: Scenario, visit: Visit) -> list[Operation]:
    """The operations of a run with that visitor and without a kill."""
    with make_world(**scenario.settings) as world:
        scenario.prepare(world)
        world.kill_at(None)
        world.visit = visit
        scenario.act(world)
        return list(world.log)


def moments(make_world: MakeWorld, scenario: Scenario, hand: Hand, every: int) -> Iterator[tuple[Visit, Plan]]:
    """Every pair of a moment for the hand and a later one for the kill; with `every`, one in so many of each."""
    at = 1
    while True:
        visit = Visit(at, hand)
        operations = measure_visited(make_world, scenario, visit)
        if at > len(operations):
            return
        for kill_at in range(at, len(operations) + 1, every):
            yield visit, Plan(kill_at, everybody=True)
        at += every


def sweep_hands(make_world: MakeWorld, scenario: Scenario, hand: Hand, tally: Tally, every: int = 1) -> None:
    """Try each pair (or one in so many), and judge what recovery makes of it."""
    findings = Findings()
    for visit, plan in moments(make_world, scenario, hand, every):
        with findings.trial(f"{hand.__name__}: {visit.at}, {plan}"), make_world(**scenario.settings) as world:
            visited(world, scenario, visit, plan)
            assert world.fired is not None, f"{plan} was not reached"
            judge(world, scenario)
            if any(b'"another"' in data for data in world.files().values()):
                world.find("another")
    assert findings.tried >= 10
    findings.tell(tally, EVERY_CRASH_POINT)


@pytest.mark.parametrize("hand", HANDS[:3], ids=lambda hand: hand.__name__)
def test_a_sample_of_hands_and_kills_loses_nothing(make_world: MakeWorld, tally: Tally, hand: Hand) -> None:
    """A person's move at one moment and a kill of everything at a later one leave the job in one place: a sample."""
    sweep_hands(make_world, FAILS_ONCE, hand, tally, every=SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: hand.__name__)
def test_hands_and_kills_lose_nothing(make_world: MakeWorld, tally: Tally, hand: Hand) -> None:
    """Whenever a person moves, edits, retries or cancels a job, and wherever everything dies after that, nothing is lost."""
    sweep_hands(make_world, FAILS_ONCE, hand, tally)
