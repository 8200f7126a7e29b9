"""The attempts that run: deadlines, and how one is ended; with an executor that only notes what it is told."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.running import CANCEL_NOTICE, STEP, RunningAttempt, Supervision
from spoolrunner.executors.base import AttemptKey
from spoolrunner.protocol.states import Outcome

GRACE = 10.0
TIMEOUT = 60.0


class FakeExecutor:
    """Notes what it is told; `left` are the attempts of whose tree something lives."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.left: set[str] = set()

    def ask_to_end(self, key: AttemptKey) -> None:
        self.told.append(("ask", key.job_id))

    def kill(self, key: AttemptKey) -> None:
        self.told.append(("kill", key.job_id))

    def is_gone(self, key: AttemptKey) -> bool:
        return key.job_id not in self.left

    def forget(self, key: AttemptKey) -> None:
        self.told.append(("forget", key.job_id))


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def supervision(executor, clock) -> Supervision:
    return Supervision(executor, clock, GRACE)


@pytest.fixture
def start(supervision, clock):
    """An attempt that has begun to run."""

    def begin(job_id: str = "x", timeout: float = TIMEOUT, method: str = "build") -> RunningAttempt:
        deadline = clock.monotonic() + timeout
        attempt = RunningAttempt(AttemptKey(job_id, 1), "app.Report", method, timeout, deadline, "", 4)
        supervision.add(attempt)
        return attempt

    return begin


def outcome(attempt: RunningAttempt) -> Outcome | None:
    return None if attempt.ending is None else attempt.ending.outcome


def test_what_runs(supervision, start, executor) -> None:
    """What runs is known by its id, oldest first, and counted by method, until it is settled."""
    first, second = start("x"), start("a", method="send")
    assert supervision.all() == [first, second]
    assert len(supervision) == 2
    assert supervision.get("x") is first
    assert supervision.get("y") is None
    assert ("a" in supervision, "y" in supervision) == (True, False)
    assert supervision.count("app.Report", "send") == 1
    assert supervision.count("app.Report", "other") == 0
    supervision.remove(first)
    assert supervision.all() == [second]
    assert executor.told == [("forget", "x")]


def test_exited(supervision, start) -> None:
    """An exit is noted with its status, and the attempt may then be settled."""
    attempt = start()
    assert not supervision.is_over(attempt)
    supervision.exited(attempt.key, -9)
    assert (attempt.has_exited, attempt.status) == (True, -9)
    assert supervision.is_over(attempt)


@pytest.mark.parametrize("key", [AttemptKey("x", 2), AttemptKey("y", 1)])
def test_exit_of_another_attempt(supervision, start, key) -> None:
    """The exit of an attempt that was settled before changes nothing of the one that runs now."""
    attempt = start()
    supervision.exited(key, 0)
    assert not attempt.has_exited


def test_nothing_to_do(supervision, start, executor, clock) -> None:
    """Before its deadline an attempt is left alone."""
    attempt = start()
    clock.advance(TIMEOUT - 0.1)
    assert supervision.step() == []
    assert attempt.ending is None
    assert executor.told == []
    assert supervision.next_step_in() == pytest.approx(0.1)


def test_nothing_runs(supervision) -> None:
    """Where nothing runs there is nothing to wait for."""
    assert supervision.step() == []
    assert supervision.next_step_in() == float("inf")


def test_timeout(supervision, start, executor, clock) -> None:
    """At its deadline an attempt is asked to end, after the grace it is killed, and told of once."""
    attempt = start()
    clock.advance(TIMEOUT)
    assert supervision.next_step_in() == 0.0
    assert supervision.step() == [attempt]
    assert outcome(attempt) is Outcome.TIMED_OUT
    assert executor.told == [("ask", "x")]
    clock.advance(GRACE - 0.1)
    assert supervision.step() == []
    assert executor.told == [("ask", "x")]
    clock.advance(0.1)
    supervision.step()
    assert executor.told == [("ask", "x"), ("kill", "x")]


def test_only_the_overdue_end(supervision, start, executor, clock) -> None:
    """An attempt's deadline is its own."""
    start("x", 10.0)
    start("y", 20.0)
    clock.advance(10.0)
    assert [attempt.key.job_id for attempt in supervision.step()] == ["x"]
    assert executor.told == [("ask", "x")]


def test_cancel(supervision, start, executor, clock) -> None:
    """A cancelled job has a moment to look for itself, is then asked to end, and then killed; asking twice is one cancel."""
    attempt = start()
    assert supervision.cancel(attempt) is True
    assert supervision.cancel(attempt) is False
    supervision.step()
    clock.advance(CANCEL_NOTICE - 0.1)
    supervision.step()
    assert executor.told == []
    clock.advance(0.1)
    supervision.step()
    assert executor.told == [("ask", "x")]
    clock.advance(GRACE)
    supervision.step()
    assert executor.told == [("ask", "x"), ("kill", "x")]
    assert outcome(attempt) is Outcome.CANCELLED


