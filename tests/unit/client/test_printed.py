"""A job's output, at once and while it grows."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client.printed import log_path, printed
from spoolrunner.errors import JobNotFoundError
from spoolrunner.protocol.states import State
from spoolrunner.system import clock as clock_module


def write(spool, text: bytes, mode: str = "ab") -> None:
    with open(spool.layout.log("x"), mode) as stream:
        stream.write(text)


def test_at_once(spool, drop) -> None:
    """What was printed so far is given as it is, with a line that is not finished."""
    drop(State.RUNNING, "x")
    assert (list(printed(spool.layout, "x")), log_path(spool.layout, "x")) == ([], "")
    write(spool, b"one\ntw")
    assert list(printed(spool.layout, "x")) == [b"one\ntw"]
    assert log_path(spool.layout, "x") == spool.layout.log("x")


def test_of_no_job(spool) -> None:
    """The output of a job that is nowhere is an error, at once."""
    with pytest.raises(JobNotFoundError):
        printed(spool.layout, "x")


def test_follow(spool, drop, clock, monkeypatch) -> None:
    """A log is followed by whole lines until the job is over, and from the start again when it was cut."""
    drop(State.RUNNING, "x")
    acts = [
        lambda: write(spool, b"o\nthr"),
        lambda: write(spool, b"ee\n"),
        lambda: write(spool, b"cut\n", "wb"),
        lambda: (
            write(spool, b"end"),
            os.rename(spool.layout.job(State.RUNNING, "x"), spool.layout.job(State.DONE, "x")),
        ),
    ]
    monkeypatch.setattr(clock, "sleep", lambda _: acts.pop(0)())
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    write(spool, b"one\ntw")
    assert list(printed(spool.layout, "x", follow=True)) == [b"one\n", b"two\n", b"three\n", b"cut\n", b"end"]
