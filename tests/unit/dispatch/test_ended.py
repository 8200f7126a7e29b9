"""What becomes of an attempt that is over, and of what lies in running/ without one."""

from __future__ import annotations

import orjson
import pytest

from spoolrunner.attempt.runner import EXIT_RECORDED, EXIT_UNWRITABLE
from spoolrunner.dispatch.ended import LEFTOVER_SECONDS
from spoolrunner.dispatch.postponed import Why
from spoolrunner.protocol.states import MAX_RELEASES, Event, Outcome, State, Verdict
from spoolrunner.spool import jobfile, locks
from spoolrunner.system.heldfiles import HeldError
from spoolrunner.telling.events import (
    Adopted,
    CouldNotWrite,
    Gone,
    NeverStarted,
    Recorded,
    Refused,
    Released,
    RetryPlanned,
)


def kinds(events: list) -> list[str]:
    return [type(event).__name__ for event in events]


def read(rooms, state: State, job_id: str = "x") -> dict:
    return orjson.loads(rooms.spool.read(state, job_id).data)


def test_a_process_that_died(rooms, begin, mark, events, places, clock) -> None:
    """An attempt that began and left no record crashed: it is recorded, tried again, and its keys are free."""
    begin("x")
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, -9)
    rooms.ended.work(clock.monotonic())
    assert kinds(events) == ["Started", "Recorded", "RetryPlanned"]
    assert (events[1].outcome, events[1].verdict) == (Outcome.CRASHED, Verdict.RETRY)
    assert events[2].next_run_at == clock.wall() + 10
    assert (places().pending, len(rooms.running)) == (["x"], 0)


def test_the_policy_of_an_attempt_is_the_one_it_started_under(rooms, begin, mark, events, clock, monkeypatch) -> None:
    """The verdict on an attempt is by the policy at its start; it is not worked out anew."""
    begin("x", max_retries=0)
    mark("x")
    monkeypatch.setattr("spoolrunner.dispatch.ended.policy_of", None)
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, 1)
    rooms.ended.work(clock.monotonic())
    assert events[-1].verdict is Verdict.FAILED


def test_who_waited_for_it_is_looked_at(rooms, begin, mark, clock) -> None:
    """A job that waited for the id of one that is settled is in the order again."""
    begin("x")
    assert begin("x") is False
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, 1)
    assert "x" not in rooms.order
    rooms.ended.work(clock.monotonic())
    assert "x" in rooms.order
    assert rooms.register.count(Why.ID_BUSY) == 0


def test_a_process_that_never_reached_its_first_line(rooms, begin, events, places, clock) -> None:
    """A start that came about as nothing is put off, each time longer; after so many it counts as crashed."""
    pauses = []
    for _ in range(MAX_RELEASES):
        begin("x")
        (attempt,) = rooms.running.all()
        rooms.running.exited(attempt.key, 127)
        rooms.ended.work(clock.monotonic())
        assert isinstance(events[-1], NeverStarted)
        pauses.append(events[-1].pause)
        clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]
    begin("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, 127)
    rooms.ended.work(clock.monotonic())
    assert isinstance(events[-2], Recorded)
    assert "never reached its first line" in events[-2].error_message
    assert rooms.register.times("x", Why.NOT_STARTED) == 0


def test_a_process_that_could_not_write(rooms, begin, events, places, clock) -> None:
    """A job whose process could not write to the spool waits again, and the trouble is raised: it is the disk's."""
    begin("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, EXIT_UNWRITABLE)
    with pytest.raises(OSError, match="could not write to the spool"):
        rooms.ended.work(clock.monotonic())
    assert isinstance(events[-1], CouldNotWrite)
    assert places().pending == ["x"]


def test_a_record_that_the_process_made(rooms, begin, drop, events, places, clock) -> None:
    """What the process recorded itself is moved where its verdict says, and reported."""
    begin("x")
    made = {"number": 1, "outcome": "succeeded", "verdict": "done"}
    drop(State.RUNNING, "x", {"attempts": [made], "result": 3})
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, EXIT_RECORDED)
    rooms.ended.work(clock.monotonic())
    assert places().done == ["x"]
    assert events[-1].entry(0.0).kind == "completed"


def test_a_job_that_its_own_process_rejected_is_a_refusal(rooms, begin, drop, events, places, clock) -> None:
    """It is reported as refused, with its outcome, and its reason lies beside it in failed/."""
    begin("x")
    error = {"type": "TypeError", "message": "params do not fit"}
    drop(State.RUNNING, "x", {"attempts": [{"number": 1, "outcome": "rejected", "verdict": "failed", "error": error}]})
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, EXIT_RECORDED)
    rooms.ended.work(clock.monotonic())
    entry = events[-1].entry(0.0)
    assert (entry.kind, entry.outcome, entry.note) == ("refused", "rejected", "TypeError: params do not fit")
    with open(rooms.spool.layout.reason("x"), "rb") as stream:
        assert orjson.loads(stream.read())["what"] == "params do not fit"


