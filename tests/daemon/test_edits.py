"""Waiting jobs are edited on a real spool, by the command and while a dispatcher claims them; and a page about the history."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest

from spoolrunner import enqueue_many
from spoolrunner.client.edit import edit
from spoolrunner.client.history import History
from spoolrunner.config.load import load_config
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from tests.daemon.harness import until

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs")
JOBS = 60
on_exchange = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot exchange two files")


@on_exchange
def test_the_verb(home) -> None:
    """It says what is another now, and why nothing is."""
    job_id = home.cli("enqueue", "jobs", "add", "1", "--at", "2030-01-01T00:00:00Z").strip()
    words = ["edit", job_id, "--priority", "7", "--delay", "2h", "--params", '{"a": 5}']
    assert home.cli(*words) == f"{job_id}: next_run_at, params, priority changed\n"
    found = home.document("pending", job_id)
    assert (found["priority"], found["params"]) == (7, {"a": 5})
    assert (
        home.cli("edit", job_id, "--priority", "none", "--at", "none") == f"{job_id}: next_run_at, priority changed\n"
    )
    assert not {"priority", "next_run_at"} & set(home.document("pending", job_id))
    assert os.listdir(home.spool / "tmp") == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nowhere", "--priority", "1"], 1),
        (["x"], 2),
        (["x", "--priority", "high"], 2),
        (["x", "--priority", "5000"], 2),
        (["x", "--params", "5"], 2),
        (["x", "--params", "{"], 2),
        (["x", "--at", "2030-01-01T00:00:00Z", "--delay", "5"], 2),
        (["x", "--delay", "soon"], 2),
    ],
)
def test_what_the_verb_refuses(home, words, code) -> None:
    """A wrong value is usage, a job that does not wait is a thing that did not happen; neither changes anything."""
    home.drop("x", job="jobs", method="noop")
    before = (home.spool / "pending" / "x.json").read_bytes()
    home.cli("edit", *words, code=code)
    assert (home.spool / "pending" / "x.json").read_bytes() == before


@on_exchange
def test_jobs_that_are_edited_while_they_are_claimed(home) -> None:
    """Each of many runs once: with the parameters of its edit, and where that was refused, with the old ones."""
    settings = load_config(str(home.folder / "config.json"))
    batch = [{"job": "jobs", "method": "add", "params": [number], "id": f"e{number:03}"} for number in range(JOBS)]
    enqueue_many(batch, config=str(home.folder / "config.json"))
    dispatcher = home.start()
    dispatcher.ready()
    spool = Spool(settings.layout)
    until(lambda: not spool.exists(State.PENDING, "e000"))
    edited = {
        f"e{number:03}": edit(settings, f"e{number:03}", params=[number + 1000]) for number in reversed(range(JOBS))
    }
    until(lambda: sum(1 for _ in spool.names(State.DONE)) == JOBS)
    dispatcher.stop()
    assert {
        sum(bool(answer.problem) is is_refused for answer in edited.values()) > 0 for is_refused in (True, False)
    } == {True}
    for number in range(JOBS):
        found = home.document("done", f"e{number:03}")
        answer = edited[f"e{number:03}"]
        assert found["result"] == (number + 1 if answer.problem else number + 1001), (answer, found)
        assert len(found["attempts"]) == 1
    history = History(settings.layout).of("hour")
    assert history.total("jobs.add").as_json()["started"] == JOBS
    assert history.total().ended == {"succeeded": JOBS}
    assert os.listdir(home.spool / "tmp") == []


def test_the_page_about_the_history_shows_a_line_as_it_is(home) -> None:
    """The example of docs/history.md has the keys that a line has, and no others but those of what did not happen."""
    home.cli("enqueue", "jobs", "add", "--json", "[1]")
    home.cli("enqueue", "jobs", "fail")
    dispatcher = home.start()
    until(lambda: len(os.listdir(home.spool / "done")) == len(list((home.spool / "failed").glob("*.json"))) == 1)
    dispatcher.stop()
    (path,) = (home.spool / "logs").glob("minutes-*.jsonl")
    assert re.fullmatch(r"minutes-\d{8}\.jsonl", path.name)
    with open(path, encoding="ascii") as stream:
        lines = [json.loads(line) for line in stream]
    with open(os.path.join(DOCS, "history.md"), encoding="utf-8") as stream:
        shown = json.loads(
            "".join(re.search(r"^(\{.*?\n .*?\})$", stream.read(), re.MULTILINE | re.DOTALL)[1].splitlines())
        )
    assert set(lines[0]) == set(shown)
    told = {key for line in lines for kind in line["kinds"].values() for key in kind}
    (kind,) = shown["kinds"].values()
    assert told == set(kind)
