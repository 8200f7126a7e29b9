"""One interpreter that was started for a job: what it says of itself, before it is told anything."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from spoolrunner.attempt.runner import EXIT_LEFT
from spoolrunner.errors import StartError
from spoolrunner.executors import spawned
from spoolrunner.executors.spawned import PROGRAM, start
from tests.unit.executors.conftest import PATIENCE


@pytest.fixture
def begin(config, plan_of):
    """Start an interpreter with this program; it is gone at the end."""
    made = []

    def begin(program: str = PROGRAM, **changes):
        plan = plan_of(config(), **changes)
        made.append(start([sys.executable, "-P", "-c", program], plan))
        return made[-1]

    yield begin
    for one in made:
        one.let_go()
        one.process.kill()
        one.process.wait()
        one.close_sign()


def heard_at_its_end(one):
    """Let it end, and hear what it has said."""
    one.let_go()
    one.process.wait(PATIENCE)
    one.hear()
    return one


def test_one_that_comes(begin) -> None:
    """It says that it has come, and ends in peace when it is told nothing."""
    one = heard_at_its_end(begin())
    assert (one.has_come, one.is_heard, one.process.returncode) == (True, True, EXIT_LEFT)
    one.hear()  # what was heard stays so
    assert one.has_come


def test_one_without_our_package(begin, tmp_path) -> None:
    """It says why it cannot run our program, as Python does."""
    (tmp_path / "spoolrunner.py").write_text("raise ImportError('half an upgrade')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    one = heard_at_its_end(begin(environment=environment))
    assert not one.has_come
    assert "ImportError: half an upgrade" in one.problem("python", one.process.returncode)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit(7)", "ended with status 7"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)",
            "ended with SIGKILL",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="signals"),
        ),
    ],
)
def test_one_that_ends_in_silence(begin, program, words) -> None:
    """The status is all that is known of it."""
    one = heard_at_its_end(begin(program))
    assert not one.has_come
    assert words in one.problem("python", one.process.returncode)
    assert "before it ran our program" in one.problem("python", None)


def test_one_that_is_dead_is_told_nothing(begin) -> None:
    """To tell a job to a dead one is refused, and so is to tell a second."""
    one = begin()
    one.process.kill()
    one.process.wait()
    assert one.tell(b"a job") is False
    assert one.tell(b"a job") is False


def test_no_thread_to_tell_a_long_job(begin, monkeypatch) -> None:
    """Where no thread is to be had a long job is not told, and its process ends."""

    def refuse(self) -> None:
        raise RuntimeError("can't start new thread")

    one = begin()
    monkeypatch.setattr(spawned.threading.Thread, "start", refuse)
    with pytest.raises(StartError, match="can't start new thread"):
        one.tell(b"x" * 100_000)
    assert one.process.wait(PATIENCE) == EXIT_LEFT


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_one_that_stays_is_killed(begin) -> None:
    """One that was let go and does not end is killed after a while; nobody waits for it."""
    one = begin()
    os.kill(one.process.pid, signal.SIGSTOP)
    one.let_go()
    now = 0.0
    assert one.has_ended(now) is False
    assert one.has_ended(now + 9.0) is False
    one.has_ended(now + 11.0)
    deadline = time.monotonic() + PATIENCE
    while not one.has_ended(now + 12.0):
        assert time.monotonic() < deadline
    assert one.process.returncode == -signal.SIGKILL


def test_a_program_that_is_not_there(config, plan_of) -> None:
    """No descriptor is left of one that cannot be started."""
    plan = plan_of(config(), python="no-such-python")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    with pytest.raises(StartError, match="cannot start no-such-python"):
        start(["no-such-python"], plan)
    assert sys.platform != "linux" or len(os.listdir("/proc/self/fd")) == before
