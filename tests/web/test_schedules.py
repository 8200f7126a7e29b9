"""The page of the schedules."""

from __future__ import annotations

import json
import os

from spoolrunner.protocol.slots import slot_id, slot_time
from spoolrunner.protocol.states import State
from spoolrunner.system.clock import SYSTEM

HOURLY = {"every": "1h", "job": "app.Report", "method": "build", "params": ["secret"]}


def note(spool, name: str, slot: int, **more) -> None:
    """What the dispatcher notes of a schedule."""
    os.makedirs(spool.layout.schedules, exist_ok=True)
    at = slot_time(slot)
    raw = {"timing": "every 3600 s", "until": at, "slot": at, "job": slot_id(name, slot), "skipped": [], **more}
    with open(spool.layout.schedule(name), "w", encoding="ascii") as stream:
        json.dump(raw, stream)


def test_schedules(serve, drop, spool) -> None:
    """A schedule has its words, its slots as a drawing, its next three, what became of the last, and its buttons."""
    slot = int(SYSTEM.wall()) // 3600 * 3600
    attempts = [{"number": 1, "outcome": "timed_out", "verdict": "failed"}]
    drop(State.FAILED, slot_id("late", slot), {"attempts": attempts})
    note(
        spool,
        "late",
        slot,
        skipped=[{"first": slot_time(slot - 3600), "last": slot_time(slot - 3600), "why": "it overlapped"}],
    )
    page = serve(schedules={"late": HOURLY, "new": {**HOURLY, "every": "2h"}})
    text = page.get("/schedules/").text
    assert "One of two do what they should." in text
    assert f'href="../job/{slot_id("late", slot)}">late</a> timed out at' in text
    assert "every hour" in text
    assert "not yet" in text
    assert "12 to come" in text
    assert "1 failed" in text
    assert "1 skipped" in text
    assert 'action="../schedules/late/run"' in text
    assert [one["name"] for one in page.get("/schedules/.json").json()["schedules"]] == ["late", "new"]


def test_a_paused_schedule(serve, spool) -> None:
    """A paused schedule has no next slot, and can be resumed."""
    page = serve(schedules={"s": HOURLY})
    with open(spool.layout.pause_schedule("s"), "w", encoding="ascii"):
        pass
    text = page.get("/schedules/").text
    assert "none while paused" in text
    assert "One is paused." in text
    assert 'action="../schedules/s/resume"' in text


def test_no_schedules_and_a_note_that_is_torn(serve, spool) -> None:
    """Without schedules the page says how to set one; a note that cannot be read is said at its schedule."""
    page = serve()
    assert "No schedule is set." in page.get("/schedules/").text
    os.makedirs(spool.layout.schedules)
    with open(spool.layout.schedule("s"), "w", encoding="ascii") as stream:
        stream.write("torn")
    page = serve(schedules={"s": HOURLY})
    assert "None of one do what they should." in page.get("/schedules/").text
    assert page.get("/schedules").leads_to == "/schedules/"
