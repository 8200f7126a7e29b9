"""The lists: filters, pages by cursor, what they say where nothing is to be shown."""

from __future__ import annotations

import os
import re

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web import rows
from spoolrunner.web.settings import Settings


def attempt(kind: str) -> dict:
    error = {"type": kind, "message": "m"}
    return {"number": 1, "outcome": "failed", "verdict": "failed", "error": error}


def ids(text: str) -> list[str]:
    return re.findall(r'data-id="([^"]*)"', text)


@pytest.mark.parametrize("query", ["", "?job=app.Report"])
def test_pages_by_cursor(serve, drop, query) -> None:
    """Every file is on one page and on no other, whatever comes and goes while one turns the pages."""
    names = {f"j{number:03}" for number in range(250)}
    for name in sorted(names):
        drop(State.FAILED, name)
    page = serve()
    page.wait_for({"failed": 250})
    answer, seen = page.get(f"/failed/{query}"), []
    for turn in range(3):
        found = ids(answer.text)
        seen += found
        if turn < 2:
            assert len(found) == rows.PAGE
            following = re.search(r'<a href="\./([^"]*)" rel="next">', answer.text)
            assert following
            drop(State.FAILED, f"new-{turn}")
            page.wait_for({"failed": 251 + turn})
            answer = page.get("/failed/" + following.group(1).replace("&amp;", "&"))
    assert len(seen) == len(set(seen))
    assert set(seen) == names
    assert "These are the oldest" in answer.text
    assert ids(page.get(f"/failed/{query}").text)[:2] == ["new-1", "new-0"]


def test_filters_are_those_of_the_command_line(serve, drop) -> None:
    """What matches is shown and counted, with the command line that does the same."""
    drop(State.FAILED, "a", {"attempts": [attempt("m.ValueError")], "params": ["x7"]})
    drop(State.FAILED, "b", {"attempts": [attempt("KeyError")]})
    drop(State.FAILED, "c", {"method": "send", "group": "mail"})
    page = serve()
    page.wait_for({"failed": 3})
    for query, found in {
        "error=ValueError": ["a"],
        "error=m.ValueError": ["a"],
        "kind=app.Report.send": ["c"],
        "group=mail": ["c"],
        "match=x7": ["a"],
        "job=app.Report&method=build": ["a", "b"],
        "older=1h": [],
        "newer=1h": ["a", "b", "c"],
    }.items():
        assert sorted(ids(page.get(f"/failed/?{query}").text)) == found, query
    text = page.get("/failed/?error=ValueError").text
    assert "1 of 3 files" in text
    assert "spoolrunner retry --error ValueError" in text
    assert "spoolrunner list failed --error ValueError" in text
    assert 'value="ValueError" selected' in text.replace("m.ValueError", "ValueError")
    data = page.get("/failed/.json?error=ValueError").json()
    assert ([job["id"] for job in data["jobs"]], data["fitting"], data["is_whole"]) == (["a"], 1, True)


def test_no_match_and_nothing_there(serve, drop) -> None:
    """No match is told from an empty folder, and says how many files lie there."""
    drop(State.FAILED, "a")
    page = serve()
    page.wait_for({"failed": 1})
    text = page.get("/failed/?error=Nothing").text
    assert "No file in failed/ matches." in text
    assert "1 lies there" in text
    for folder, words in {
        "pending": "Nothing waits.",
        "running": "Nothing runs.",
        "done": "Nothing has been done yet, or prune took it.",
    }.items():
        text = page.get(f"/{folder}/").text
        assert words in text
        assert 'class="bulk"' not in text


def test_another_folder_is_chosen(serve) -> None:
    """The form leads to the list of another folder by itself, without a script."""
    page = serve()
    answer = page.get("/failed/?folder=done&group=mail&error=")
    assert (answer.status, answer.location) == (303, "/done/?group=mail")
    assert page.get("/failed/?folder=all").leads_to == "/all/"
    assert page.get("/failed/?folder=evil").status == 200
    assert page.get("/failed").leads_to == "/failed/"


