"""A dispatcher in the words of status.json."""

from __future__ import annotations

import os

from spoolrunner.dispatch.describe import MOST_POSTPONED, describe
from spoolrunner.dispatch.postponed import Why
from spoolrunner.protocol.states import State


def test_what_it_does(service, begin, drop) -> None:
    """Its state, what runs and how many wait, and what was counted since it began."""
    service.turn()
    begin("x")
    drop(State.PENDING, "later", {"delay": "5m"})
    service.rooms.intake.look("later")
    found = describe(service)
    assert (found["state"], found["pid"], found["events"]) == ("running", os.getpid(), "events")
    assert (found["waiting"], found["due"]) == (1, 0)
    (attempt,) = found["running"]
    assert (attempt["id"], attempt["attempt"], attempt["ending"], attempt["timeout"]) == ("x", 1, None, 3600.0)


def test_who_waits_for_a_key_is_due(service, begin) -> None:
    """A job that only another one keeps from starting counts as due."""
    service.turn()
    begin("x")
    assert begin("x") is False
    found = describe(service)
    assert (found["waiting"], found["due"]) == (1, 1)
    assert found["postponed"] == [{"id": "x", "why": Why.ID_BUSY.value, "until": None}]


def test_the_status_shows_what_is_put_off(service, drop, clock) -> None:
    """status.json names what is put off, why, and until when."""
    drop(State.PENDING, "torn", b"{")
    service.turn()
    (entry,) = describe(service)["postponed"]
    assert (entry["id"], entry["why"]) == ("torn", Why.NOT_JUDGED.value)
    assert entry["until"] == "2027-01-15T08:00:02.000000Z"


def test_the_status_stays_small(service, drop) -> None:
    """Of many jobs that are put off the first ones are shown."""
    for number in range(MOST_POSTPONED + 5):
        service.rooms.register.wait_for(f"x{number}", Why.METHOD_BUSY, 0.0, ("method", "app.Report", "build"))
    assert len(describe(service)["postponed"]) == MOST_POSTPONED
