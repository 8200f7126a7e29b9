"""An attempt in a process that goes on: nothing of it is held any more afterwards."""

from __future__ import annotations

import os

import pytest

from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.current_job import current_job
from spoolrunner.attempt.in_process import run_here
from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_RECORDED
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol.policy import Limits, Policy
from spoolrunner.protocol.states import State
from spoolrunner.spool import locks


@pytest.fixture
def settings(spool) -> Settings:
    policy = Policy()
    return Settings(
        root=spool.layout.root,
        boot="",
        fsync=False,
        max_log_bytes=4096,
        limits=Limits(3600.0, 100),
        python_path=[],
        allowed={"app.Report": {"build": policy}},
        default_policy=policy,
    )


def test_the_streams_and_the_lock_are_given_back(settings, spool, drop, capfd) -> None:
    """What the job prints goes to its log, what follows to where it went before; the lock is free, and no job is current."""
    seen = []

    def build() -> None:
        seen.append(current_job())
        os.write(1, b"from the job")

    drop(State.RUNNING, "x")
    callees = {("app.Report", "build"): Callee("build", build, None)}
    assert run_here(settings, spool.layout, "x", 1, callees) == EXIT_RECORDED
    os.write(1, b"afterwards")
    assert capfd.readouterr().out == "afterwards"
    with open(spool.layout.log("x"), encoding="utf-8") as stream:
        assert stream.read().endswith("from the job")
    assert (seen[0].id, current_job()) == ("x", None)
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.close()


def test_an_attempt_that_is_not_to_be_made(settings, spool) -> None:
    """A job whose file is gone is left, as by a process of its own."""
    assert run_here(settings, spool.layout, "gone", 1) == EXIT_LEFT
