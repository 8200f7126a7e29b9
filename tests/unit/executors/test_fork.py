"""The fork executor with a real template process: starts, reports, and what becomes of jobs when the template dies."""

from __future__ import annotations

import os
import queue
import signal
import sys

import orjson
import pytest

from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_RECORDED
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey
from spoolrunner.spool.paths import Layout

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

KEY = AttemptKey("x", 1)
JOBS = "unit_fork_jobs"
MODULE = """
def quick():
    return "done"

def patient(fifo):
    with open(fifo) as stream:  # returns when the test opens its end
        return stream.read()
"""
PATIENCE = 30


@pytest.fixture
def made(config, tmp_path):
    """A configuration with jobs."""
    (tmp_path / f"{JOBS}.py").write_text(MODULE)
    return config(allowed_jobs={JOBS: ["quick", "patient"]}, executor="fork", preload=False)


@pytest.fixture
def heard() -> queue.SimpleQueue:
    """The messages of the template, as they come."""
    return queue.SimpleQueue()


@pytest.fixture
def executor(made, plan_of, exits, heard):
    """A fork executor, whose template is ended at the end."""
    from spoolrunner.executors.fork import ForkExecutor

    class Overheard(ForkExecutor):
        def heard(self, event, *arguments):
            super().heard(event, *arguments)
            heard.put(event)

    executor = Overheard(plan_of(made), exits.put)
    yield executor
    executor.close()


@pytest.fixture
def fifo(tmp_path) -> str:
    """A pipe by which a patient job is held up until the test opens it."""
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


def drop(layout: Layout, method: str, *params: str) -> None:
    with open(layout.running("x"), "wb") as stream:
        stream.write(orjson.dumps({"job": JOBS, "method": method, "params": params}))


def record_in(layout: Layout) -> dict:
    with open(layout.running("x"), "rb") as stream:
        return orjson.loads(stream.read())


def template_pid(executor) -> int:
    return executor._template._process.pid


def learn_pid(executor, heard) -> int:
    """The pid of the attempt, once the template has told it."""
    assert executor.pid(KEY) is None
    while heard.get(timeout=PATIENCE) != "started":
        pass
    return executor.pid(KEY)


def test_a_job_runs_in_a_fork(executor, made, exits) -> None:
    """A started attempt runs in a process of its own, which records it, and its exit status is reported."""
    drop(made.layout, "quick")
    executor.prepare()
    executor.start(KEY)
    assert exits.get(timeout=PATIENCE) == (KEY, EXIT_RECORDED)
    raw = record_in(made.layout)
    assert (raw["result"], raw["attempts"][0]["outcome"]) == ("done", "succeeded")
    assert raw["attempts"][0]["pid"] not in (os.getpid(), template_pid(executor))


def test_a_start_makes_the_template(executor, made, exits) -> None:
    """Without a template, and without a job to be done, a start makes the one and reports the other."""
    executor.start(KEY)
    assert exits.get(timeout=PATIENCE) == (KEY, EXIT_LEFT)


def test_a_second_start_is_none(executor, made, exits, fifo) -> None:
    """Starting an attempt twice is the same as starting it once."""
    drop(made.layout, "patient", fifo)
    executor.start(KEY)
    executor.start(KEY)
    with open(fifo, "w", encoding="ascii") as stream:
        stream.write("go")
    assert exits.get(timeout=PATIENCE) == (KEY, EXIT_RECORDED)
    assert record_in(made.layout)["result"] == "go"
    another = AttemptKey("another", 1)
    executor.start(another)
    assert exits.get(timeout=PATIENCE) == (another, EXIT_LEFT)


def test_a_job_outlives_its_template(executor, made, exits, heard, fifo) -> None:
    """When the template dies, a job that runs is watched until its end, whose status nobody can know then."""
    drop(made.layout, "patient", fifo)
    executor.start(KEY)
    learn_pid(executor, heard)
    os.kill(template_pid(executor), signal.SIGKILL)
    executor._template._process.wait(PATIENCE)
    with open(fifo, "w", encoding="ascii") as stream:
        stream.write("go")
    assert exits.get(timeout=PATIENCE) == (KEY, None)
    assert record_in(made.layout)["result"] == "go"


def test_a_template_that_died_is_replaced(executor, exits) -> None:
    """The first start after the death of a template is made by a new one."""
    executor.prepare()
    first = executor._template
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait(PATIENCE)
    executor.start(KEY)
    key, _ = exits.get(timeout=PATIENCE)  # Race: the reader may not have noticed the death when the start is asked for.
    executor.forget(key)
    executor.start(KEY)
    assert exits.get(timeout=PATIENCE) == (KEY, EXIT_LEFT)
    assert executor._template is not first


def test_changed_code_is_served_by_a_new_template(executor, exits) -> None:
    """After `renew` the next start comes from a new template, and the old one ends by itself."""
    executor.prepare()
    first = executor._template
    executor.renew()
    executor.start(KEY)
    assert executor._template is not first
    assert exits.get(timeout=PATIENCE) == (KEY, EXIT_LEFT)
    assert first._process.wait(PATIENCE) == 0


def test_a_job_is_ended_as_soon_as_its_pid_is_known(executor, made, exits, fifo) -> None:
    """A job that is asked to end right after its start gets the signal once the template has told its pid."""
    drop(made.layout, "patient", fifo)
    executor.start(KEY)
    executor.ask_to_end(KEY)
    assert exits.get(timeout=PATIENCE) == (KEY, -signal.SIGTERM)
    assert executor.is_gone(KEY)


def test_a_template_goes_with_the_executor(executor) -> None:
    """A template ends when its executor is closed, and a closed executor can be closed again."""
    executor.prepare()
    process = executor._template._process
    executor.close()
    assert process.wait(PATIENCE) == 0
    executor.close()


def test_a_program_that_is_not_there(made, plan_of, exits) -> None:
    """A template that cannot be started is an error that names the program."""
    from spoolrunner.executors.fork import ForkExecutor

    executor = ForkExecutor(plan_of(made, python="no-such-python"), exits.put)
    with pytest.raises(StartError, match="cannot start no-such-python: No such file"):
        executor.prepare()
