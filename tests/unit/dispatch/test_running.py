"""The attempts that run: deadlines, and how one is ended; with an executor that only notes what it is told."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.deadlines import Deadline
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import CANCEL_NOTICE, STEP, RunningAttempts
from spoolrunner.dispatch.running_attempt import RunningAttempt
from spoolrunner.executors.base import AttemptKey, Exited
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool.settling_rules import Usage

GRACE = 10.0
TIMEOUT = 60.0


class FakeExecutor:
    """Notes what it is told; `left` are the attempts of whose tree something lives."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.left: set[str] = set()

    def ask_to_end(self, key: AttemptKey) -> None:
        self.told.append(("ask", key.job_id))

    def end_left(self, key: AttemptKey) -> int:
        self.told.append(("end what is left", key.job_id))
        return int(key.job_id in self.left)

    def kill(self, key: AttemptKey) -> None:
        self.told.append(("kill", key.job_id))

    def is_gone(self, key: AttemptKey) -> bool:
        return key.job_id not in self.left

    def forget(self, key: AttemptKey) -> None:
        self.told.append(("forget", key.job_id))


class FakeDeadlines:
    """Counts each timeout from the start of its attempt, unless `moved` has a time for it; notes what it was `asked`."""

    def __init__(self) -> None:
        self.moved: dict[str, float] = {}
        self.asked: list[tuple[str, int]] = []

    def of(self, job_id: str, number: int, timeout: float, started: float) -> Deadline:
        self.asked.append((job_id, number))
        return Deadline(self.moved.get(job_id, started + timeout), "it took too long")


@pytest.fixture
def deadlines() -> FakeDeadlines:
    return FakeDeadlines()


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor()


@pytest.fixture
def told() -> list:
    """The events that were reported."""
    return []


@pytest.fixture
def running(executor, clock, deadlines, told) -> RunningAttempts:
    reporter = Reporter(clock, [lambda event, _: told.append(event)])
    return RunningAttempts(executor, reporter, clock, deadlines, GRACE)


@pytest.fixture
def start(running, clock):
    """An attempt that has begun to run."""

    def begin(job_id: str = "x", timeout: float = TIMEOUT, method: str = "build") -> RunningAttempt:
        now = clock.monotonic()
        policy = Policy(timeout=timeout)
        attempt = RunningAttempt(AttemptKey(job_id, 1), "app.Report", method, policy, now + timeout, now, "", 4)
        running.add(attempt)
        return attempt

    return begin


def outcome(attempt: RunningAttempt) -> Outcome | None:
    return None if attempt.termination is None else attempt.termination.outcome


def test_what_runs(running, start, executor) -> None:
    """What runs is known by its id, oldest first, until it is settled; who counts it is told of both, once."""
    counted = []
    running.added = lambda attempt: counted.append(("added", attempt.key.job_id))
    running.removed = lambda attempt: counted.append(("removed", attempt.key.job_id))
    first, second = start("x"), start("a", method="send")
    assert running.all() == [first, second]
    assert len(running) == 2
    assert running.get("x") is first
    assert running.get("y") is None
    assert ("a" in running, "y" in running) == (True, False)
    running.remove(first)
    running.remove(first)
    assert counted == [("added", "x"), ("added", "a"), ("removed", "x")]
    assert second.holds == (("method", "app.Report", "send"),)
    assert running.all() == [second]
    assert executor.told == [("forget", "x")] * 2


def test_exited(running, start) -> None:
    """An exit is noted with its status and with what was used, and the attempt may then be settled."""
    attempt = start()
    assert not running.is_over(attempt)
    running.exited(Exited(attempt.key, -9, Usage(0.5, 4096)))
    assert (attempt.has_exited, attempt.status, attempt.usage) == (True, -9, Usage(0.5, 4096))
    assert running.is_over(attempt)


@pytest.mark.parametrize("key", [AttemptKey("x", 2), AttemptKey("y", 1)])
def test_exit_of_another_attempt(running, start, key) -> None:
    """The exit of an attempt that was settled before changes nothing of the one that runs now."""
    attempt = start()
    running.exited(Exited(key, 0))
    assert not attempt.has_exited


def test_nothing_to_do(running, start, executor, clock, told) -> None:
    """Before its deadline an attempt is left alone."""
    attempt = start()
    clock.advance(TIMEOUT - 0.1)
    running.work(clock.monotonic())
    assert told == []
    assert attempt.termination is None
    assert executor.told == []
    assert running.next_in(clock.monotonic()) == pytest.approx(0.1)


def test_nothing_runs(running, clock, told) -> None:
    """Where nothing runs there is nothing to wait for."""
    running.work(clock.monotonic())
    assert told == []
    assert running.next_in(clock.monotonic()) == float("inf")


