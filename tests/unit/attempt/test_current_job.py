"""What a job may know of itself, and the progress it tells."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.attempt.current_job import CurrentJob, current_job, set_current_job
from spoolrunner.system import clock as clock_module


def touch(path: str) -> None:
    with open(path, "wb"):
        pass


@pytest.fixture
def current(spool, monkeypatch, clock) -> CurrentJob:
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    return CurrentJob(spool.layout, "x", 2, {"meta": {"k": 1}}, clock.wall() + 60)


def progress(spool) -> dict:
    with open(spool.layout.progress("x"), "rb") as stream:
        return orjson.loads(stream.read())


def test_current_job(current, clock) -> None:
    """A job knows its id, its attempt, its meta and its deadline, with a time zone."""
    assert (current.id, current.attempt, current.meta) == ("x", 2, {"k": 1})
    assert current.deadline.timestamp() == clock.wall() + 60
    assert current.deadline.tzinfo is not None
    assert current_job() is None
    set_current_job(current)
    assert current_job() is current
    set_current_job(None)


@pytest.mark.parametrize(
    ("fraction", "text", "said"),
    [
        (0.5, "half", {"fraction": 0.5, "text": "half"}),
        (-1, "", {"fraction": 0.0, "text": ""}),
        (7, "", {"fraction": 1.0, "text": ""}),
        (0, "x" * 600, {"fraction": 0.0, "text": "x" * 500}),
        (0, 5, {"fraction": 0.0, "text": "5"}),
    ],
)
def test_progress(spool, current, fraction, text, said) -> None:
    """Progress is a fraction from 0 to 1 and a short text."""
    current.progress(fraction, text)
    assert progress(spool) == said


def test_progress_is_not_told_too_often(spool, current, clock) -> None:
    """Progress is told at most ten times a second, but the end of it always."""
    for fraction, text, told in ((0.1, "a", "a"), (0.2, "b", "a"), (1.0, "c", "c")):
        current.progress(fraction, text)
        assert progress(spool)["text"] == told
    clock.advance(0.1)
    current.progress(0.3, "d")
    assert progress(spool)["text"] == "d"


def test_progress_with_odd_text(spool, current) -> None:
    """Telling progress never fails a job, whatever its text."""
    current.progress(0.5, "file \udc80")
    assert progress(spool)["fraction"] == 0.5


def test_cancel_requested(spool, current) -> None:
    """A cancel is seen as soon as it was asked for, and stays seen when it is taken back."""
    assert current.cancel_requested is False
    touch(spool.layout.cancel("x"))
    assert current.cancel_requested is True
    os.unlink(spool.layout.cancel("x"))
    assert current.cancel_requested is True


def test_progress_is_forgotten(spool, current) -> None:
    """The progress of a job goes with it, and nothing is looked for where none was told."""
    current.forget_progress()
    current.progress(0.5, "half")
    current.forget_progress()
    assert not os.path.exists(spool.layout.progress("x"))


def test_progress_that_cannot_be_told(spool, current, capsys) -> None:
    """Progress that the disk refuses is said and fails nothing."""
    os.rmdir(spool.layout.locks)
    current.progress(0.5, "half")
    assert "progress could not be written" in capsys.readouterr().err
