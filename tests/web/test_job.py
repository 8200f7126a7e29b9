"""The page of one job in each folder, and the bytes of its files."""

from __future__ import annotations

import json
import os
import re

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web.settings import Settings

MADE = "2026-11-27T11:58:00Z"


def attempt(number: int, outcome: str = "failed", **more) -> dict:
    begin, end = (f"2026-11-27T11:58:{10 * number + second:02}Z" for second in (0, 4))
    verdict = {"succeeded": "done", "failed": "retry"}.get(outcome, "failed")
    return {"number": number, "outcome": outcome, "verdict": verdict, "started_at": begin, "ended_at": end, **more}


ERROR = {
    "type": "TimeoutError",
    "message": "no answer",
    "traceback": 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\nTimeoutError: no answer\n',
}


def test_failed(serve, drop, spool) -> None:
    """A job that was given up has its way, its error, what it printed by attempt, its parameters, and what can be done."""
    raw = {"created_at": MADE, "params": {"year": 2026}, "priority": 5, "meta": {"by": "shop"}}
    drop(State.FAILED, "a", {**raw, "attempts": [attempt(1, error=ERROR), attempt(2, "failed", error=ERROR)]})
    drop(State.FAILED, "b", {"attempts": [attempt(1, error=ERROR)]})
    with open(spool.layout.log("a"), "w", encoding="utf-8") as stream:
        stream.write(
            "--- attempt 1 · 2026-11-27T11:58:10Z · pid 5\nfirst\n--- attempt 2 · 2026-11-27T11:58:20Z · pid 6\nsecond <b>\n"
        )
    page = serve()
    page.wait_for({"failed": 2})
    text = page.get("/job/a").text
    assert "Given up after 2 starts: TimeoutError." in text
    assert ">1 more</a> of this kind have the same error" in text
    assert 'aria-label="2 attempts, and then in failed/' in text
    assert text.index("second &lt;b&gt;") < text.index("first")
    assert "<b>TimeoutError: no answer</b>" in text
    assert "&#34;year&#34;: 2026" in text
    assert "mv -n failed/a.json pending/" in text
    assert "rm failed/a.json" in text
    assert '<input type="hidden" name="folder" value="failed">' in text
    assert "spoolrunner retry a" in text
    data = page.get("/job/a.json").json()
    assert (data["id"], data["state"], data["document"]["params"]) == ("a", "failed", {"year": 2026})


def test_done(serve, drop) -> None:
    """A job that is done has its result."""
    drop(State.DONE, "a", {"created_at": MADE, "attempts": [attempt(1, "succeeded")], "result": {"pages": 12}})
    page = serve()
    text = page.get("/job/a").text
    assert "Done, in 4.0 s." in text
    assert "&#34;pages&#34;: 12" in text
    assert "Run again" in text
    assert page.get("/job/a.json").json()["result"] == {"pages": 12}


def test_waiting(serve, drop, dispatcher) -> None:
    """A job that waits says every reason, what it waits for, and what waits for it; each is a link."""
    drop(State.RUNNING, "first")
    drop(State.PENDING, "a", {"after": ["first"], "next_run_at": "2999-01-01T00:00:00Z"})
    drop(State.PENDING, "behind", {"after": ["a"]})
    dispatcher()
    page = serve()
    page.wait_for({"pending": 2, "running": 1})
    text = page.get("/job/a").text
    assert "Waits for its time and other jobs." in text
    assert "it waits for first, not over yet" in text
    assert '<time datetime="2999-01-01T00:00:00.000Z"' in text
    assert 'aria-label="a waits for first; behind waits for it"' in text
    assert '<a href="first">' in text
    assert 'href="../job/a/edit"' in text
    assert page.get("/job/a.json").json()["why"]


def test_running(serve, drop, spool, dispatcher) -> None:
    """A running job says how far it is and how long it may take."""
    drop(State.RUNNING, "a", {"created_at": MADE})
    with open(spool.layout.progress("a"), "w", encoding="ascii") as stream:
        json.dump({"fraction": 0.72, "text": "page 184"}, stream)
    job = {"id": "a", "job": "app.Report", "method": "build", "started_at": MADE, "timeout": 1200}
    dispatcher(running=[job])
    text = serve().get("/job/a").text
    assert "Runs, at start 1 of 4." in text
    assert "72 % page 184" in text
    assert "It may run 20 m." in text
    assert "touch control/cancel-a" in text
    assert "rm running" not in text