def test_timeout(running, start, executor, clock, told) -> None:
    """At its deadline an attempt is asked to end, after the grace it is killed, and told of once."""
    attempt = start()
    clock.advance(TIMEOUT)
    assert running.next_in(clock.monotonic()) == 0.0
    running.work(clock.monotonic())
    assert [event.who for event in told] == [attempt.who]
    assert outcome(attempt) is Outcome.TIMED_OUT
    assert executor.told == [("ask", "x")]
    clock.advance(GRACE - 0.1)
    running.work(clock.monotonic())
    assert len(told) == 1
    assert executor.told == [("ask", "x")]
    clock.advance(0.1)
    running.work(clock.monotonic())
    assert executor.told == [("ask", "x"), ("kill", "x")]


def test_only_the_overdue_end(running, start, executor, clock, told) -> None:
    """An attempt's deadline is its own."""
    start("x", 10.0)
    start("y", 20.0)
    clock.advance(10.0)
    running.work(clock.monotonic())
    assert [event.who.id for event in told] == ["x"]
    assert executor.told == [("ask", "x")]


def test_a_deadline_that_moved(running, start, executor, deadlines, clock, told) -> None:
    """An attempt is looked at when its deadline has come; one that has more time since, again when that is over."""
    attempt = start()
    deadlines.moved["x"] = clock.monotonic() + TIMEOUT + 5
    clock.advance(TIMEOUT - 0.1)
    running.work(clock.monotonic())
    assert deadlines.asked == []
    clock.advance(0.1)
    running.work(clock.monotonic())
    assert (outcome(attempt), executor.told, told) == (None, [], [])
    assert running.next_in(clock.monotonic()) == 5
    clock.advance(4.9)
    running.work(clock.monotonic())
    assert deadlines.asked == [("x", 1)]
    clock.advance(0.1)
    running.work(clock.monotonic())
    assert deadlines.asked == [("x", 1), ("x", 1)]
    assert outcome(attempt) is Outcome.TIMED_OUT
    assert executor.told == [("ask", "x")]
    assert [(event.outcome, event.why) for event in told] == [(Outcome.TIMED_OUT, "it took too long")]


def test_what_is_ending_is_not_overdue(running, start, deadlines, clock) -> None:
    """An attempt that is being ended, or has exited, is not asked for its deadline any more."""
    running.cancel(start("x"))
    running.exited(Exited(start("y").key, 0))
    clock.advance(2 * TIMEOUT)
    running.work(clock.monotonic())
    assert deadlines.asked == []


def test_cancel(running, start, executor, clock, told) -> None:
    """A cancelled job has a moment to look for itself, is then asked to end, and then killed; asking twice is one cancel."""
    attempt = start()
    running.cancel(attempt)
    running.cancel(attempt)
    assert [(event.who, event.outcome) for event in told] == [(attempt.who, Outcome.CANCELLED)]
    running.work(clock.monotonic())
    clock.advance(CANCEL_NOTICE - 0.1)
    running.work(clock.monotonic())
    assert executor.told == []
    clock.advance(0.1)
    running.work(clock.monotonic())
    assert executor.told == [("ask", "x")]
    clock.advance(GRACE)
    running.work(clock.monotonic())
    assert executor.told == [("ask", "x"), ("kill", "x")]
    assert outcome(attempt) is Outcome.CANCELLED


def test_a_cancelled_job_does_not_time_out(running, start, clock, told) -> None:
    """Whatever ended an attempt first is its outcome."""
    attempt = start(timeout=0.5)
    running.cancel(attempt)
    clock.advance(TIMEOUT)
    running.work(clock.monotonic())
    assert [event.outcome for event in told] == [Outcome.CANCELLED]
    assert outcome(attempt) is Outcome.CANCELLED


def test_killed_again_and_again(running, start, executor, clock) -> None:
    """What does not die is killed again once a second, since a tree may have grown meanwhile."""
    executor.left.add("x")
    running.cancel(start())
    clock.advance(CANCEL_NOTICE)
    running.work(clock.monotonic())
    clock.advance(GRACE)
    for _ in range(50):
        running.work(clock.monotonic())
        clock.advance(0.1)
    assert executor.told.count(("kill", "x")) == 5


def test_over_when_nothing_is_left(running, start, executor, clock) -> None:
    """An attempt that we ended may be settled when its process and everything of its tree is gone."""
    executor.left.add("x")
    attempt = start()
    running.cancel(attempt)
    clock.advance(CANCEL_NOTICE)
    running.work(clock.monotonic())
    running.exited(Exited(attempt.key, -15))
    assert not running.is_over(attempt)
    clock.advance(GRACE)
    running.work(clock.monotonic())
    assert executor.told[-1] == ("kill", "x")
    executor.left.clear()
    assert running.is_over(attempt)


def test_what_a_job_left_is_ended(running, start, executor, clock, told) -> None:
    """A job that ended by itself is over when what it left has ended, which is asked to, then killed; its place is taken."""
    executor.left.add("x")
    attempt = start()
    running.exited(Exited(attempt.key, 0))
    assert executor.told == [("end what is left", "x")]
    assert (told[-1].why, running.at_work) == ("what it left is ended: 1 process", 1)
    assert not running.is_over(attempt)
    assert running.next_in(clock.monotonic()) == STEP
    clock.advance(GRACE)
    running.work(clock.monotonic())
    assert executor.told[-1] == ("kill", "x")
    executor.left.clear()
    assert running.is_over(attempt)
    assert outcome(attempt) is None


