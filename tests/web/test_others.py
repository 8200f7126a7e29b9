"""The schedules, the log, the settings in force, and the keys."""

from __future__ import annotations

import json
import os

from spoolrunner.protocol.slots import slot_id, slot_time
from spoolrunner.protocol.states import State
from spoolrunner.system.clock import SYSTEM
from spoolrunner.web.settings import Settings

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


def log(spool, *lines: str) -> None:
    with open(os.path.join(spool.layout.logs, "background_jobs.log"), "a", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def test_log(serve, spool) -> None:
    """The newest line is the first; a text or a choice leaves the others out; each id leads to its job."""
    log(
        spool,
        '2026-11-27T11:58:01.000000Z dispatcher note="started, version 0.1.0"',
        "2026-11-27T11:58:02.000000Z started id=a class=app.Report method=build attempt=1/4",
        '2026-11-27T11:58:03.000000Z failed id=a class=app.Report method=build attempt=1/4 duration=0.5s note="E: \\"x\\""',
        "no line of ours",
        "2026-11-27T11:58:04.000000Z retry id=a class=app.Report method=build attempt=2/4 next_run_at=2026-11-27T11:59:00Z",
    )
    page = serve()
    text = page.get("/logs/").text
    assert text.index(">retry<") < text.index(">failed<") < text.index(">started<")
    assert 'href="../job/a">a</a>' in text
    assert "Report.build 1/4 0.5s E: &#34;x&#34;" in text
    assert page.get("/logs/?with=version").text.count("<li class") == 1
    assert page.get("/logs/?events=failures").text.count("<li class") == 2
    assert page.get("/logs/?events=control").text.count("<li class") == 1
    assert "no line matches" in page.get("/logs/?with=nothing").text
    assert page.get("/logs/.json").json()["lines"][0]["kind"] == "retry"
    assert page.get("/logs/background_jobs.log").text.count("\n") == 5
    assert page.get("/logs/background_jobs.log").headers["content-type"].startswith("text/plain")


def test_quiet(serve) -> None:
    """Without a log the page says that it is quiet."""
    assert "quiet" in serve().get("/logs/").text


def test_settings(serve) -> None:
    """Every key has its value; what may be a secret has not, and parameters have not where they are hidden."""
    keys = {"environment": {"PASSWORD": "hush"}, "concurrency": 7, "schedules": {"s": HOURLY}}
    page = serve(**keys)
    text = page.get("/settings/").text
    assert "hush" not in text
    assert "PASSWORD" in text
    assert "<b>concurrency</b>" in text
    assert "secret" in text
    assert page.get("/settings/.json").json()["effective"]["concurrency"] == 7
    hidden = serve(Settings(hides_params=True, allowed_hosts=frozenset({"jobs.example"})), **keys)
    assert "secret" not in hidden.get("/settings/").text
    assert "jobs.example" in hidden.get("/settings/").text
    assert hidden.get("/settings").leads_to == "/settings/"


def test_keys(serve) -> None:
    """The keys are listed on a page of their own, without a script, too."""
    page = serve()
    assert "<kbd>g</kbd>" in page.get("/keys/").text
    assert page.get("/keys").leads_to == "/keys/"
