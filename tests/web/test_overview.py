"""The overview in each condition of the spool, with what to do."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.system.clock import SYSTEM, format_time

FAILED = {
    "number": 1,
    "outcome": "failed",
    "verdict": "failed",
    "started_at": "2026-11-27T11:58:06Z",
    "ended_at": "2026-11-27T11:58:07Z",
    "error": {"type": "TimeoutError", "message": "no answer"},
}


def headline(text: str) -> str:
    """The first heading, as it is read."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]*>", "", found.group(1)).split())


def test_empty(serve, dispatcher) -> None:
    """Where nothing was ever enqueued it says how to, with a job that may be run."""
    dispatcher()
    text = serve().get("/").text
    assert headline(text).startswith("All is well, and nothing to do.")
    assert "mv -n spool/tmp/x spool/pending/hello.json" in text
    assert '"job": "app.Report", "method": "build"' in text.replace("&#34;", '"')


def test_well(serve, drop, dispatcher) -> None:
    """When it works, the numbers are those of the folders, and each leads to its files."""
    for name in "abc":
        drop(State.FAILED, name, {"attempts": [FAILED]})
    drop(State.DONE, "d")
    drop(State.PENDING, "w", {"next_run_at": "2999-01-01T00:00:00Z"})
    drop(State.RUNNING, "r")
    running = {
        "id": "r",
        "job": "app.Report",
        "method": "build",
        "started_at": SYSTEM.text(),
        "timeout": 1200,
        "pid": 1,
    }
    dispatcher(running=[running])
    page = serve()
    page.wait_for({"failed": 3, "pending": 1})
    text = page.get("/").text
    assert headline(text).startswith("Running well. 3 lie in failed/, 3 of them since")
    assert 'href="failed/?job=app.Report&amp;method=build&amp;error=TimeoutError">3</a>' in text
    assert 'href="./failed/?job=app.Report&amp;method=build&amp;error=TimeoutError"><b>3</b>' in text
    assert 'href="./job/r"' in text
    assert "of 20 m" in text
    assert "of 4 slots" in text
    data = page.get("/.json").json()
    assert (data["condition"], data["counts"]["failed"], data["failures"]["groups"][0]["files"]) == ("well", 3, 3)
    assert data["waiting"]["by_kind"] == {"app.Report.build": 1}
    assert page.get("/health").status == 200


def test_why_not_yet(serve, drop, dispatcher) -> None:
    """Each of the jobs that are next says in a few words why it has not started."""
    drop(State.PENDING, "late", {"next_run_at": "2999-01-01T00:00:00Z"})
    drop(State.PENDING, "next")
    drop(State.PENDING, "behind", {"after": ["next"]})
    drop(State.PENDING, "held", {"group": "mail"})
    drop(State.PENDING, "bad", {"method": 5})
    held = {"by": "group", "name": "mail", "why": "its group runs as many", "waiting": 1, "first": "held"}
    dispatcher(due=2, held=[held])
    page = serve()
    page.wait_for({"pending": 5})
    text = re.sub(r"<[^>]*>", " ", page.get("/").text)
    words = " ".join(text.split())
    for said in ("next for a slot", "behind after next", "held limit of mail", "late its time", "bad will be refused"):
        assert said in words, said


def test_paused(serve, drop, spool, dispatcher) -> None:
    """A pause is said first, with the file that is it and the button that takes it away."""
    drop(State.PENDING, "a")
    with open(spool.layout.pause, "w", encoding="ascii"):
        pass
    with open(spool.layout.pause_of("group-mail"), "w", encoding="ascii"):
        pass
    dispatcher(state="paused")
    page = serve()
    page.wait_for({"pending": 1})
    text = page.get("/").text
    assert headline(text) == "Paused. control/pause lies there, so no job is started. 1 waits."
    assert "rm control/pause" in text
    assert "pause-group-mail" in text
    assert "dispatcher is paused" in text
    assert page.get("/health").json() == {"condition": "paused"}


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("[Errno 28] No space left on device: '/x/tmp'", "Blocked: the disk is full."),
        ("[Errno 30] Read-only file system: '/x/tmp'", "Blocked: the disk is read-only."),
        ("[Errno 5] Input/output error", "Blocked."),
    ],
)
def test_blocked(serve, spool, dispatcher, trouble, said) -> None:
    """A dispatcher that cannot work says why, that nothing is lost, what fills the disk, and the other remarks beside it."""
    with open(os.path.join(spool.layout.job_logs, "large.log"), "wb") as stream:
        stream.write(b"x" * 200_000)
    dispatcher(state="blocked", trouble=[trouble, "and a remark"])
    page = serve()
    text = page.get("/").text
    assert headline(text).startswith(f"{said} No job is started, none is lost.")
    assert trouble.replace("'", "&#39;") in text
    assert text.count(trouble.replace("'", "&#39;")) == 1
    assert "and a remark" in text
    assert "spool/logs/jobs/" in text
    assert "spoolrunner prune --dry-run" in text
    assert page.get("/health").status == 503