def test_refused(serve, drop, spool) -> None:
    """A job that never ran says why, by the file beside it."""
    drop(State.FAILED, "a", {"prams": []})
    with open(spool.layout.reason("a"), "w", encoding="ascii") as stream:
        json.dump({"outcome": "rejected", "what": "prams: unknown key"}, stream)
    page = serve()
    text = page.get("/job/a").text
    assert "Refused, and never run." in text
    assert "prams: unknown key" in text
    assert page.get("/failed/a.reason").json()["outcome"] == "rejected"


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED])
def test_unreadable(serve, drop, state) -> None:
    """A file that is no JSON says so, and shows its bytes as text."""
    drop(state, "a", b'{"job": <b>\xff\x1b[31m')
    page = serve()
    text = page.get("/job/a").text
    assert "This file cannot be read." in text
    assert "{&#34;job&#34;: &lt;b&gt;\\xff\\x1b[31m" in text
    assert page.get("/job/a.json").json()["problem"]
    raw = page.ask("GET", f"/{state.value}/b.json")
    assert raw.status == 404


def test_hidden_parameters(serve, drop, spool) -> None:
    """Where parameters are hidden neither the page, nor its data, nor a raw file has them; what was printed is none."""
    drop(State.FAILED, "a", {"params": ["secret"], "attempts": [attempt(1, error=ERROR)]})
    drop(State.FAILED, "torn", b'{"params": ["secret"]')
    with open(spool.layout.log("a"), "w", encoding="ascii") as stream:
        stream.write("printed\n")
    page = serve(Settings(hides_params=True))
    for path in (
        "/job/a",
        "/job/a.json",
        "/job/torn",
        "/failed/",
        "/failed/.json",
        "/failed/a.json",
        "/failed/torn.json",
    ):
        answer = page.get(path)
        assert "secret" not in answer.text, path
        assert answer.status == (403 if path.endswith(("ed/a.json", "torn.json")) and "/failed/" in path else 200), path
    assert page.get("/logs/jobs/a.log").text == "printed\n"
    assert page.get("/steps/a.jsonl").status == 403


def test_two_of_one_id(serve, drop) -> None:
    """A second file of the id is named, and can be looked at."""
    drop(State.PENDING, "a")
    drop(State.DONE, "a")
    page = serve()
    text = page.get("/job/a").text
    assert 'href="../job/a?in=done">done/</a>' in text
    assert '<span class="done"><span class="ink">done/</span></span>a' in page.get("/job/a?in=done").text
    assert page.get("/job/a?in=failed").status == 404


@pytest.mark.parametrize("name", ["nothing", "..", "a%2Fb", "%00", "x" * 300, "%F0%9F%92%A9", "..%2f..%2fetc%2fpasswd"])
def test_not_there(serve, name) -> None:
    """What is in no folder, or can be no name of a file, is not found, and can be looked for as a text."""
    page = serve()
    answer = page.get(f"/job/{name}")
    assert answer.status == 404
    assert answer.text.count("<h1>") == 1


def test_steps(serve, drop, spool) -> None:
    """The steps that are kept are named, with what they gave."""
    drop(State.FAILED, "a", {"key": "k1", "created_at": MADE, "attempts": [attempt(1, error=ERROR)]})
    os.makedirs(spool.layout.steps)
    key = json.dumps({"key": "k1", "job": "app.Report", "method": "build", "params": "x"})
    with open(spool.layout.step_file("a"), "w", encoding="ascii") as stream:
        stream.write(f"{key}\n" + '{"step": "reserve", "value": {"n": 1}, "ended_at": "x"}\n')
    page = serve()
    assert page.get("/job/a").status == 200
    assert re.search(r"steps/a\.jsonl", page.get("/job/a").text) or page.get("/job/a.json").json()["steps"] == []
