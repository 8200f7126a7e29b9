"""An attempt in a process that goes on: nothing of it is held any more afterwards."""

from __future__ import annotations

import os

import pytest

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.current_job import current_job
from spoolrunner.attempt.in_process import run_here
from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_MADE, EXIT_UNWRITABLE
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol.states import State
from spoolrunner.spool import locks, traces


@pytest.fixture
def settings(spool) -> Settings:
    return Settings(spool.layout.root, "", False, 4096, [], 60.0)


@pytest.fixture
def assignment(spool, drop) -> Assignment:
    drop(State.RUNNING, "x")
    stamp = spool.stamp(State.RUNNING, "x")
    return Assignment("x", 1, stamp, "app.Report", "build", [], 60.0)


def callees(function) -> dict:
    return {("app.Report", "build"): Callee("build", function, None)}


def never() -> None:
    """A job that must not be called."""
    raise AssertionError("it was called")


def is_free(spool) -> bool:
    """Whether nobody holds the lock of the job."""
    lock = locks.acquire(spool.layout.lock("x"))
    if lock is not None:
        lock.close()
    return lock is not None


def test_the_streams_and_the_lock_are_given_back(settings, spool, assignment, capfd) -> None:
    """What the job prints goes to its log, what follows to where it went before; the lock is free, and no job is current."""
    seen = []

    def build() -> None:
        seen.append(current_job())
        os.write(1, b"from the job")
        assert not is_free(spool)

    assert run_here(settings, spool.layout, assignment, callees(build)) == EXIT_MADE
    os.write(1, b"afterwards")
    assert capfd.readouterr().out == "afterwards"
    with open(spool.layout.log("x"), encoding="utf-8") as stream:
        assert stream.read().endswith("from the job")
    assert (seen[0].id, current_job()) == ("x", None)
    assert traces.peek(spool.layout.lock("x")).outcome.outcome == "succeeded"
    assert is_free(spool)


def test_the_streams_come_back_after_a_failure(settings, spool, assignment, capfd) -> None:
    """A job that raises or exits ends only its attempt."""

    def build() -> None:
        raise SystemExit(3)

    assert run_here(settings, spool.layout, assignment, callees(build)) == EXIT_MADE
    os.write(1, b"afterwards")
    assert capfd.readouterr().out == "afterwards"
    assert traces.peek(spool.layout.lock("x")).outcome.exit_status == 3
    assert (current_job(), is_free(spool)) == (None, True)


def test_an_attempt_that_is_not_to_be_made(settings, spool, assignment) -> None:
    """A job whose file is gone or changed is left, as by a process of its own, and its lock is free."""
    with open(spool.layout.running("x"), "a", encoding="ascii") as stream:
        stream.write(" ")
    assert run_here(settings, spool.layout, assignment, callees(never)) == EXIT_LEFT
    assert is_free(spool)
    os.unlink(spool.layout.running("x"))
    assert run_here(settings, spool.layout, assignment, callees(never)) == EXIT_LEFT
    assert is_free(spool)


def test_an_attempt_that_cannot_be_begun(settings, spool, assignment, monkeypatch) -> None:
    """When the start marker cannot be written the lock is free again, so that the job can be settled."""

    def full(*args) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(locks.JobLock, "append", full)
        assert run_here(settings, spool.layout, assignment, callees(never)) == EXIT_UNWRITABLE
    assert is_free(spool)


def test_one_attempt_after_the_other(settings, spool, assignment) -> None:
    """A process can make any number of attempts, each under its own lock."""
    for number in range(1, 4):
        assignment.number = number
        assert run_here(settings, spool.layout, assignment, callees(lambda: None)) == EXIT_MADE
        assert traces.peek(spool.layout.lock("x")).marker.attempt == number
