"""A new interpreter for each job, started ahead of it."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from spoolrunner.attempt import runner
from spoolrunner.attempt.settings import Settings
from spoolrunner.executors.base import AttemptKey, Plan
from spoolrunner.executors.spawn import SpawnExecutor
from spoolrunner.protocol.policy import Limits, Policy
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

KEY = AttemptKey("x", 1)


@pytest.fixture
def executor(tmp_path, exits):
    """A spawn executor for an empty spool: every attempt finds nothing to do."""
    layout = Layout(str(tmp_path / "spool"))
    Spool(layout).make()
    settings = Settings(
        root=layout.root, boot="", fsync=False, max_log_bytes=1000, limits=Limits(60.0, 9),
        python_path=[], allowed={}, default_policy=Policy(),
    )  # fmt: skip
    plan = Plan(
        python=sys.executable, settings=settings.to_bytes(), root=layout.root, boot="", folder=str(tmp_path),
        environment=dict(os.environ), preload=[], loaded=lambda files: None, notice=lambda event: None,
    )  # fmt: skip
    made = SpawnExecutor(plan, exits.put)
    yield made
    made.close()


def test_an_interpreter_waits_for_its_job(executor, exits) -> None:
    """The process that was started ahead becomes the job's, another one waits then, and both are reported or gone."""
    executor.prepare()
    waiting = executor._spare.process.pid
    executor.start(KEY)
    assert executor.pid(KEY) == waiting
    assert executor._spare.process.pid != waiting
    assert exits.get(timeout=30) == (KEY, runner.EXIT_LEFT)


def test_a_second_start_is_none(executor, exits) -> None:
    """Starting an attempt twice is the same as starting it once."""
    executor.start(KEY)
    pid = executor.pid(KEY)
    executor.start(KEY)
    assert executor.pid(KEY) == pid
    assert exits.get(timeout=30) == (KEY, runner.EXIT_LEFT)
    assert exits.empty()


def test_an_interpreter_that_died_while_it_waited(executor, exits) -> None:
    """A job whose process was killed before it was told is started in another one, or its end is reported."""
    executor.prepare()
    executor._spare.process.kill()
    executor._spare.process.wait()
    executor.start(KEY)
    assert exits.get(timeout=30).status == runner.EXIT_LEFT


def test_what_waits_goes_with_the_dispatcher(executor) -> None:
    """The waiting process ends when the executor is closed, and when the pipe closes because the dispatcher died."""
    executor.prepare()
    waiting = psutil.Process(executor._spare.process.pid)
    executor.close()
    assert not waiting.is_running()
