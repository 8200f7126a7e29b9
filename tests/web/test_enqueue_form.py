"""The form by which a job is enqueued: its fields are those of the method, and what is typed becomes its parameters."""

from __future__ import annotations

import json
import os
import sys

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web.settings import Settings

CODE = '''
class Report:
    def build(self, year: int, title: str, draft: bool = False, tags: list = ()):
        """Build the report of a year."""

    def send(self, *who, **how):
        pass
'''
KIND = "/enqueue/?kind=app.Report.build"


@pytest.fixture
def page(serve, tmp_path):
    (tmp_path / "app.py").write_text(CODE)
    return serve(python_binary=sys.executable)


def waiting(spool) -> list[dict]:
    found = []
    for name in os.listdir(spool.layout.folder(State.PENDING)):
        with open(os.path.join(spool.layout.folder(State.PENDING), name), "rb") as stream:
            found.append(json.load(stream))
    return found


def test_kinds(page) -> None:
    """Without a kind those are listed that may run."""
    text = page.get("/enqueue/").text
    assert "?kind=app.Report.build" in text
    assert "?kind=app.Report.send" in text


def test_fields(page) -> None:
    """The fields are those of the signature, with their types, and what is to be filled in."""
    answer = page.get(KIND)
    assert answer.status == 200
    assert all(f'name="p.{name}"' in answer.text for name in ("year", "title", "draft", "tags"))
    assert "Build the report of a year." in answer.text


def test_enqueue(page, spool) -> None:
    """What is typed is published by name, each of its type; what is left empty is left out; the log says who did it."""
    fields = {
        "kind": "app.Report.build",
        "p.year": "2026",
        "p.title": "007",
        "p.draft": "true",
        "priority": "5",
        "due": "1h",
    }
    answer = page.post(KIND, fields)
    (raw,) = waiting(spool)
    assert (raw["params"], raw["priority"]) == ({"year": 2026, "title": "007", "draft": True}, 5)
    assert (answer.status, answer.leads_to.startswith("/job/")) == (303, True)
    assert page.log[0][1] == (
        "spoolrunner enqueue --priority=5 --delay=1h app.Report build --json "
        '\'{"year": 2026, "title": "007", "draft": true}\''
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"p.year": "soon", "p.title": "x"},
        {"p.title": "x"},
        {"p.year": "1", "p.title": "x", "p.tags": "{"},
        {"p.year": "1", "p.title": "x", "priority": "high"},
        {"p.year": "1", "p.title": "x", "due": "someday"},
        {"p.year": "1", "p.title": "x", "id": "../x"},
    ],
)
def test_what_means_nothing(page, spool, fields) -> None:
    """A text that is none of its field's type is refused, with the name of the field, and nothing is published."""
    said = page.follow(KIND, {"kind": "app.Report.build", **fields}).said()
    assert said.endswith("Nothing was done.")
    assert waiting(spool) == []


def test_more(page, spool) -> None:
    """A method that takes any parameters has a field for them."""
    page.post("/enqueue/?kind=app.Report.send", {"kind": "app.Report.send", "more": '{"to": "a"}'})
    assert waiting(spool)[0]["params"] == {"to": "a"}


def test_code_that_cannot_be_looked_at(serve, spool, tmp_path) -> None:
    """Where the fields cannot be found out all parameters are one JSON text, and the page says why."""
    (tmp_path / "app.py").write_text("raise RuntimeError('<b>broken')")
    page = serve(python_binary=sys.executable)
    text = page.get(KIND).text
    assert "Its fields could not be found out" in text
    assert "<b>broken" not in text
    page.post(KIND, {"kind": "app.Report.build", "params": "[2026]"})
    assert waiting(spool)[0]["params"] == [2026]


def test_what_is_not_allowed(page, spool) -> None:
    """What is not on the whitelist has no form, and is not published by one that somebody made."""
    assert page.get("/enqueue/?kind=os.system").status in (400, 404)
    assert page.post("/enqueue/?kind=os.system", {"kind": "os.system", "params": '["id"]'}).status == 303
    assert waiting(spool) == []


def test_hidden(serve, spool, tmp_path) -> None:
    """Where parameters are hidden the log of the page does not say them either."""
    (tmp_path / "app.py").write_text(CODE)
    page = serve(Settings(hides_params=True), python_binary=sys.executable)
    page.post(KIND, {"kind": "app.Report.build", "p.year": "2026", "p.title": "secret"})
    assert len(waiting(spool)) == 1
    assert "secret" not in page.log[0][1]
