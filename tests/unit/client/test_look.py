"""Looking at a job: one moment, whatever lies there, and however it moves meanwhile."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client import look as module
from spoolrunner.client.look import Look, check_id, find, last_names, look, looks
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.paths import Layout

ERROR = {"type": "ValueError", "message": "no", "traceback": "…"}


def test_what_a_look_finds(spool, drop) -> None:
    """A look has the document, and beside it the reason of a job in failed/ or the progress of one that runs."""
    drop(State.RUNNING, "x", {"params": [1]})
    with open(spool.layout.progress("x"), "wb") as stream:
        stream.write(b'{"fraction": 0.5}')
    drop(State.FAILED, "y", b"torn")
    spool.explain("y", Outcome.REJECTED, "not JSON", "pending/y.json", 0.0)

    running, failed = look(spool.layout, State.RUNNING, "x"), look(spool.layout, State.FAILED, "y")

    assert running is not None
    assert failed is not None
    assert (running.document or {})["params"] == [1]
    assert (running.problem, running.reason, running.progress) == ("", None, {"fraction": 0.5})
    assert (failed.document, failed.outcome, failed.progress) == (None, "rejected", None)
    assert "JSON" in failed.problem
    assert look(spool.layout, State.DONE, "x") is None


@pytest.mark.parametrize("attempts", [None, 5, "x", [], [5], {"a": 1}, [None, "x"]])
def test_a_document_that_breaks_the_rules_breaks_no_look(attempts) -> None:
    """Attempts that are none are left out."""
    found = Look("x", State.FAILED, {"attempts": attempts})
    assert (found.attempts, found.error, found.outcome) == ([], {}, None)


def test_the_last_attempt_counts() -> None:
    """Error and outcome are those of the last attempt, unless a reason says otherwise."""
    attempts = [{"outcome": "crashed"}, {"outcome": "failed", "error": ERROR}]
    found = Look("x", State.FAILED, {"attempts": attempts})
    assert (found.error, found.outcome) == (ERROR, "failed")
    assert Look("x", State.FAILED, {"attempts": attempts}, reason={"outcome": "cancelled"}).outcome == "cancelled"
    assert Look("x", State.FAILED, {"attempts": [{"error": "text"}]}).error == {}


def test_two_jobs_of_one_id(spool, drop) -> None:
    """All of an id are seen; the one that waits or runs comes first."""
    drop(State.DONE, "x")
    drop(State.PENDING, "x")
    assert [found.state for found in looks(spool.layout, "x")] == [State.PENDING, State.DONE]
    found = find(spool.layout, "x")
    assert found is not None
    assert found.state is State.PENDING
    assert find(spool.layout, "nobody") is None


def test_of_those_that_are_over_the_last_one_is_found(spool, drop) -> None:
    """Of the jobs of an id that are over, the one that ended last is found, under whatever name and in whatever folder."""

    def ended(second: int) -> dict:
        return {"attempts": [{"number": 1, "ended_at": f"2026-11-23T17:45:0{second}Z"}]}

    drop(State.DONE, "x", ended(1))
    assert find(spool.layout, "x").id == "x"
    drop(State.DONE, "x~2", ended(3))
    drop(State.FAILED, "x", ended(2))
    found = find(spool.layout, "x")
    assert (found.id, found.state) == ("x~2", State.DONE)
    drop(State.FAILED, "x~2")  # refused, so that it has no attempt: it came to its folder just now
    found = find(spool.layout, "x")
    assert (found.id, found.state) == ("x~2", State.FAILED)
    drop(State.RUNNING, "x", ended(0))
    assert find(spool.layout, "x").state is State.RUNNING


def test_a_job_that_moves_behind_our_back_is_found(spool, drop, monkeypatch) -> None:
    """A job that moves back to pending/ while the other folders are looked at is found all the same."""
    drop(State.FAILED, "x")
    real, moved = module.look, []

    def race(layout: Layout, state: State, name: str) -> Look | None:
        if state is State.RUNNING and not moved:
            moved.append(os.rename(layout.job(State.FAILED, "x"), layout.job(State.PENDING, "x")))
        return real(layout, state, name)

    monkeypatch.setattr(module, "look", race)
    found = find(spool.layout, "x")
    assert found is not None
    assert found.state is State.PENDING


def test_last_names(spool, drop) -> None:
    """The last names are in order, and it is said how many are before them."""
    for name in "bca":
        drop(State.DONE, name)
    assert last_names(spool.layout, State.DONE, 2) == (["b", "c"], 1)
    assert last_names(spool.layout, State.DONE, 0) == (["a", "b", "c"], 0)
    assert last_names(spool.layout, State.FAILED, 2) == ([], 0)


@pytest.mark.parametrize("job_id", ["", "../x", "a/b", "a\0b"])
def test_an_id_that_leads_elsewhere(job_id) -> None:
    """An id that is no name in a folder is refused."""
    with pytest.raises(JobFormatError):
        check_id(job_id)


def test_an_id_of_any_name() -> None:
    """A name that the dispatcher refused can be asked for too."""
    assert check_id("a b") == "a b"


@pytest.mark.parametrize(
    ("given", "advice"),
    [("spool/failed/hello.json", "write hello"), ("pending/hello", "write hello"), ("..", None), ("a/", None)],
)
def test_a_path_given_for_an_id_is_answered_with_the_id(given, advice) -> None:
    """Who gives a path is told the id in it."""
    if given == "..":
        assert check_id(given) == given
        return
    with pytest.raises(JobFormatError) as caught:
        check_id(given)
    assert (advice or "is not the name of a file") in str(caught.value)


def test_a_file_that_cannot_be_read_hides_no_other(spool, drop, monkeypatch) -> None:
    """An error of one file is its problem; where nothing can be known it is raised."""
    drop(State.DONE, "x")

    def refuse(path: str):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("spoolrunner.spool.jobfile.read", refuse)
    found = look(spool.layout, State.DONE, "x")
    assert found is not None
    assert (found.document, found.problem) == (None, "cannot be read: Input/output error")
    assert look(spool.layout, State.DONE, "y") is None
