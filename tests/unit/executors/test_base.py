"""What executors of this machine share: reporting the end of a process, and ending one with its tree."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spoolrunner.executors.base import AttemptKey
from spoolrunner.executors.spawn import SpawnExecutor
from spoolrunner.system import processes

KEY = AttemptKey("x", 1)
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"], stdin=subprocess.PIPE)
child.wait()
"""


@pytest.fixture
def executor(config, plan_of, exits):
    """An executor of this machine that has started nothing."""
    made = SpawnExecutor(plan_of(config()), exits.put)
    yield made
    made.close()


@pytest.fixture
def family(executor):
    """A process with a child, as if they were an attempt that the executor had started; both run."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        env={**os.environ, processes.MARK: executor.mark(KEY)},
        start_new_session=True,
    )
    assert process.stdout.readline().strip() == b"up"
    executor._pids[KEY] = process.pid
    yield process
    process.kill()
    process.wait(10)
    process.stdout.close()


def test_a_mark_is_of_one_attempt_of_one_spool(executor, config) -> None:
    """The mark of a process names spool, job and attempt, so that no two attempts have the same."""
    assert executor.mark(KEY) == f"{config().layout.root}:x:1"
    marks = {executor.mark(AttemptKey(job_id, number)) for job_id in ("x", "y") for number in (1, 2)}
    assert len(marks) == 4


def test_an_end_is_reported_with_its_status(executor, exits) -> None:
    """What waits for a process is called aside, and what it returns is reported as the status."""
    executor.watch(KEY, 5, lambda: 7)
    assert exits.get(timeout=30) == (KEY, 7)


def test_the_end_of_a_process_that_is_not_ours_has_no_status(executor, exits) -> None:
    """A process that cannot be reaped by us is reported without a status when it is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        executor.watch(KEY, process.pid, lambda: processes.wait(process.pid))
        assert exits.empty()
        process.communicate(b"\n", timeout=10)
    assert exits.get(timeout=30) == (KEY, None)


def test_an_attempt_that_nobody_started(executor) -> None:
    """An attempt without a process has no pid, is ended without an error, and nothing of it is left."""
    assert executor.pid(KEY) is None
    executor.ask_to_end(KEY)
    executor.kill(KEY)
    assert executor.is_gone(KEY)
    executor.forget(KEY)


def test_a_kill_ends_the_whole_tree(executor, family) -> None:
    """A process that is killed takes its children with it; after that nothing of the tree is left."""
    tree = processes.tree(family.pid, executor.mark(KEY))
    assert len(tree) == 2
    executor.kill(KEY)
    family.wait(10)
    for process in tree:
        process.wait(10)
    assert executor.is_gone(KEY)


def test_a_tree_that_was_asked_to_end_is_remembered(executor, family) -> None:
    """As long as one of those that were asked to end still runs, the tree is not gone."""
    executor._ending[KEY] = processes.tree(family.pid, executor.mark(KEY))
    assert not executor.is_gone(KEY)
    executor.forget(KEY)
    assert executor.is_gone(KEY)
    assert executor.pid(KEY) is None
