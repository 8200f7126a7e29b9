"""The job that is published when another one has failed for good: once, with a name of its own, and before the move."""

from __future__ import annotations

import errno
import os

import orjson
import pytest

from spoolrunner.protocol import document, signing
from spoolrunner.protocol.policy import OnFailure
from spoolrunner.protocol.states import State
from spoolrunner.spool import on_failure
from spoolrunner.spool.ids import id_problem

ENDED = "2027-01-15T08:00:00.000001Z"
TARGET = OnFailure("app.Alerts", "tell")
KEY = bytes(range(32))
ERROR = {"type": "ValueError", "message": "no", "traceback": "…"}


def failed(outcome: str = "failed", ended_at: str = ENDED, number: int = 2, **fields) -> dict:
    """A document that has just been recorded."""
    earlier = [{"number": one, "outcome": "failed", "verdict": "retry"} for one in range(1, number)]
    last = {"number": number, "outcome": outcome, "verdict": "failed", "ended_at": ended_at, "error": ERROR}
    return {"job": "app.Report", "method": "build", "attempts": [*earlier, last], **fields}


def publish(spool, raw: dict, job_id: str = "x", key: bytes | None = None) -> str:
    return on_failure.publish(spool, key, job_id, raw, TARGET)


def test_published(spool) -> None:
    """The job says which one failed, how, and with which error; it is one that is taken like any other."""
    assert publish(spool, failed()) == "x.failed.2"
    checked, raw = document.parse(spool.read(State.PENDING, "x.failed.2").data)
    assert (checked.job, checked.method) == (TARGET.job, TARGET.method)
    assert raw["params"] == {"id": "x", "outcome": "failed", "error": ERROR}
    assert raw["meta"] == {"on_failure_of": "x"}
    assert raw["created_at"] == ENDED


@pytest.mark.parametrize(
    ("words", "error", "params"),
    [
        (("id", "outcome"), ERROR, {"id": "x", "outcome": "failed"}),
        (("error",), ERROR, {"error": "ValueError: no"}),
        (("error",), {"type": "A", "message": "b\0c"}, {"error": "A: b\N{REPLACEMENT CHARACTER}c"}),
        (("error",), None, {"error": ""}),
        ((), ERROR, {}),
    ],
)
def test_in_words(spool, words, error, params) -> None:
    """A command is told what it has places for, in words that a program can be given."""
    raw = failed()
    raw["attempts"][-1]["error"] = error
    assert on_failure.publish(spool, None, "x", raw, OnFailure("shell", "mail", words)) == "x.failed.2"
    assert document.parse(spool.read(State.PENDING, "x.failed.2").data)[1]["params"] == params


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "crashed", "interrupted"])
def test_what_is_told(spool, outcome) -> None:
    """However the last attempt failed, it is told."""
    assert publish(spool, failed(outcome))


@pytest.mark.parametrize("outcome", ["cancelled", "rejected", "expired"])
def test_what_is_not_told(spool, outcome) -> None:
    """What somebody cancelled, or what never was a job of ours, is not."""
    assert publish(spool, failed(outcome)) == ""
    assert list(spool.names(State.PENDING)) == []


def test_no_failure_of_a_failure(spool) -> None:
    """A job of on_failure that fails is not told of, or there would be no end."""
    assert publish(spool, failed(meta={"on_failure_of": "y"})) == ""


@pytest.mark.parametrize("state", State)
def test_once(spool, state) -> None:
    """Whoever comes back to a settling that was interrupted finds the job, wherever it is by now."""
    name = publish(spool, failed())
    spool_move(spool, name, state)
    assert publish(spool, failed()) == ""


@pytest.mark.parametrize("state", State)
def test_each_failure(spool, state) -> None:
    """The failure of a later job with the same id is another one, though its name is taken."""
    spool_move(spool, publish(spool, failed()), state)
    later = failed(ended_at="2027-01-16T08:00:00Z")
    name = publish(spool, later)
    assert name == ("x.failed.2~2" if state is State.PENDING else "x.failed.2")
    assert publish(spool, later) == ""


def test_after_a_retry_by_hand(spool) -> None:
    """Each failure for good is told of, with the number of attempts so far."""
    assert publish(spool, failed()) == "x.failed.2"
    assert publish(spool, failed(number=4)) == "x.failed.4"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_stranger_in_its_place(spool, drop, content) -> None:
    """A file of somebody else that has the name does not keep the failure from being told."""
    drop(State.PENDING, "x.failed.2", content)
    assert publish(spool, failed()) == "x.failed.2~2"
    assert spool.read(State.PENDING, "x.failed.2").data == content


def test_signed(spool) -> None:
    """With a key the job is signed under its own name, also where that has a number."""
    for name in ("x.failed.2", "x.failed.2~2"):
        assert publish(spool, failed(ended_at=f"2027-01-15T08:00:0{len(name) % 10}Z"), key=KEY) == name
        found = spool.read(State.PENDING, name).data
        assert signing.problem(KEY, name, orjson.loads(found), found) is None


@pytest.mark.parametrize("job_id", ["a", "a" * 100, "a" * 99, "b" * 100 + "~12", "a~2", "nightly.2026"])
def test_the_name(job_id) -> None:
    """The name is an id, for the longest id and the most attempts as well; two long ids do not share one."""
    for number in (1, 100_000):
        made = on_failure.id_of(job_id, number)
        assert id_problem(made) is None
        assert made.endswith(f".failed.{number}")
    assert on_failure.id_of("a" * 99 + "b", 1) != on_failure.id_of("a" * 100, 1)


def spool_move(spool, name: str, state: State) -> None:
    """A job of that name goes on to that state."""
    data = spool.read(State.PENDING, name).data
    os.unlink(spool.layout.job(State.PENDING, name))
    with open(spool.layout.job(state, name), "wb") as stream:
        stream.write(data)


def test_a_job_of_ours_that_cannot_be_opened(spool, monkeypatch) -> None:
    """While it cannot be known whether the failure was told of, nothing is published, and the caller is told."""
    name = publish(spool, failed())
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith(f"{name}.json"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    if os.name == "posix":
        with pytest.raises(PermissionError):
            publish(spool, failed())
    monkeypatch.undo()
    assert publish(spool, failed()) == ""
    assert list(spool.names(State.PENDING)) == [name]
