"""What executors of this machine share: reporting the end of a process, and ending one with its tree."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.executors.base import AttemptKey, Exited
from spoolrunner.executors.spawn import SpawnExecutor
from spoolrunner.spool import lock_lines
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.spool.traces import Marker
from spoolrunner.system import place, processes

KEY = AttemptKey("x", 1)
NOW = 1_000.0
STAMP = (2, 3, 4)
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
    executor.know(Assignment(*KEY, STAMP, "job", "method", [], 60.0))
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
    marks = set()
    for job_id in ("x", "y"):
        for number in (1, 2):
            for stamp in (STAMP, (2, 3, 5)):
                key = executor.know(Assignment(job_id, number, stamp, "job", "method", [], 60.0))
                marks.add(executor.mark(key))
    assert len(marks) == 8
    assert all(
        processes.is_marked_by(mark, config().layout.root, processes.home(config().layout.locks)) for mark in marks
    )
    adopted = Marker(lock_lines.START, 1, *STAMP, os.getpid())
    executor.adopt(AttemptKey("x", 1), adopted)
    assert executor.mark(AttemptKey("x", 1)) in marks


@pytest.fixture(params=["by a descriptor", "by a thread"])
def waiting(request, monkeypatch) -> str:
    """How an end is noticed: where the system has no descriptors of processes, or none is left, a thread waits."""
    if request.param == "by a thread":
        monkeypatch.setattr(processes, "descriptor_of", lambda pid: None)
    elif sys.platform != "linux":
        pytest.skip("only Linux has descriptors of processes")
    return request.param


@pytest.fixture
def child():
    """A process that ends when its input does."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(len(input()))"], stdin=subprocess.PIPE) as made:
        yield made
        made.kill()


def test_an_end_is_reported_with_its_status(executor, exits, waiting, child) -> None:
    """What asks for the end of a process is called once it has ended, and its answer is reported."""
    asked = []

    def ended() -> tuple[int, Usage]:
        if waiting == "by a thread":
            child.wait()
        asked.append(waiting)
        return 7, Usage(0.5, 2048)

    executor.watch(KEY, child.pid, ended)
    assert exits.empty()
    assert executor.pid(KEY) == child.pid
    child.stdin.close()
    assert exits.get() == Exited(KEY, 7, Usage(0.5, 2048))
    assert asked == [waiting]
    assert exits.empty()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no wait4")
def test_the_end_of_a_child(executor, exits, waiting, child) -> None:
    """Our child is reaped, and reported with its status and with what it has used."""
    executor.watch_child(KEY, child.pid)
    child.stdin.write(b"abc\n")
    child.stdin.close()
    key, status, usage, _ = exits.get()
    assert (key, status) == (KEY, 3)
    assert usage.cpu_s > 0
    assert usage.max_rss_kib > 1024
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)
    child.returncode = 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no wait4")
def test_a_child_that_a_signal_ended(executor, exits, waiting, child) -> None:
    """The status of a process that was ended by a signal is the signal's number, less than 0."""
    executor.watch_child(KEY, child.pid)
    os.kill(child.pid, signal.SIGKILL)
    assert exits.get()[:2] == (KEY, -signal.SIGKILL)
    child.returncode = -9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has descriptors of processes")
def test_a_child_that_somebody_else_reaped(executor, exits, child) -> None:
    """A child whose status was collected by other code in this process is reported without one."""
    executor.watch_child(KEY, child.pid)
    child.kill()
    child.wait()
    assert exits.get() == Exited(KEY, None, None)


def test_the_end_of_a_process_that_is_not_ours_has_no_status(executor, exits, waiting, child) -> None:
    """A process that cannot be reaped by us is reported without a status when it is gone, and not before."""
    executor.watch_stranger(KEY, child.pid)
    assert exits.empty()
    child.kill()
    child.wait()
    assert exits.get() == Exited(KEY, None, None)