def test_a_cancelled_job_does_not_time_out(supervision, start, clock) -> None:
    """Whatever ended an attempt first is its outcome."""
    attempt = start(timeout=0.5)
    supervision.cancel(attempt)
    clock.advance(TIMEOUT)
    assert supervision.step() == []
    assert outcome(attempt) is Outcome.CANCELLED


def test_killed_again_and_again(supervision, start, executor, clock) -> None:
    """What does not die is killed again once a second, since a tree may have grown meanwhile."""
    executor.left.add("x")
    supervision.cancel(start())
    clock.advance(CANCEL_NOTICE)
    supervision.step()
    clock.advance(GRACE)
    for _ in range(50):
        supervision.step()
        clock.advance(0.1)
    assert executor.told.count(("kill", "x")) == 5


def test_over_when_nothing_is_left(supervision, start, executor, clock) -> None:
    """An attempt that we ended may be settled when its process and everything of its tree is gone."""
    executor.left.add("x")
    attempt = start()
    supervision.cancel(attempt)
    clock.advance(CANCEL_NOTICE)
    supervision.step()
    supervision.exited(attempt.key, -15)
    assert not supervision.is_over(attempt)
    clock.advance(GRACE)
    supervision.step()
    assert executor.told[-1] == ("kill", "x")
    executor.left.clear()
    assert supervision.is_over(attempt)


def test_what_a_dead_job_left_is_not_waited_for(supervision, start, executor) -> None:
    """A job that ended by itself is settled at once."""
    executor.left.add("x")
    attempt = start()
    supervision.exited(attempt.key, 0)
    assert supervision.is_over(attempt)


def test_the_tree_of_a_job_that_obeys_a_cancel(supervision, start, executor, clock) -> None:
    """A cancelled job's whole tree ends, also when the job itself obeyed before it had to be asked."""
    attempt = start()
    supervision.cancel(attempt)
    supervision.exited(attempt.key, 0)
    clock.advance(CANCEL_NOTICE + GRACE)
    supervision.step()
    assert {("ask", "x"), ("kill", "x")} & set(executor.told)


@pytest.mark.parametrize(("grace", "kill_after"), [(None, GRACE), (1.0, 1.0)])
def test_interrupt_all(supervision, start, executor, clock, grace, kill_after) -> None:
    """On a stop all that run are asked to end at once, and killed after the grace."""
    attempts = [start("x"), start("y")]
    supervision.interrupt_all(grace)
    supervision.step()
    assert executor.told == [("ask", "x"), ("ask", "y")]
    clock.advance(kill_after - 0.1)
    supervision.step()
    assert len(executor.told) == 2
    clock.advance(0.1)
    supervision.step()
    assert executor.told[2:] == [("kill", "x"), ("kill", "y")]
    assert {outcome(attempt) for attempt in attempts} == {Outcome.INTERRUPTED}


def test_a_second_stop_hurries(supervision, start, executor, clock) -> None:
    """A second stop shortens the grace of what is ending, and keeps why it ends."""
    attempt = start()
    supervision.cancel(attempt)
    supervision.interrupt_all(1.0)
    supervision.step()
    assert executor.told == [("ask", "x")]
    clock.advance(1.0)
    supervision.step()
    assert executor.told == [("ask", "x"), ("kill", "x")]
    assert outcome(attempt) is Outcome.CANCELLED


def test_a_second_stop_never_grants_more_time(supervision, start, executor, clock) -> None:
    """A second stop does not put off a kill that was due sooner."""
    start()
    supervision.interrupt_all(1.0)
    supervision.step()
    clock.advance(0.5)
    supervision.interrupt_all(GRACE)
    clock.advance(0.5)
    supervision.step()
    assert ("kill", "x") in executor.told


def test_looking_often_while_ending(supervision, start) -> None:
    """While a tree is ending it is looked at often, and otherwise at the next deadline."""
    start("x", 5.0)
    attempt = start("y", 3.0)
    assert supervision.next_step_in() == 3.0
    supervision.cancel(attempt)
    assert supervision.next_step_in() == STEP


def test_what_has_exited_has_no_deadline(supervision, start, clock) -> None:
    """An attempt that has exited, but cannot be settled yet, does not time out and asks for no step."""
    attempt = start()
    supervision.exited(attempt.key, 0)
    clock.advance(TIMEOUT + 1)
    assert supervision.step() == []
    assert outcome(attempt) is None
    assert supervision.next_step_in() == float("inf")
