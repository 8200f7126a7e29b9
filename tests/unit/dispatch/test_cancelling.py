"""Cancels: of a job that runs, waits, waits to be tried again, or is not there."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.dispatch.cancelling import BETWEEN
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import requests
from spoolrunner.system.heldfiles import HeldError
from spoolrunner.telling.events import CancelMissed, Ending, Refused
from spoolrunner.telling.troubles import KeptOff

TRIED = {"number": 1, "outcome": "failed", "verdict": "retry"}


@pytest.fixture
def ask(rooms):
    """Ask for a job to be cancelled, and have it done; whether the request is still there."""

    def cancel(job_id: str = "x") -> bool:
        requests.request_cancel(rooms.spool.layout, job_id)
        rooms.cancelling.cancel(job_id)
        return os.path.exists(rooms.spool.layout.cancel(job_id))

    return cancel


def test_one_that_runs(rooms, begin, ask, events) -> None:
    """It begins to end, and its request stays until it is settled."""
    begin("x")
    assert ask() is True
    assert [type(event) for event in events[1:]] == [Ending]
    (attempt,) = rooms.running.all()
    assert attempt.termination is not None
    assert attempt.termination.outcome is Outcome.CANCELLED


def test_one_that_waits(rooms, drop, ask, events, places) -> None:
    """It goes to failed/ as cancelled, and the request goes with it."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    assert ask() is False
    assert places().failed == ["x"]
    assert events == [Refused("x", Outcome.CANCELLED, "cancelled before it started")]
    assert len(rooms.order) == 0


def test_one_that_waits_to_be_tried_again(rooms, drop, ask, events, places) -> None:
    """Its last verdict is recorded anew as the final one, so that a retry by hand begins afresh."""
    drop(State.PENDING, "x", {"attempts": [TRIED]})
    assert ask() is False
    assert (places().failed, events) == (["x"], [Refused("x", Outcome.CANCELLED, BETWEEN)])
    raw = orjson.loads(rooms.spool.read(State.FAILED, "x").data)
    assert raw["attempts"][0]["verdict"] == "failed"


def test_one_that_is_not_there(ask, events) -> None:
    """The request is removed, and that is reported."""
    assert ask() is False
    assert events == [CancelMissed("x")]


def test_one_that_is_not_resolved_yet(drop, ask, events, places) -> None:
    """A file in running/ that is neither settled nor adopted keeps its request: it may be the one that is meant."""
    drop(State.RUNNING, "x")
    assert ask() is True
    assert (events, places().running) == ([], ["x"])


@pytest.mark.usefixtures("arrived_as_written")
def test_a_request_that_was_carried_out(rooms, drop, ask, events, places) -> None:
    """A request that a crash left behind hits no later job of that id."""
    drop(State.PENDING, "x")
    ask()
    drop(State.PENDING, "x")
    requests.request_cancel(rooms.spool.layout, "x")
    os.utime(rooms.spool.layout.cancel("x"), (1, 1))  # it was asked for before the first one was refused
    rooms.cancelling.cancel("x")
    assert places().pending == ["x"]
    assert len(events) == 1


def test_a_file_that_another_program_has_open(rooms, drop, ask, events, monkeypatch) -> None:
    """The cancel is put off, and that is reported; the request stays."""
    drop(State.PENDING, "x")

    def refuse(*_: object) -> None:
        raise HeldError(13, "open elsewhere")

    monkeypatch.setattr(rooms.spool, "refuse", refuse)
    assert ask() is True
    assert [type(event) for event in events] == [KeptOff]
