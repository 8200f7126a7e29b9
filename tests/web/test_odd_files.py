"""Files as nobody should write them: every page that shows them is drawn, and none of them hides the others."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.protocol.states import State

BASE = {"job": "app.Report", "method": "build"}
ODD = "\x1b[2J\u202e<b>"
VALUES = [None, True, -1, 1e308, 10**18, "", "x" * 5000, ODD, [[]], {"a": {}}, ["a", 1], "2026-99-99", "nan"]
KEYS = [
    "job", "method", "params", "group", "meta", "priority", "after", "delay", "next_run_at", "expires_at", "created_at",
    "max_retries", "timeout", "result", "attempts", "key",
]  # fmt: skip
OF_ATTEMPT = [
    "number",
    "outcome",
    "verdict",
    "started_at",
    "ended_at",
    "error",
    "duration",
    "next_run_at",
    "result_dropped",
]
PAGES = ["/", "/pending/", "/running/", "/done/", "/failed/", "/all/", "/failed/?error=x", "/all/?match=x&newer=1h"]


def documents():
    """Each value in every field at once, and each field with a few of the values by itself."""
    for value in VALUES:
        yield {**BASE, "attempts": [dict.fromkeys(OF_ATTEMPT, value)] * 2}
        yield {**BASE, "attempts": [{"error": dict.fromkeys(("type", "message", "traceback"), value)}]}
        yield dict.fromkeys(KEYS, value)
    for number, key in enumerate(KEYS):
        for value in VALUES[number % 3 :: 3]:
            yield {**BASE, key: value}


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED])
def test_odd_documents(serve, drop, spool, state) -> None:
    """Whatever value stands in a field, lists, the overview, the page of the job and its JSON are drawn."""
    names = []
    for number, document in enumerate(documents()):
        names.append(f"odd-{number:04}")
        drop(state, names[-1], document)
    with open(spool.layout.progress("odd-0001"), "w", encoding="utf-8") as stream:
        json.dump({"fraction": "half", "text": {"a": 1}}, stream)
    page = serve()
    assert {path: page.get(path).status for path in PAGES} == dict.fromkeys(PAGES, 200)
    found = {name: (page.get(f"/job/{name}").status, page.get(f"/job/{name}.json").status) for name in names}
    assert {name: statuses for name, statuses in found.items() if statuses != (200, 200)} == {}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"\x00" * 100, b'{"job": "\\ud800"}', b"x" * 3_000_000]
)
def test_no_documents(serve, drop, data) -> None:
    """A file that is no document is shown as what it is."""
    for state in State:
        drop(state, f"odd-{state}", data)
    page = serve()
    for path in PAGES:
        assert page.get(path).status == 200
    for state in State:
        answer = page.get(f"/job/odd-{state}")
        assert answer.status == 200
        assert page.get(f"/{state}/odd-{state}.json").status == 200
        assert page.post(f"/job/odd-{state}/copy").status == 303
    assert page.log == []


@pytest.mark.parametrize("name", ["a b", "-x", "~", "x~2", "é", "x" * 200, "%2e%2e", "a&b=c", "a+b", "a?b#c", "'\"<>"])
def test_odd_names(serve, drop, spool, name) -> None:
    """A file of any name is listed, and removed by that name alone."""
    drop(State.FAILED, name)
    drop(State.FAILED, "other")
    page = serve()
    assert page.get("/failed/").status == 200
    page.follow("/failed/discard", [("which", "ticked"), ("id", name), ("sure", "yes"), ("count", "1")])
    assert os.listdir(spool.layout.folder(State.FAILED)) == ["other.json"]
