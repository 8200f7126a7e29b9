"""Where a job stands that others wait for. tests/model compares it with the model, for every place of two jobs of an id."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.standing import Standing, Stands, standing
from spoolrunner.system.clock import format_time


def ended(clock, ago: float) -> dict:
    attempt = {"number": 1, "outcome": "succeeded", "verdict": "done", "ended_at": format_time(clock.wall() - ago)}
    return {"attempts": [attempt]}


def test_nowhere(spool, drop) -> None:
    """A job that lies in no folder is nowhere, whatever lies beside it."""
    drop(State.DONE, "xy")
    assert standing(spool, "x") == Standing(Stands.NOWHERE)


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING])
def test_underway(spool, drop, clock, state) -> None:
    """While a job of the id waits or runs an earlier one does not count."""
    drop(State.DONE, "x", ended(clock, 5))
    drop(state, "x")
    assert standing(spool, "x").stands is Stands.UNDERWAY


def test_the_last_one_counts(spool, drop, clock) -> None:
    """Of several the one counts that ended last, under whatever name it lies."""
    drop(State.DONE, "x", ended(clock, 5))
    drop(State.FAILED, "x~2", ended(clock, 3))
    drop(State.DONE, "x~3", ended(clock, 9))
    assert standing(spool, "x") == Standing(Stands.FAILED, "x~2")


def test_an_earlier_one_was_pruned(spool, drop, clock) -> None:
    """A job is found under its later name when the earlier one was removed."""
    drop(State.DONE, "x~3", ended(clock, 3))
    assert standing(spool, "x") == Standing(Stands.DONE, "x~3")


def test_one_that_was_refused(spool, drop, clock) -> None:
    """A job that never ran ended when it was refused, whatever its file says of attempts."""
    drop(State.FAILED, "x", ended(clock, 0))
    spool.explain("x", Outcome.EXPIRED, "too late", "pending/x.json", clock.wall() - 60)
    drop(State.DONE, "x~2", ended(clock, 30))
    assert standing(spool, "x") == Standing(Stands.DONE, "x~2")


@pytest.mark.usefixtures("arrived_as_written")
@pytest.mark.parametrize("content", [b"{", {}, {"attempts": [{"ended_at": 5}]}, {"attempts": {}}])
def test_one_without_a_record(spool, drop, clock, content) -> None:
    """A file without a record of ours ended when it came there: a person moved it."""
    drop(State.DONE, "x", content, age=10)
    drop(State.FAILED, "x~2", ended(clock, 20))
    assert standing(spool, "x") == Standing(Stands.DONE, "x")


def test_one_that_is_taken_away_meanwhile(spool, drop, clock, monkeypatch) -> None:
    """A file that goes between two looks does not count."""
    path = drop(State.DONE, "x", ended(clock, 1))
    drop(State.FAILED, "x~2", ended(clock, 20))
    read = spool.read

    def gone(state, name):
        if name == "x":
            os.unlink(path)
        return read(state, name)

    monkeypatch.setattr(spool, "read", gone)
    assert standing(spool, "x") == Standing(Stands.FAILED, "x~2")
