"""Each screen in a real browser: quiet, readable by a program that reads aloud, narrow, dark, without a script."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.protocol.states import Outcome, State
from tests.web.browser.chromium import NARROW, TAB, WIDE

# Of a group of radio buttons the chosen one is reached, and arrows lead to the others.
_WHAT_CAN_BE_PRESSED = """
const all = "a[href], button, summary, select, [tabindex='0'], input:not([type=hidden], [type=radio]:not(:checked))";
const isClosed = (one) => one.closest("details:not([open]) > :not(summary)");
return [...document.querySelectorAll(all)].filter((one) => one.checkVisibility() && !isClosed(one)).length;
"""
_WHERE = """
const here = document.activeElement, style = getComputedStyle(here);
if (here === document.body) return ["none", ""];
const place = here.dataset.reached ? "again" : "new";
here.dataset.reached = "yes";
return [place, style.outlineStyle];
"""
FOLDERS = ["/pending/", "/running/", "/done/", "/failed/", "/all/", "/failed/?error=ValueError"]
JOBS = ["/job/report-1", "/job/waits", "/job/runs", "/job/mail-1", "/job/broken", "/job/waits/edit"]
OTHERS = ["/keys/", "/schedules/", "/logs/", "/settings/", "/enqueue/", "/enqueue/?kind=app.Report.build"]
SCREENS = ["/", *FOLDERS, *JOBS, *OTHERS]
ERROR = {
    "type": "ValueError",
    "message": "row 4,411: price is not a number: '12,50 EUR'",
    "traceback": "Traceback\n  x",
}
FAILED = {"outcome": "failed", "started_at": "2026-11-27T11:39:02Z", "ended_at": "2026-11-27T11:39:12Z", "error": ERROR}
DONE = {"outcome": "succeeded", "started_at": "2026-11-27T11:39:02Z", "ended_at": "2026-11-27T11:39:12Z"}
KEYS = {
    "schedules": {"nightly": {"cron": "0 3 * * *", "job": "app.Report", "method": "build"}},
    "limits": {"mail": {"concurrency": 2, "rate": "100/m"}},
}


@pytest.fixture
def lively(read, drop, spool):
    """A spool with jobs in each folder."""
    for number in range(12):
        drop(State.FAILED, f"report-{number}", {"group": "mail", "params": {"year": number}, "attempts": [FAILED] * 4})
    drop(State.FAILED, "broken", b"{")
    spool.explain("broken", Outcome.REJECTED, "no JSON", "pending/broken.json", 0.0)
    for number in range(120):
        drop(
            State.DONE,
            f"mail-{number}",
            {"method": "send", "group": "mail", "result": {"sent": number}, "attempts": [DONE]},
        )
    drop(State.PENDING, "waits", {"params": [2026], "priority": 3})
    drop(State.PENDING, "later", {"delay": "1h"})
    drop(State.RUNNING, "runs", {"group": "mail"})
    with open(spool.layout.progress("runs"), "w", encoding="utf-8") as stream:
        json.dump({"fraction": 0.4, "text": "page 4 of 10"}, stream)
    return read(**KEYS)


@pytest.mark.parametrize("path", SCREENS)
def test_screen(lively, axe, path) -> None:
    """A screen has one heading, nothing against it from axe-core in light and dark, and fits a telephone."""
    lively.open(path)
    assert len(lively.all("h1")) == 1
    assert lively.violations(axe) == []
    lively.look_like(WIDE, "dark")
    assert lively.violations(axe) == []
    lively.look_like(NARROW)
    assert lively.script("return document.documentElement.scrollWidth") <= NARROW[0]
    assert lively.violations(axe) == []


def test_without_a_script(lively) -> None:
    """Without JavaScript a screen says the same, and shows nothing that would not work."""
    for path in SCREENS:
        lively.open(path)
        heading = lively.text("h1")
        with lively.without_script():
            lively.open(path)
            assert lively.text("h1") == heading
            assert [one.text for one in lively.all("[data-script]") if one.is_displayed()] == []
            assert "Refresh" in lively.text("header")


def test_keyboard(lively) -> None:
    """All that can be pressed is reached by the tabulator, and where it stands is seen."""
    lively.open("/failed/")
    lively.click("#freeze")
    wanted = lively.script(_WHAT_CAN_BE_PRESSED)
    assert wanted > 30
    lively.script("document.activeElement.blur()")
    reached = 0
    for _ in range(2 * wanted):
        lively.press(TAB)
        place, outline = lively.script(_WHERE)
        reached += place == "new"
        assert place == "none" or outline != "none"
        if reached == wanted:
            break
    assert reached == wanted


STATES = {
    "empty": ({"state": "running"}, "All is well, and nothing to do."),
    "paused": ({"state": "running"}, "Paused."),
    "blocked": (
        {"state": "blocked", "trouble": ["fsync tmp/x: No space left on device"]},
        "Blocked: the disk is full.",
    ),
    "stopping": ({"state": "stopping"}, "Stopping."),
    "down": (None, "No dispatcher runs on this spool."),
    "gone": (None, "The spool is gone."),
}


@pytest.mark.parametrize("state", STATES)
def test_states(read, drop, spool, dispatcher, axe, state) -> None:
    """Each state of the spool has its page, which says what to do, and against which axe-core has nothing."""
    told, heading = STATES[state]
    if told is not None:
        dispatcher(**told)
    if state == "paused":
        drop(State.PENDING, "waits")
        with open(spool.layout.pause, "w", encoding="ascii"):
            pass
    reader = read()
    if state == "gone":
        os.rename(spool.layout.root, f"{spool.layout.root}-elsewhere")
    reader.until(lambda: not reader.page.desk.index.is_counting)
    for size, scheme in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light")):
        reader.look_like(size, scheme)
        reader.open("/")
        assert reader.text("h1").startswith(heading)
        assert reader.violations(axe) == []
        assert reader.script("return document.documentElement.scrollWidth") <= size[0]
    assert [line for line in reader.complaints() if "503" not in line] == []