def test_a_stranger_that_is_gone_already(executor, exits) -> None:
    """A process that ended before it was watched is reported at once."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    executor.watch_stranger(KEY, gone.pid)
    assert exits.get() == Exited(KEY, None, None)


def test_an_adopted_attempt(executor, exits, child) -> None:
    """An attempt of an earlier dispatcher is watched by the process that its marker names."""
    start = processes.started(child.pid, "")
    marker = Marker("start", 1, 5, 6, 7, child.pid, start)
    executor.adopt(KEY, marker)
    assert executor.pid(KEY) == child.pid
    assert executor.lives(marker)
    assert not executor.lives(marker._replace(process_started=f"{start}0"))
    child.kill()
    child.wait()
    assert exits.get() == Exited(KEY, None, None)
    assert not executor.lives(marker)


def test_whose_process_a_marker_names(executor, child, config) -> None:
    """A pid counts for this spool, and in its own namespace, alone: that of a copy or a container is another process."""
    here = place.place(config().layout.locks)
    marker = Marker("start", 1, 5, 6, 7, child.pid, processes.started(child.pid, ""))
    assert executor.lives(marker), "an older version did not say"
    ours = marker._replace(**here._asdict())
    assert executor.lives(ours)
    assert executor.lives(ours._replace(host="renamed since"))
    assert not executor.lives(ours._replace(home="1.2"))
    assert not executor.lives(ours._replace(namespace="another"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has descriptors of processes")
def test_nothing_is_listened_to_after_an_end(executor, exits, child) -> None:
    """The descriptor of a process is closed, and listened to no more, when the process was reported."""
    before = len(os.listdir("/proc/self/fd"))
    executor.watch_stranger(KEY, child.pid)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    child.kill()
    child.wait()
    exits.get()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_own_pid_of_an_attempt_that_ended_is_not_ended(executor, exits, child) -> None:
    """After the end of a process its pid may be that of another: it is not among those that are ended."""
    executor.watch(KEY, child.pid, lambda options: (0, None))
    assert [process.pid for process in executor._tree(KEY)] == [child.pid]
    executor._exited.add(KEY)
    assert executor._tree(KEY) == []


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


@pytest.fixture
def left_over():
    """A process whose parent, which led their session, has ended; and the pid of that."""
    if sys.platform == "win32":
        pytest.skip("Windows has no sessions of this kind")
    program = ["sh", "-c", "sleep 1000 >&- & echo $!"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, start_new_session=True) as leader:
        child = psutil.Process(int(leader.stdout.readline()))
    yield child, leader.pid
    if child.is_running():
        child.kill()


def test_what_another_dispatcher_left_is_ended(executor, config, left_over) -> None:
    """What is left of the session of a marker's process is ended, but nothing when the marker came with a copy of the spool."""
    child, leader = left_over
    marker = Marker(lock_lines.START, 1, *STAMP, leader)
    assert executor.end_left_by("x", marker._replace(home="1.2")) is False
    assert child.is_running()
    ours = marker._replace(home=processes.home(config().layout.locks))
    assert executor.end_left_by("x", ours) is True
    psutil.wait_procs([child], 10)
    assert executor.end_left_by("x", ours) is False


def test_a_zombie_is_nothing_that_is_left(executor) -> None:
    """A process that has ended, and that nobody collects, as in a container whose first process does not, is gone."""
    if sys.platform == "win32":
        pytest.skip("Windows has no zombies")
    with subprocess.Popen(["true"], start_new_session=True) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert executor.end_left_by("x", Marker(lock_lines.START, 1, *STAMP, ended.pid)) is False


@pytest.fixture
def no_threads(monkeypatch):
    """No thread is to be had until the list that this returns is emptied."""
    refused = [True]
    real = threading.Thread.start

    def start(self) -> None:
        if refused:
            raise RuntimeError("can't start new thread")
        real(self)

    monkeypatch.setattr(processes, "descriptor_of", lambda pid: None)
    monkeypatch.setattr(threading.Thread, "start", start)
    return refused


def test_no_thread_to_wait_for_an_end(executor, exits, child, no_threads) -> None:
    """It is said, tried again each second, and the end is reported in the end."""
    executor.watch_child(KEY, child.pid)
    assert "the end of 1 attempts" in executor.trouble[0]
    assert executor.next_in(NOW) == 0.0
    executor.work(NOW)
    assert (len(executor.trouble), executor.next_in(NOW + 0.25)) == (1, 0.75)
    no_threads.clear()
    executor.work(NOW + 0.5)
    assert executor.trouble
    executor.work(NOW + 1.0)
    assert (executor.trouble, executor.next_in(NOW + 1.0)) == ([], math.inf)
    child.stdin.write(b"four\n")
    child.stdin.close()
    assert exits.get()[:2] == (KEY, 4 if sys.platform != "win32" else None)


def test_nobody_waits_for_what_is_forgotten(executor, child, no_threads) -> None:
    """A settled attempt is no trouble."""
    executor.watch_child(KEY, child.pid)
    executor.forget(KEY)
    assert executor.trouble == []