@pytest.mark.parametrize("query", ["older=soon", "from=x", "from=failed/x", "from=done/1-a", "from=failed/-"])
def test_what_means_nothing(serve, query) -> None:
    """A filter or a place that means nothing is refused with a sentence, and nothing is shown in its stead."""
    answer = serve().get(f"/failed/?{query}")
    assert answer.status == 400
    assert answer.text.count("<h1>") == 1


def test_waiting_and_running(serve, drop, dispatcher) -> None:
    """A list of what waits says when and why not yet, one of what runs how far it is."""
    drop(State.PENDING, "w", {"after": ["r"]})
    drop(State.RUNNING, "r")
    running = {"id": "r", "job": "app.Report", "method": "build", "started_at": "2026-11-27T11:58:06Z", "timeout": 30}
    dispatcher(running=[running])
    page = serve()
    page.wait_for({"pending": 1, "running": 1})
    assert 'after <a class="mono" href="../job/r">r</a>' in page.get("/pending/").text
    assert "of 30 s" in page.get("/running/").text
    assert sorted(ids(page.get("/all/").text)) == ["r", "w"]


def test_hidden_parameters_are_not_found_either(serve, drop) -> None:
    """Where parameters are hidden nobody finds them out by looking for texts."""
    drop(State.DONE, "a", {"params": ["secret"]})
    page = serve(Settings(hides_params=True))
    page.wait_for({"done": 1})
    assert ids(page.get("/done/?match=secret").text) == []
    assert ids(page.get("/done/?match=a").text) == ["a"]
    assert "secret" not in page.get("/done/.json").text


def test_a_long_look_is_cut_short(serve, drop, monkeypatch) -> None:
    """A filter that has to read too many files says how many it has read, and goes on from there."""
    for number in range(5):
        drop(State.DONE, f"j{number}", {"params": [number]})
    page = serve()
    page.wait_for({"done": 5})
    monkeypatch.setattr(rows, "BUDGET", -1.0)
    answer = page.get("/done/?match=zzz")
    assert "1 of 5 looked at, 0 match so far" in answer.text
    following = re.search(r'<a href="\./([^"]*)">go on</a>', answer.text)
    assert following
    assert "1 of 5 looked at from here on" in page.get("/done/" + following.group(1).replace("&amp;", "&")).text
    monkeypatch.setattr(rows, "BUDGET", 5.0)
    rest = page.get("/done/?match=j&" + following.group(1).replace("&amp;", "&").removeprefix("?match=zzz&"))
    assert len(ids(rest.text)) == 4


def test_find(serve, drop) -> None:
    """An id, or the beginning of only one, leads to the job; a path or a file name is understood; all else is looked for."""
    for name in ("report-1", "report-10", "other"):
        drop(State.DONE, name)
    page = serve()
    page.wait_for({"done": 3})
    for text, address in {
        "other": "/job/other",
        "oth": "/job/other",
        "report-1": "/job/report-1",
        "spool/done/other.json": "/job/other",
        "report": "/all/?match=report",
        "": "/all/",
        "%3Cb%3E": "/all/?match=%3Cb%3E",
    }.items():
        assert page.get(f"/find?q={text}").location == address, text


def test_counting(serve, drop, monkeypatch) -> None:
    """While files are still being counted the page says so, and shows no number."""
    drop(State.DONE, "a")
    page = serve()
    monkeypatch.setattr(type(page.desk.index), "is_counting", property(lambda _: True))
    text = page.get("/done/").text
    assert "still counting" in text
    assert "Still finding out which files lie there" in text


def test_names_that_can_be_no_id(serve, drop, spool) -> None:
    """A file whose name can be no id is shown, and leads nowhere."""
    drop(State.FAILED, "a b")
    drop(State.FAILED, "-x")
    page = serve()
    page.wait_for({"failed": 2})
    text = page.get("/failed/").text
    assert sorted(ids(text)) == ["-x", "a b"]
    assert "job/a" not in text
    assert os.path.exists(spool.layout.job(State.FAILED, "a b"))
