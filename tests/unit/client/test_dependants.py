"""Jobs that failed for others: retried with them, or let start without them."""

from __future__ import annotations

import json

import pytest

from spoolrunner.client import dependants
from spoolrunner.client.dependants import Freed
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.states import Outcome, State

KEY = b"k" * 32


@pytest.fixture
def failed(spool, drop):
    """Let a job have failed for others."""

    def put(job_id: str, *after: str) -> None:
        drop(State.FAILED, job_id, {"after": list(after)})
        spool.explain(job_id, Outcome.DEPENDENCY_FAILED, "after", f"pending/{job_id}.json", 0.0)

    return put


def test_of(spool, drop, failed) -> None:
    """Those that failed because one did, or because they did, come each behind what it waits for; others are not among them."""
    drop(State.FAILED, "a")
    failed("z", "a")
    failed("b", "z")
    failed("c", "b", "z")
    failed("other", "gone")
    drop(State.FAILED, "own", {"after": ["a"]})
    assert dependants.of(spool.layout, "a") == ["z", "b", "c"]


def test_of_one_with_another_cause(spool, drop, failed) -> None:
    """One of which another cause lies in failed/ would fail again: it is left, and what waits for it."""
    drop(State.FAILED, "a")
    drop(State.FAILED, "b")
    failed("x", "a", "b")
    failed("y", "x")
    failed("z", "a")
    assert dependants.of(spool.layout, "a") == ["z"]
    assert dependants.that_may_go(spool.layout, ["a", "b"], ["x", "y", "z"]) == ["x", "z", "y"]


def test_those_whose_cause_is_gone(spool, drop, failed) -> None:
    """One whose cause was retried, is done by now, or is nowhere may go."""
    drop(State.PENDING, "a")
    drop(State.DONE, "b")
    failed("x", "a", "b", "gone")
    assert dependants.that_may_go(spool.layout, [], ["x"]) == ["x"]


def test_a_chain_of_many(spool, failed, drop) -> None:
    """A chain is gone through once, in whatever order its names are."""
    drop(State.FAILED, "a")
    for number in range(300, 0, -1):
        failed(f"x{number:03}", "a" if number == 300 else f"x{number + 1:03}")
    assert dependants.of(spool.layout, "a") == [f"x{number:03}" for number in range(300, 0, -1)]


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED])
def test_without_after(spool, drop, failed, state) -> None:
    """A job that waits, or that failed for others, waits for its start alone after it; nothing else of it is changed."""
    if state is State.FAILED:
        failed("x", "gone")
    else:
        drop(State.PENDING, "x", {"after": ["gone"], "priority": 7})
    assert dependants.without_after(spool.layout, "x", None) == Freed("x")
    raw = json.loads(spool.read(State.PENDING, "x").data)
    assert "after" not in raw
    assert raw.get("priority") == (7 if state is State.PENDING else None)
    assert not spool.exists(State.FAILED, "x")
    assert dependants.reason_files.read(spool.layout, "x") is None


@pytest.mark.parametrize(
    ("state", "fields", "problem"),
    [
        (State.PENDING, {}, "waits for no other job"),
        (State.RUNNING, {"after": ["a"]}, "neither in pending/ nor in failed/"),
        (State.DONE, {"after": ["a"]}, "neither in pending/ nor in failed/"),
    ],
)
def test_what_does_not_wait(spool, drop, state, fields, problem) -> None:
    """Where there is nothing to be taken out nothing is moved."""
    drop(state, "x", fields)
    assert dependants.without_after(spool.layout, "x", None) == Freed(problem=problem)
    assert spool.exists(state, "x")


def test_a_job_that_has_started(spool, drop) -> None:
    """A job that was tried waits for its retry, and for nobody else."""
    attempt = {"number": 1, "outcome": "failed", "verdict": "retry"}
    drop(State.PENDING, "x", {"after": ["a"], "attempts": [attempt]})
    assert dependants.without_after(spool.layout, "x", None).problem == "waits for no other job"


def test_a_signed_job(spool, drop) -> None:
    """What was signed is signed anew; what was not is refused, and stays where it is."""
    raw = {"job": "app.Report", "method": "build", "after": ["gone"]}
    drop(State.PENDING, "x", signing.sign(KEY, "x", raw))
    assert dependants.without_after(spool.layout, "x", KEY) == Freed("x")
    data = spool.read(State.PENDING, "x").data
    assert not signing.problem(KEY, "x", jsontext.decode(data), data)
    drop(State.PENDING, "y", raw)
    with pytest.raises(JobFormatError, match="signature"):
        dependants.without_after(spool.layout, "y", KEY)
    assert spool.exists(State.PENDING, "y")


def test_a_name_that_is_taken(spool, drop, failed) -> None:
    """Where another job of that id waits nothing is lost."""
    failed("x", "gone")
    drop(State.PENDING, "x")
    assert dependants.without_after(spool.layout, "x", None).problem == "waits for no other job"
    assert spool.exists(State.FAILED, "x")
