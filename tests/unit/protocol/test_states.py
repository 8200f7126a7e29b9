"""The tables of the protocol are complete and agree with each other."""

from __future__ import annotations

import pytest

from spoolrunner.protocol.states import (
    DESTINATION,
    EVENT_OF,
    FINAL,
    LEFT_BY_JOBS,
    MAX_INTERRUPTIONS,
    MAX_RELEASES,
    MOVES,
    RECOVERY_RULES,
    TRANSITIONS,
    Event,
    Outcome,
    Remedy,
    State,
    Verdict,
    transition,
)
from spoolrunner.spool.paths import FOLDERS


def test_every_state_has_a_folder() -> None:
    """A state is a folder of the spool."""
    assert {state.value for state in State} <= set(FOLDERS)
    assert [state.value for state in State] == ["pending", "running", "done", "failed"]


def test_words() -> None:
    """Outcomes and verdicts are those of the design."""
    outcomes = "succeeded failed timed_out crashed interrupted cancelled rejected expired dependency_failed"
    assert [outcome.value for outcome in Outcome] == outcomes.split()
    assert [verdict.value for verdict in Verdict] == ["done", "retry", "failed"]


def test_what_a_job_can_say_of_itself() -> None:
    """That it crashed, was interrupted, expired or could not start is for the dispatcher to say; a job can leave the rest."""
    by_dispatcher = {Outcome.CRASHED, Outcome.INTERRUPTED, Outcome.EXPIRED, Outcome.DEPENDENCY_FAILED}
    assert set(Outcome) - LEFT_BY_JOBS == by_dispatcher


def test_every_verdict_leads_somewhere() -> None:
    """Each verdict has one destination, and there is a transition from running/ to it."""
    assert DESTINATION == {Verdict.DONE: State.DONE, Verdict.RETRY: State.PENDING, Verdict.FAILED: State.FAILED}
    assert {(State.RUNNING, target) for target in DESTINATION.values()} <= MOVES
    assert {Verdict.DONE, Verdict.FAILED} == FINAL
    assert set(EVENT_OF) == set(Verdict)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("source", [None, *State])
def test_every_event_in_every_state_is_answered(source, event) -> None:
    """For each state and event there is one row, or an error that names both: nothing is left open."""
    rows = [row for row in TRANSITIONS if (row.source, row.event) == (source, event)]
    if rows:
        assert [transition(source, event)] == rows
        return
    with pytest.raises(ValueError, match="no transition") as caught:
        transition(source, event)
    assert repr(event.value) in str(caught.value)
    assert ("outside the spool" if source is None else f"in {source}/") in str(caught.value)


def test_moves() -> None:
    """A file moves along a transition between two states, and in no other way."""
    running, pending, done, failed = State.RUNNING, State.PENDING, State.DONE, State.FAILED
    assert {
        (pending, running),
        (pending, failed),
        (running, done),
        (running, pending),
        (running, failed),
        (failed, pending),
        (done, pending),
    } == MOVES


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state) -> None:
    """A job can come into each state and out of it again, if only by hand."""
    assert [row for row in TRANSITIONS if row.target is state and row.source is not state]
    assert [source for source, _ in MOVES if source is state]


def test_only_an_outcome_is_counted() -> None:
    """An attempt is counted by its record, and by nothing else."""
    assert [row.event for row in TRANSITIONS if row.counted.startswith("yes")] == [Event.OUTCOME]


def test_recovery_rules() -> None:
    """The rules are numbered in the order in which they are asked, use every remedy, and the last asks nothing."""
    assert [rule.number for rule in RECOVERY_RULES] == [0, 1, 2, 3, 4]
    assert {rule.remedy for rule in RECOVERY_RULES} == set(Remedy)
    assert RECOVERY_RULES[-1].sign.startswith("otherwise")


def test_limits() -> None:
    """A job is released five times, and interrupted five times for free."""
    assert (MAX_RELEASES, MAX_INTERRUPTIONS) == (5, 5)
