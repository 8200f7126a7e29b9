"""Stop at the n-th file operation, for every n: whoever is killed there, the next dispatcher makes it whole."""

from __future__ import annotations

import orjson
import pytest

from spoolrunner.states import State
from tests.crash.conftest import MakeWorld
from tests.crash.scenarios import (
    ALL,
    MODES,
    Scenario,
    by_hand,
    cancel_running,
    dispatch,
    ended,
    fingerprint,
    foreign,
    kept_its_bytes,
    left_by,
    measure,
    nothing,
    pending,
    plans,
    publish_one,
    publish_three,
    strike,
    sweep,
    until_settled,
    was_run_again,
    what_was_renamed_is_there,
    work_about_to_end,
    work_in_progress,
)

UNLISTED = orjson.dumps({"job": "nowhere.Nothing", "method": "work"})
TORN = b'{"job": "tests.crash'

PUBLISHING = [
    Scenario("publish", nothing, publish_one, what_was_renamed_is_there, 6, ()),
    Scenario("publish a batch", nothing, publish_three, what_was_renamed_is_there, 14, ()),
]
RUNNING = [
    Scenario("one attempt that succeeds", pending(), dispatch, nothing, 30),
    Scenario("a failure, to be tried again", pending("fail", "ok"), dispatch, nothing, 30, settings={"max_retries": 2}),
    Scenario(
        "the last failure",
        pending("fail"),
        dispatch,
        nothing,
        30,
        settings={"max_retries": 0},
        ends_in=(State.FAILED,),
    ),
    Scenario(
        "a retry by hand from done/", by_hand(State.DONE, ended("succeeded", "done")), dispatch, was_run_again, 33
    ),
    Scenario(
        "a retry by hand from failed/",
        by_hand(State.FAILED, ended("crashed", "retry"), ended("failed", "failed", 2)),
        dispatch,
        was_run_again,
        33,
    ),
    Scenario("settling", work_about_to_end, until_settled, nothing, 10),
    Scenario("a timeout", work_in_progress, until_settled, nothing, 10, settings={"timeout": 3, "max_retries": 2}),
]
REFUSING = [
    Scenario("refused by the whitelist", foreign(State.PENDING, UNLISTED), dispatch, kept_its_bytes(UNLISTED), 12, ()),
    Scenario("unfit as a name", foreign(State.PENDING, TORN, "a b"), dispatch, kept_its_bytes(TORN, "a b"), 12, ()),
    Scenario("not JSON", foreign(State.PENDING, TORN), dispatch, kept_its_bytes(TORN), 12, ()),
    Scenario("torn in running/", foreign(State.RUNNING, TORN), dispatch, kept_its_bytes(TORN), 12, ()),
    Scenario(
        "expired",
        pending(expires_at="2001-01-01T00:00:00Z"),
        dispatch,
        nothing,
        12,
        ends_in=(State.FAILED,),
    ),
]
ENDING = [
    Scenario(
        "cancel of a running job",
        cancel_running,
        until_settled,
        nothing,
        15,
        ends_in=(State.FAILED, State.DONE),
    ),
    Scenario(
        "params that do not fit",
        lambda world: world.put(State.PENDING, "a", {**world.document("a"), "params": []}),
        dispatch,
        nothing,
        30,
        ends_in=(State.FAILED,),
    ),
]


@pytest.mark.parametrize("scenario", PUBLISHING, ids=str)
def test_what_a_killed_producer_renamed_is_run_once_and_the_rest_is_not_there(
    make_world: MakeWorld, scenario: Scenario
) -> None:
    """A producer killed at any operation has published a job whole or not at all, and what it published is run once."""
    sweep(make_world, scenario, ALL)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", RUNNING, ids=str)
def test_a_job_comes_to_its_end_whoever_is_killed_at_whatever_operation(
    make_world: MakeWorld, scenario: Scenario, mode: str
) -> None:
    """A dispatcher or runner killed at any operation leaves the job in one place, and recovery brings it to its end."""
    sweep(make_world, scenario, mode)


@pytest.mark.parametrize("scenario", REFUSING, ids=str)
def test_what_is_refused_keeps_its_bytes_and_has_its_reason_wherever_the_dispatcher_is_killed(
    make_world: MakeWorld, scenario: Scenario
) -> None:
    """A dispatcher killed at any operation of a refusal loses neither the file's bytes nor the reason beside them."""
    sweep(make_world, scenario, ALL)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", ENDING, ids=str)
def test_a_job_that_is_ended_comes_to_its_end_whoever_is_killed(
    make_world: MakeWorld, scenario: Scenario, mode: str
) -> None:
    """A cancel or a refusal by the runner leads to a final state, and no request is left, wherever somebody is killed."""
    sweep(make_world, scenario, mode)


SLOW = {
    "the last failure",
    "a retry by hand from done/",
    "one attempt that succeeds",
}  # the others leave the same and more


def _marks(scenario: Scenario) -> list[pytest.MarkDecorator]:
    return [pytest.mark.long] if scenario.name in SLOW else []


@pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name, marks=_marks(s)) for s in RUNNING + ENDING])
def test_recovery_killed_at_any_operation_is_recovered_from(make_world: MakeWorld, scenario: Scenario) -> None:
    """Whatever a death left behind, a recovery that is itself killed at any operation leaves it to the next one whole."""
    roomy = {**scenario.settings, "max_retries": scenario.settings.get("max_retries", 1) + 1}
    patient = Scenario(
        scenario.name, scenario.prepare, scenario.act, scenario.judge, scenario.least, settings=roomy,
        ends_in=(State.DONE, State.FAILED),
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
        sweep(make_world, again, ALL)
    assert len(seen) >= 4, f"only {len(seen)} different remains"
