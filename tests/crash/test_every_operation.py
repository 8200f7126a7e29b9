"""Stop at the n-th file operation, for every n: whoever is killed there, the next dispatcher makes it whole."""

from __future__ import annotations

import pytest

from tests.crash.conftest import MakeWorld
from tests.crash.scenarios import (
    ALL,
    EARLY,
    LATE,
    MODES,
    Scenario,
    dispatch,
    fingerprint,
    left_by,
    measure,
    plans,
    strike,
    sweep,
)
from tests.crash.stories import ASKED, BATCHES, EITHER, ENDING, PUBLISHING, REFUSING, RUNNING, WAITING
from tests.tally import Tally


@pytest.mark.parametrize("scenario", PUBLISHING, ids=str)
def test_what_a_killed_producer_renamed_is_run_once_and_the_rest_is_not_there(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """A producer killed at any operation has published a job whole or not at all, and what it published is run once."""
    sweep(make_world, scenario, ALL, tally)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", [*RUNNING, *WAITING, *BATCHES], ids=str)
def test_a_job_comes_to_its_end_whoever_is_killed_at_whatever_operation(
    make_world: MakeWorld, tally: Tally, scenario: Scenario, mode: str
) -> None:
    """A dispatcher or runner killed at any operation leaves the job in one place, and recovery brings it to its end."""
    sweep(make_world, scenario, mode, tally)


@pytest.mark.parametrize("scenario", REFUSING, ids=str)
def test_what_is_refused_keeps_its_bytes_and_has_its_reason_wherever_the_dispatcher_is_killed(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """A dispatcher killed at any operation of a refusal loses neither the file's bytes nor the reason beside them."""
    sweep(make_world, scenario, ALL, tally)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", ENDING, ids=str)
def test_a_job_that_is_ended_comes_to_its_end_whoever_is_killed(
    make_world: MakeWorld, tally: Tally, scenario: Scenario, mode: str
) -> None:
    """A cancel or a refusal by the runner leads to a final state, and no request is left, wherever somebody is killed."""
    sweep(make_world, scenario, mode, tally)


LONG = {"two jobs and one slot", "a successor stands by"}
"""Left to the pairs of kills in their short form: what they leave is left by others as well."""


@pytest.mark.parametrize(
    "scenario", [pytest.param(s, id=s.name, marks=[pytest.mark.long] if s.name in LONG else []) for s in ASKED]
)
def test_what_was_asked_for_leaves_the_job_whole_when_everything_is_killed(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """A retry, cancel or stop over which the machine dies leaves the job whole, and it comes to its end."""
    sweep(make_world, scenario, ALL, tally)


@pytest.mark.long
@pytest.mark.parametrize("mode", [EARLY, LATE])
@pytest.mark.parametrize("scenario", ASKED, ids=str)
def test_what_was_asked_for_leaves_the_job_whole_when_one_process_is_killed(
    make_world: MakeWorld, tally: Tally, scenario: Scenario, mode: str
) -> None:
    """A retry, cancel or stop over which one process dies leaves the job whole, and it comes to its end."""
    sweep(make_world, scenario, mode, tally)


SLOW = {
    "the last failure",
    "a retry by hand from done/",
    "one attempt that succeeds",
    "a retry by hand from failed/",
    "a failure, to be tried again",
    "cancel of a running job",
    "params that do not fit",
}  # the others leave the same and more


def _marks(scenario: Scenario) -> list[pytest.MarkDecorator]:
    return [pytest.mark.long] if scenario.name in SLOW else []


@pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name, marks=_marks(s)) for s in RUNNING + ENDING])
def test_recovery_killed_at_any_operation_is_recovered_from(
    make_world: MakeWorld, tally: Tally, scenario: Scenario
) -> None:
    """Whatever a death left behind, a recovery that is itself killed at any operation leaves it to the next one whole."""
    roomy = {**scenario.settings, "max_retries": scenario.settings.get("max_retries", 1) + 1}
    patient = Scenario(
        scenario.name, scenario.prepare, scenario.act, scenario.judge, scenario.least, settings=roomy,
        ends_in=EITHER,
    )  # fmt: skip
    seen = set()
    for plan in plans(measure(make_world, patient), ALL):
        with make_world(**roomy) as world:
            strike(world, patient, plan)
            print_of_it = fingerprint(world)
        if print_of_it in seen:
            continue
        seen.add(print_of_it)
        again = Scenario(
            f"recovery of {scenario.name}, killed at {plan.at}", left_by(patient, plan), dispatch, patient.judge, 8,
            settings=roomy, ends_in=patient.ends_in,
        )  # fmt: skip
        sweep(make_world, again, ALL, tally)
    assert len(seen) >= 4, f"only {len(seen)} different remains"
