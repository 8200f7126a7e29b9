"""Each action in a real browser, with and without a script: what a person presses, what is asked, what the page says then."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext

import pytest

from spoolrunner.protocol.states import State

SCHEDULE = {"schedules": {"nightly": {"cron": "0 3 * * *", "job": "app.Report", "method": "build"}}}


def lies(spool, state: State) -> list[str]:
    return sorted(
        name.removesuffix(".json") for name in os.listdir(spool.layout.folder(state)) if name.endswith(".json")
    )


def control(spool) -> list[str]:
    return sorted(os.listdir(spool.layout.control))


@pytest.fixture(params=["with a script", "without"])
def hand(request, read, drop):
    """A reader at a spool with a few files; half of the tests are without a script."""
    for name in ("a", "b", "c"):
        drop(
            State.FAILED, name, {"attempts": [{"outcome": "failed", "error": {"type": "ValueError", "message": "no"}}]}
        )
    drop(State.PENDING, "waits", {"params": [1]})
    reader = read(**SCHEDULE)
    with reader.without_script() if request.param == "without" else nullcontext():
        yield reader


def said(reader) -> str:
    """What the page says of what was done, as soon as it does."""
    reader.until(lambda: reader.all("#said"))
    return reader.text("#said")


def test_retry_all(hand, spool) -> None:
    """All that match move, once the question was answered; the page says what was done and by which line."""
    hand.open("/failed/?error=ValueError")
    hand.click(".bulk details:first-of-type summary")
    hand.click(".bulk details[open] button")
    assert said(hand) == "3 files moved from failed/ to pending/. spoolrunner retry --error ValueError"
    assert (hand.path(), lies(spool, State.PENDING)) == ("/failed/", ["a", "b", "c", "waits"])


def test_discard_ticked(hand, spool) -> None:
    """Ticked files are named once more before they are removed."""
    hand.open("/failed/")
    for name in ("a", "c"):
        hand.click(f"[data-id={name}] [type=checkbox]")
    hand.click("[value=ticked]")
    hand.click(".bulk details:nth-of-type(2) summary")
    hand.click(".bulk details[open] button")
    hand.until(lambda: hand.text("h1").startswith("Discard 2 files?"))
    hand.click("button.go")
    assert said(hand).startswith("2 files removed from failed/ for good.")
    assert lies(spool, State.FAILED) == ["b"]


def test_leave_them(hand, spool) -> None:
    """A question can be left, and nothing was done."""
    hand.open("/failed/")
    hand.click("[data-id=a] [type=checkbox]")
    hand.click("[value=ticked]")
    hand.click(".bulk details:first-of-type summary")
    hand.click(".bulk details[open] button")
    hand.until(lambda: hand.text("h1").startswith("Retry 1 file?"))
    hand.click("main a.do")
    hand.until(lambda: hand.text("h1") == "spool/failed/")
    assert lies(spool, State.FAILED) == ["a", "b", "c"]


def test_another_number(hand, drop, spool) -> None:
    """If another file came meanwhile it is not touched, though the button is pressed; if one went, it is asked again."""
    hand.open("/failed/")
    os.unlink(spool.layout.job(State.FAILED, "a"))
    hand.click(".bulk details:nth-of-type(2) summary")
    hand.click(".bulk details[open] button")
    hand.until(lambda: "3 matched when the page was drawn, 2 do now. Nothing was touched." in hand.text("h1"))
    assert hand.all("#live, #freeze") == []  # a question is no page that could be asked for again
    drop(State.FAILED, "later")
    hand.click("button.go")
    assert said(hand).startswith("2 files removed")
    assert lies(spool, State.FAILED) == ["later"]
    assert [line for line in hand.complaints() if "409" not in line] == []


def test_one_job(hand, spool) -> None:
    """A job is retried, copied and discarded on its page."""
    hand.open("/job/a")
    hand.click(".acts form[action$=retry] button")
    assert said(hand).startswith("Moved from failed/ to pending/: a.")
    hand.open("/job/b")
    hand.click(".acts form[action$=copy] button")
    assert said(hand).startswith("This is the copy; b stays in failed/.")
    hand.open("/job/b")
    hand.click(".acts details summary")
    hand.click(".acts details button")
    hand.until(lambda: hand.path() == "/failed/")
    assert lies(spool, State.FAILED) == ["c"]
    assert len(lies(spool, State.PENDING)) == 3


def test_cancel(hand, spool) -> None:
    """A waiting job is cancelled on its page, after a question."""
    hand.open("/job/waits")
    hand.click(".acts details summary")
    hand.click(".acts details button")
    assert said(hand).startswith("control/cancel-waits lies there.")
    assert control(spool) == ["cancel-waits"]


def test_edit(hand, spool) -> None:
    """A waiting job is edited in a form."""
    hand.open("/job/waits")
    hand.click("a.do[href$=edit]")
    hand.type("[name=priority]", "7")
    hand.type("[name=params]", '[{"year": 2027}]')
    hand.click("button.go")
    assert said(hand).startswith("Written anew in pending/: params, priority.")
    with open(spool.layout.job(State.PENDING, "waits"), "rb") as stream:
        raw = json.load(stream)
    assert (raw["priority"], raw["params"]) == (7, [{"year": 2027}])


def test_pause(hand, spool) -> None:
    """A schedule is paused, resumed, and run now, on the page of the schedules."""
    hand.open("/schedules/")
    hand.click("form[action$=pause] button")
    assert said(hand).startswith("control/pause-schedule-nightly lies there")
    assert control(spool) == ["pause-schedule-nightly"]
    hand.open("/schedules/")
    hand.click("form[action$=resume] button")
    assert said(hand).startswith("control/pause-schedule-nightly is removed")
    assert control(spool) == []
    hand.open("/schedules/")
    hand.click("form[action$=run] button")
    assert said(hand).startswith("A job of nightly waits in pending/")


def test_find(hand) -> None:
    """A job is found by its id; by the beginning of it; by a text."""
    hand.open("/")
    hand.type("[name=q]", "waits")
    hand.press("\ue007")
    hand.until(lambda: hand.path() == "/job/waits")