def test_a_badly_named_file_in_running_is_a_refusal(rooms, drop, events, places) -> None:
    """It goes to failed/ with its reason, and that is reported with its outcome."""
    drop(State.RUNNING, "bad name")
    rooms.ended.recover_all()
    assert places().failed == ["bad name"]
    assert [type(event) for event in events] == [Refused]
    assert (events[0].id, events[0].outcome) == ("bad name", Outcome.REJECTED)


def test_an_unreadable_file_in_running_is_a_refusal(rooms, drop, events, places) -> None:
    """It goes to failed/, its bytes kept, and that is reported with its outcome."""
    drop(State.RUNNING, "x", b'{"job":')
    rooms.ended.recover_all()
    assert places().failed == ["x"]
    assert [(type(event), event.outcome) for event in events] == [(Refused, Outcome.REJECTED)]


def test_what_an_earlier_dispatcher_claimed(rooms, drop, events, places) -> None:
    """A file that was claimed and never started waits again."""
    drop(State.RUNNING, "x")
    rooms.ended.recover_all()
    assert (kinds(events), places().pending) == (["Released"], ["x"])
    assert isinstance(events[0], Released)


def test_a_process_that_an_earlier_dispatcher_started(rooms, drop, mark, executor, events, clock) -> None:
    """It is adopted while it lives: watched, with what is left of its time."""
    drop(State.RUNNING, "x", {"timeout": "90s"})
    mark("x", pid=77)
    executor.alive.add(77)
    rooms.ended.recover_all()
    assert [type(event) for event in events] == [Adopted]
    (attempt,) = rooms.running.all()
    assert (attempt.adopted, attempt.deadline) == (True, clock.monotonic() + 30)
    assert executor.told == [("adopt", "x")]


def test_a_lock_that_somebody_holds(rooms, drop, executor, clock) -> None:
    """A file whose lock is held by no known process is looked at again, and what holds it too long is ended."""
    drop(State.RUNNING, "x")
    lock = locks.acquire(rooms.spool.layout.lock("x"))
    assert lock is not None
    rooms.ended.recover_all()
    assert rooms.register.count(Why.NOT_RESOLVED) == 1
    clock.advance(LEFTOVER_SECONDS + 0.1)
    rooms.ended.work(clock.monotonic())
    assert executor.told == [("kill holders", "x.lock")]
    lock.close()
    clock.advance(1)
    rooms.ended.work(clock.monotonic())
    assert rooms.register.count(Why.NOT_RESOLVED) == 0


def test_a_file_that_is_gone(rooms, begin, spool, events, clock) -> None:
    """A job that removed its own file is reported, and forgotten."""
    begin("x")
    (attempt,) = rooms.running.all()
    spool.move("x", State.RUNNING, Event.VERDICT_DONE)
    rooms.running.exited(attempt.key, 0)
    rooms.ended.work(clock.monotonic())
    assert isinstance(events[-1], Gone)
    assert len(rooms.running) == 0


def test_a_file_that_another_program_has_open(rooms, begin, mark, clock, monkeypatch) -> None:
    """An attempt that cannot be settled for that is put off, and settled when it can."""
    begin("x")
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, 1)

    def refuse(path: str) -> None:
        raise HeldError(13, "open elsewhere", path)

    with monkeypatch.context() as patch:
        patch.setattr(jobfile, "read", refuse)
        with pytest.raises(HeldError):
            rooms.ended.work(clock.monotonic())
    assert rooms.register.count(Why.NOT_SETTLED) == 1
    assert rooms.ended.next_in(clock.monotonic()) == 0.5
    rooms.ended.work(clock.monotonic())
    assert len(rooms.running) == 1
    clock.advance(0.5)
    rooms.ended.work(clock.monotonic())
    assert (len(rooms.running), rooms.register.ids()) == (0, set())


def test_a_retry_is_told_with_its_number(rooms, begin, mark, events, clock) -> None:
    """The next attempt and its time are an event of their own."""
    begin("x")
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(attempt.key, 1)
    rooms.ended.work(clock.monotonic())
    (planned,) = [event for event in events if isinstance(event, RetryPlanned)]
    assert (planned.who.attempt, planned.who.starts) == (2, 4)
    assert read(rooms, State.PENDING)["attempts"][0]["outcome"] == "crashed"
