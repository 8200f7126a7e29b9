"""Finding jobs: by id, by filters, lazily, and on from where a search stood."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from spoolrunner.client import search
from spoolrunner.client.search import get, jobs
from spoolrunner.errors import JobFormatError, JobNotFoundError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.system import durable

pytestmark = pytest.mark.usefixtures("home")


def ids(**filters) -> list[str]:
    return [job.id for job in jobs(**filters)]


def failed(kind: str, outcome: str = "failed") -> dict:
    return {"attempts": [{"number": 1, "outcome": outcome, "error": {"type": kind, "message": "it broke"}}]}


def test_get(spool, drop) -> None:
    """A job is found by its id, looked at just now."""
    drop(State.DONE, "x", {"result": 5})
    job = get("x")
    os.unlink(spool.layout.job(State.DONE, "x"))
    assert (job.id, job.root, job.state, (job.document or {})["result"]) == ("x", spool.layout.root, "done", 5)
    with pytest.raises(JobNotFoundError, match="no job 'x' in pending/") as caught:
        get("x")
    assert (caught.value.job_id, caught.value.exit_code) == ("x", 1)
    with pytest.raises(JobFormatError):
        get("../x")


def test_all_jobs(drop) -> None:
    """Without filters all jobs are found, by state and then by id, with their states."""
    for state, name in [(State.FAILED, "a"), (State.PENDING, "c"), (State.PENDING, "b"), (State.RUNNING, "d")]:
        drop(state, name)
    assert [(job.state, job.id) for job in jobs()] == [
        ("pending", "b"),
        ("pending", "c"),
        ("running", "d"),
        ("failed", "a"),
    ]


def test_state(drop) -> None:
    """A search is of one state, or of several in the order of their life."""
    for state in State:
        drop(state, state.value)
    assert ids(state="failed") == ["failed"]
    assert ids(state=["failed", "done"]) == ["done", "failed"]
    assert ids(state=[]) == []


@pytest.mark.parametrize(
    ("filters", "key"),
    [
        ({"state": "fialed"}, "state"),
        ({"state": ["done", "all"]}, "state"),
        ({"older": "soon"}, "older"),
        ({"newer": -1}, "newer"),
        ({"after": "x"}, "after"),
        ({"after": "nowhere/x"}, "after"),
    ],
)
def test_a_filter_that_means_nothing(filters, key) -> None:
    """A filter that means nothing is refused under its name, before anything is looked at."""
    with pytest.raises(JobFormatError) as caught:
        jobs(**filters)
    assert caught.value.key == key


def test_job_and_method(drop) -> None:
    """Job and method are those of the document, whole."""
    drop(State.DONE, "a", {"job": "app.Report", "method": "build"})
    drop(State.DONE, "b", {"job": "app.Report", "method": "send"})
    drop(State.DONE, "c", {"job": "app.Reports", "method": "build"})
    drop(State.DONE, "d", b"torn")
    assert ids(job="app.Report") == ["a", "b"]
    assert ids(method="build") == ["a", "c"]
    assert ids(job="app.Report", method="build") == ["a"]


def test_error(spool, drop) -> None:
    """An error is asked for by the type of the exception, with or without its module, or by the outcome."""
    drop(State.FAILED, "a", failed("ValueError"))
    drop(State.FAILED, "b", failed("app.errors.ValueError"))
    drop(State.FAILED, "c", failed("ProcessEnded", "crashed"))
    drop(State.FAILED, "d", b"torn")
    spool.explain("d", Outcome.REJECTED, "not JSON", "pending/d.json", 0.0)
    assert ids(error="ValueError") == ["a", "b"]
    assert ids(error="app.errors.ValueError") == ["b"]
    assert ids(error="crashed") == ["c"]
    assert ids(error="rejected") == ["d"]
    assert ids(error="Value") == []


@pytest.mark.parametrize("text", ["2026-report", "Grüße", "2031", "ticket", "it broke"])
def test_match(drop, text) -> None:
    """A text is found in the id, in names and values of the document, and in its errors."""
    drop(State.FAILED, "2026-report", {"params": [{"ticket": "Grüße"}, 2031], **failed("ValueError")})
    drop(State.FAILED, "another", {"params": []})
    assert ids(match=text) == ["2026-report"]


def test_age(spool, drop, clock) -> None:
    """Age is counted from when the file came to its folder, by the system's word and not by its writer's."""
    drop(State.DONE, "x", age=1e6)
    came = os.lstat(spool.layout.job(State.DONE, "x")).st_ctime
    clock.wall_now = came + 3600
    assert ids(newer="2h") == ids(older="30m") == ids(newer="2h", older=60) == ["x"]
    assert ids(newer="30m") == ids(older=timedelta(hours=2)) == []


@pytest.mark.parametrize("filters", [{}, {"newer": "3650d"}])
def test_a_job_that_leaves_meanwhile(spool, drop, filters) -> None:
    """A job that moved on between the list and the look is left out."""
    for name in "ab":
        drop(State.PENDING, name)
    found = jobs(**filters)
    first = next(found)
    os.unlink(spool.layout.job(State.PENDING, "b"))
    assert (first.id, list(found)) == ("a", [])


def test_it_is_lazy(drop, spool, monkeypatch) -> None:
    """A file is read when the loop comes to it, and a folder is listed when it is reached."""
    for state, name in [(State.PENDING, "a"), (State.PENDING, "b"), (State.DONE, "c")]:
        drop(state, name)
    read, real = [], search.look
    monkeypatch.setattr(search, "look", lambda *given: (read.append(given[2]), real(*given))[1])
    found = jobs()
    assert next(found).id == "a"
    assert read == ["a"]
    os.rename(spool.layout.job(State.DONE, "c"), spool.layout.job(State.FAILED, "c"))
    assert [job.id for job in found] == ["b", "c"]


def test_the_cursor(drop) -> None:
    """A search goes on behind the cursor of an earlier one, whatever came or went before it."""
    for name in "abc":
        drop(State.PENDING, name)
    drop(State.DONE, "a")
    found = jobs()
    assert found.cursor == ""
    assert (next(found).id, next(found).id, found.cursor) == ("a", "b", "pending/b")
    drop(State.PENDING, "aa")
    rest = jobs(after=found.cursor)
    assert [(job.state, job.id) for job in rest] == [("pending", "c"), ("done", "a")]
    assert rest.cursor == "done/a"
    assert ids(after=rest.cursor) == []
    assert ids(after="") == ["a", "aa", "b", "c", "a"]


def test_what_is_found_can_be_worked_with(drop) -> None:
    """What a search finds can be moved while the search goes on."""
    for name in "abc":
        drop(State.FAILED, name, failed("ValueError"))
    assert [job.retry() for job in jobs(state="failed", error="ValueError")] == [True, True, True]
    assert ids(state="pending") == ["a", "b", "c"]


def test_the_newest_of_an_id(drop) -> None:
    """Of the jobs of an id that are over, the one that ended last is got, which may be called ID~2."""
    drop(State.FAILED, "x", {"attempts": [{"ended_at": "2026-11-23T17:45:01Z"}]})
    drop(State.DONE, "x", {"attempts": [{"ended_at": "2026-11-23T17:45:02Z"}]})
    drop(State.DONE, "x~2", {"attempts": [{"ended_at": "2026-11-23T17:45:03Z"}], "result": "newest"})
    assert get("x").result() == get("x").refresh().document["result"] == "newest"


def test_a_group_is_that_of_the_document(drop) -> None:
    """A group is asked for by the name in the document."""
    drop(State.DONE, "a", {"group": "mail"})
    drop(State.DONE, "b", {"group": "mails"})
    drop(State.DONE, "c")
    assert ids(group="mail") == ["a"]


def test_all_that_is_found_is_retried_cancelled_or_discarded(drop, spool) -> None:
    """A search does with all that it finds what a job does with itself, and says with how many."""
    for name in "abc":
        drop(State.FAILED, name, failed("ValueError" if name != "c" else "KeyError"))
    drop(State.FAILED, "unwanted", failed("", "cancelled"))
    assert jobs(state="failed", error="ValueError").retry() == 2
    assert ids(state="pending") == ["a", "b"]
    assert jobs(state="pending", match="a").cancel() >= 1
    assert os.path.exists(spool.layout.cancel("a"))
    assert jobs(state="pending").discard() == 2
    assert jobs(state="failed").retry() == 1
    assert jobs(state="failed", error="cancelled").retry() == 1
    assert jobs(state=["pending", "done", "failed"]).discard() == 2
    assert ids() == []


@pytest.mark.parametrize("verb", ["retry", "cancel", "discard"])
def test_what_cannot_be_done_with_a_state(verb) -> None:
    """A search for states whose jobs cannot be retried, cancelled or discarded is refused, and nothing is done."""
    with pytest.raises(JobFormatError, match=f"{verb} is for ") as caught:
        getattr(jobs(), verb)()
    assert caught.value.key == "state"


def test_a_file_that_refuses_is_an_error_behind_all_others(drop, spool, monkeypatch) -> None:
    """When one of many cannot be moved or removed, the others are, and then its error is raised."""
    for name in "abc":
        drop(State.FAILED, name)
    rename, unlink = durable.rename, durable.unlink

    def refuse(path: str) -> None:
        if path.endswith("/b.json"):
            raise PermissionError(1, "immutable", path)

    monkeypatch.setattr(durable, "rename", lambda source, target: (refuse(source), rename(source, target)))
    monkeypatch.setattr(durable, "unlink", lambda path: refuse(path) or unlink(path))
    with pytest.raises(PermissionError):
        jobs(state="failed").retry()
    assert ids() == ["a", "c", "b"]
    drop(State.FAILED, "d")
    with pytest.raises(PermissionError):
        jobs(state="failed").discard()
    assert ids(state="failed") == ["b"]
