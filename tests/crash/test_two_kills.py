"""Two kills in one story: a first one anywhere, and a second one anywhere in what it leads to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from spoolrunner.protocol.states import State
from tests.crash.actors import Operation, Plan
from tests.crash.conftest import MakeWorld
from tests.crash.findings import Findings
from tests.crash.scenarios import (
    ALL,
    EARLY,
    EVERY_CRASH_POINT,
    Scenario,
    come_to_rest,
    judge,
    measure,
    plans,
    strike,
)
from tests.crash.stories import EITHER, EVERYTHING, RUNNING
from tests.tally import Tally

SAMPLE = 90
"""In the default run, one pair of so many is tried."""
BULKY = {"two jobs and one slot": 12, "publish a batch that is synced at once": 12, "stop": 12}
"""Long scenarios that say little more than their shorter relatives: one pair of so many is tried in the long form too."""


def roomy(scenario: Scenario) -> Scenario:
    """The scenario with a retry more, for the kill more."""
    more = {**scenario.settings, "max_retries": scenario.settings.get("max_retries", 1) + 1}
    ends_in = EITHER if State.DONE in scenario.ends_in else scenario.ends_in
    return replace(scenario, settings=more, ends_in=ends_in)


def what_follows(make_world: MakeWorld, scenario: Scenario, first: Plan, mode: str) -> list[Operation]:
    """The operations from a kill to the rest that the world comes to."""
    with make_world(**scenario.settings) as world:
        strike(world, scenario, first)
        come_to_rest(world, mode)
        return world.log[world.fired_at :]


def pairs(make_world: MakeWorld, scenario: Scenario, mode: str, every: int) -> Iterator[Plan]:
    """Every pair of kill points or, with `every`, one in so many, spread over all first ones."""
    for index, first in enumerate(plans(measure(make_world, scenario), mode)):
        if index % 4 and every > 1:
            continue
        for number, second in enumerate(plans(what_follows(make_world, scenario, first, mode), mode)):
            if (number + index) % max(1, every // 4) == 0:
                yield first._replace(then=second)


def sweep_pairs(make_world: MakeWorld, scenario: Scenario, mode: str, tally: Tally, every: int = 1) -> None:
    """Act it out once for each pair, and judge what the recovery after the second kill makes of it."""
    findings = Findings()
    for plan in pairs(make_world, scenario, mode, every):
        with findings.trial(f"{scenario}, {mode}, {plan}"), make_world(**scenario.settings) as world:
            strike(world, scenario, plan)
            come_to_rest(world, mode)  # the second kill may come in here
            assert len(world.struck) == 2, f"{plan}: {world.struck}"
            world.plan = None
            come_to_rest(world, mode)
            judge(world, scenario)
    assert findings.tried
    findings.tell(tally, EVERY_CRASH_POINT)


@pytest.mark.parametrize("scenario", [roomy(scenario) for scenario in RUNNING[:2]], ids=str)
def test_a_sample_of_two_kills_leaves_nothing_lost(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """A machine that dies, and dies again while the next dispatcher recovers, leaves the job whole: a sample of pairs."""
    sweep_pairs(make_world, scenario, ALL, tally, every=SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", [roomy(scenario) for scenario in EVERYTHING], ids=str)
def test_a_machine_that_dies_twice_leaves_nothing_lost(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Wherever everything dies, and wherever it dies again after that, each job is whole and comes to its end."""
    sweep_pairs(make_world, scenario, ALL, tally, every=BULKY.get(scenario.name, 1))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", [roomy(scenario) for scenario in RUNNING[:2]], ids=str)
def test_two_processes_that_die_one_after_the_other_leave_nothing_lost(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """Wherever one process dies while the others go on, and wherever the next one dies, the job comes to its end."""
    sweep_pairs(make_world, scenario, EARLY, tally)
