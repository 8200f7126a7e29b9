"""The steps of a job, as people are shown them, and forgotten."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client import operate
from spoolrunner.client.look import look
from spoolrunner.client.steps import forget, kept
from spoolrunner.protocol.states import State
from spoolrunner.spool import retention, step_files

MADE = {"created_at": "2026-11-23T17:45:01Z"}


@pytest.fixture
def make_step(spool):
    """Let the job of that key have made a step."""

    def make(name: str = "x", key: str = MADE["created_at"]) -> str:
        path = spool.layout.step_file(name)
        step_files.begin(spool.layout, path, step_files.first_line(key, "a", "b", "0"), fsync=False)
        step_files.append(path, b'{"step":"one","ended_at":"2026-11-23T17:45:02Z","value":[1]}\n', fsync=False)
        return path

    return make


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING, State.FAILED])
def test_kept(spool, drop, make_step, state) -> None:
    """A job has its steps wherever it lies, and no other job of its id has them."""
    drop(state, "x", MADE)
    assert kept(spool.layout, look(spool.layout, state, "x")) == []
    make_step()
    (step,) = kept(spool.layout, look(spool.layout, state, "x"))
    assert (step["step"], step["value"]) == ("one", [1])
    drop(state, "x", {"created_at": "2026-11-24T17:45:01Z"})
    assert kept(spool.layout, look(spool.layout, state, "x")) == []


def test_a_job_that_does_not_say_when_it_was_made(spool, drop, make_step) -> None:
    """It is known by its file."""
    path = drop(State.RUNNING, "x")
    make_step(key=f"inode {os.stat(path).st_ino}")
    assert kept(spool.layout, look(spool.layout, State.RUNNING, "x"))


def test_forget(spool, drop, make_step) -> None:
    """What was forgotten is gone; there is nothing to forget of a job without steps, or that is not there."""
    assert not forget(spool.layout, State.FAILED, "x")
    drop(State.FAILED, "x", MADE)
    assert not forget(spool.layout, State.FAILED, "x")
    path = make_step()
    assert forget(spool.layout, State.FAILED, "x") == path
    assert step_files.names(spool.layout) == []


@pytest.mark.parametrize("content", [b"", b"{"])
def test_a_file_that_cannot_be_read(spool, drop, make_step, content) -> None:
    """A file that is no job has no steps."""
    drop(State.FAILED, "x", content)
    make_step()
    assert retention.steps_of(spool.layout, State.FAILED, "x") is None
    assert kept(spool.layout, look(spool.layout, State.FAILED, "x")) == []


def test_removed_with_the_job(spool, drop, make_step) -> None:
    """Whoever removes a job removes its steps, and not those of another one with its id."""
    drop(State.FAILED, "x", MADE)
    make_step(key="another")
    path = make_step("x~2")
    assert operate.remove(spool.layout, State.FAILED, "x")
    assert not os.path.exists(path)
    assert step_files.names(spool.layout) == ["x"]