def test_nothing_was_left(running, start, executor) -> None:
    """Where it is known that nothing is left nobody looks for it; where it is not, a look that finds nothing is enough."""
    attempt = start()
    running.exited(Exited(attempt.key, 0, left=False))
    assert (executor.told, running.is_over(attempt)) == ([], True)
    running.exited(Exited(attempt.key, 0))
    assert running.is_over(attempt)


def test_what_a_job_may_leave(running, start, executor) -> None:
    """With the policy "leave" nobody looks for what an attempt left that ended by itself."""
    executor.left.add("x")
    attempt = start()
    attempt.policy = Policy(leftovers="leave")
    running.exited(Exited(attempt.key, 0))
    assert (executor.told, running.is_over(attempt)) == ([], True)


def test_a_stop_while_something_is_left(running, start, executor, clock) -> None:
    """The attempt is over, and not interrupted; a second stop makes what it left end sooner."""
    executor.left.add("x")
    attempt = start()
    running.exited(Exited(attempt.key, 0))
    running.interrupt_all(1.0)
    clock.advance(1.0)
    running.work(clock.monotonic())
    assert (executor.told[-1], outcome(attempt)) == (("kill", "x"), None)


def test_a_cancel_reaches_what_is_left(running, start, executor, clock) -> None:
    """A job that was killed is cancelled with what it left."""
    executor.left.add("x")
    attempt = start()
    running.exited(Exited(attempt.key, -9))
    running.cancel(attempt)
    running.work(clock.monotonic())
    assert ("ask", "x") in executor.told
    assert outcome(attempt) is Outcome.CANCELLED


def test_the_tree_of_a_job_that_obeys_a_cancel(running, start, executor, clock) -> None:
    """A cancelled job's whole tree ends, also when the job itself obeyed before it had to be asked."""
    attempt = start()
    running.cancel(attempt)
    running.exited(Exited(attempt.key, 0))
    clock.advance(CANCEL_NOTICE + GRACE)
    running.work(clock.monotonic())
    assert {("ask", "x"), ("kill", "x")} & set(executor.told)


@pytest.mark.parametrize(("grace", "kill_after"), [(None, GRACE), (1.0, 1.0)])
def test_interrupt_all(running, start, executor, clock, grace, kill_after) -> None:
    """On a stop all that run are asked to end at once, and killed after the grace."""
    attempts = [start("x"), start("y")]
    running.interrupt_all(grace)
    running.work(clock.monotonic())
    assert executor.told == [("ask", "x"), ("ask", "y")]
    clock.advance(kill_after - 0.1)
    running.work(clock.monotonic())
    assert len(executor.told) == 2
    clock.advance(0.1)
    running.work(clock.monotonic())
    assert executor.told[2:] == [("kill", "x"), ("kill", "y")]
    assert {outcome(attempt) for attempt in attempts} == {Outcome.INTERRUPTED}


def test_a_second_stop_hurries(running, start, executor, clock) -> None:
    """A second stop shortens the grace of what is ending, and keeps why it ends."""
    attempt = start()
    running.cancel(attempt)
    running.interrupt_all(1.0)
    running.work(clock.monotonic())
    assert executor.told == [("ask", "x")]
    clock.advance(1.0)
    running.work(clock.monotonic())
    assert executor.told == [("ask", "x"), ("kill", "x")]
    assert outcome(attempt) is Outcome.CANCELLED


def test_a_second_stop_never_grants_more_time(running, start, executor, clock) -> None:
    """A second stop does not put off a kill that was due sooner."""
    start()
    running.interrupt_all(1.0)
    running.work(clock.monotonic())
    clock.advance(0.5)
    running.interrupt_all(GRACE)
    clock.advance(0.5)
    running.work(clock.monotonic())
    assert ("kill", "x") in executor.told


def test_looking_often_while_ending(running, start, clock) -> None:
    """While a tree is ending it is looked at often, and otherwise at the next deadline."""
    start("x", 5.0)
    attempt = start("y", 3.0)
    assert running.next_in(clock.monotonic()) == 3.0
    running.cancel(attempt)
    assert running.next_in(clock.monotonic()) == STEP


def test_what_has_exited_has_no_deadline(running, start, clock, told) -> None:
    """An attempt that has exited, but cannot be settled yet, does not time out and asks for no step."""
    attempt = start()
    running.exited(Exited(attempt.key, 0))
    clock.advance(TIMEOUT + 1)
    running.work(clock.monotonic())
    assert told == []
    assert outcome(attempt) is None
    assert running.next_in(clock.monotonic()) == float("inf")


def test_a_stop_does_not_interrupt_what_has_ended(running, start, executor, clock) -> None:
    """What failed just before a stop failed by itself: its record does not say that it was interrupted."""
    attempt = start()
    running.exited(Exited(attempt.key, 1))
    running.interrupt_all(1.0)
    running.work(clock.monotonic())
    assert ("ask", "x") not in executor.told
    assert (outcome(attempt), running.is_over(attempt)) == (None, True)