def test_no_dispatcher(serve, drop, spool) -> None:
    """Without a dispatcher it says how to start one, when the last sign was, and what its log ends with."""
    drop(State.PENDING, "a")
    at = format_time(SYSTEM.wall() - 60)
    with open(spool.layout.status, "w", encoding="ascii") as stream:
        json.dump({"state": "running", "updated_at": at, "concurrency": 4}, stream)
    with open(os.path.join(spool.layout.logs, "background_jobs.log"), "w", encoding="ascii") as stream:
        stream.write(f"{at} started id=old class=app.Report method=build attempt=1/4\n")
    page = serve()
    page.wait_for({"pending": 1})
    text = page.get("/").text
    assert headline(text).startswith("No dispatcher runs on this spool. Its last sign was at ")
    assert "1 due job waits; nothing is lost." in headline(text)
    assert "spoolrunner run --config" in text
    assert "it was killed, or the machine went down" in text
    assert "started old" in text
    assert page.get("/health").json() == {"condition": "no dispatcher"}


def test_a_dispatcher_that_was_stopped(serve, spool) -> None:
    """One that ended as it was asked to is told from one that was killed."""
    with open(os.path.join(spool.layout.logs, "background_jobs.log"), "w", encoding="ascii") as stream:
        stream.write(f"{SYSTEM.text()} dispatcher note=stopped\n")
    assert "It was stopped" in serve().get("/").text


@pytest.mark.parametrize(
    ("state", "said"), [("stopping", "Stopping."), ("leaving", "Leaving."), ("starting", "Starting.")]
)
def test_on_the_way(serve, dispatcher, state, said) -> None:
    """A dispatcher that begins or ends says so."""
    dispatcher(state=state)
    assert headline(serve().get("/").text).startswith(said)


def test_gone(serve, spool) -> None:
    """Where the spool is gone each page says so and what to ask oneself; the page goes on when it is there again."""
    page = serve()
    away = spool.layout.root + "-away"
    os.rename(spool.layout.root, away)
    answer = page.get("/")
    assert (answer.status, headline(answer.text)[:18]) == (503, "The spool is gone.")
    assert "Is its disk mounted?" in answer.text
    assert page.get("/health").json() == {"condition": "the spool is gone"}
    assert page.get("/failed/").leads_to == "/"
    assert page.get("/job/a").status == 404
    assert page.get("/logs/").status == 200
    os.rename(away, spool.layout.root)
    assert page.get("/").status == 200
    shutil.rmtree(spool.layout.running_folder)
    assert page.get("/").status == 503


def test_remarks(serve, dispatcher, tmp_path) -> None:
    """What the dispatcher finds wrong, and a config.json that is unfit by now, are remarks; the last fit one stays."""
    dispatcher(trouble=["the watch is gone", "config.json: x"])
    page = serve()
    assert headline(page.get("/").text).startswith("Nothing to do, with two remarks.")
    (tmp_path / "config.json").write_text("{")
    text = page.get("/").text
    assert headline(text).startswith("Nothing to do, with three remarks.")
    assert "the watch is gone" in text
    assert "not valid JSON" in text


@pytest.mark.parametrize("span", ["hour", "day", "month", "x"])
def test_history(serve, spool, drop, dispatcher, span) -> None:
    """The history is drawn for each span, with a sentence for those who do not see it."""
    drop(State.DONE, "a")
    dispatcher()
    now = SYSTEM.wall()
    line = {"at": format_time(now - 120)[:17] + "00Z", "due": 3, "waiting": 4, "running": 2, "state": "running"}
    line["kinds"] = {"app.Report.build": {"started": 5, "ended": {"succeeded": 4, "failed": 1}, "ran": {"0.1": 5}}}
    with open(spool.layout.minutes(format_time(now - 120)[:10].replace("-", "")), "w", encoding="ascii") as stream:
        stream.write(json.dumps(line) + "\n")
    text = serve().get(f"/?span={span}").text
    assert len(re.findall(r'class="lane [^"]*"><div><code class="ink">', text)) == 6, text
    assert 'aria-label="Failures' in text
    assert "20.0 %" in text


def test_spool_with_nonsense_in_status(serve, dispatcher) -> None:
    """Whatever stands in status.json, the page is shown."""
    dispatcher(
        running=[{"id": 5}, "x"], held=[5], postponed=[{}], trouble=[None, 5], concurrency="x", due=-1, totals=[]
    )
    assert serve().get("/").status == 200
