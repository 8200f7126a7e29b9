"""What becomes of an attempt that is over, and of what lies in running/ without one."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_MADE, EXIT_UNWRITABLE
from spoolrunner.dispatch.describe import describe
from spoolrunner.dispatch.ended import ELSEWHERE, LEFTOVER_SECONDS, MAX_BATCH, RETRY_SETTLE
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.running import STOP_ARRIVES
from spoolrunner.dispatch.running_attempt import LET_GO_SECONDS
from spoolrunner.dispatch.stopping import Stopping
from spoolrunner.executors.base import AttemptKey, Exited, NotStarted
from spoolrunner.protocol.states import MAX_RELEASES, Event, Outcome, State, Verdict
from spoolrunner.spool import lock_lines, locks
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.spool.traces import Marker
from spoolrunner.system import durable, place
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
    Weakness,
)
from spoolrunner.telling.troubles import KeptOff

STARTED = "2027-01-15T07:59:00.000000Z"


def kinds(events: list) -> list[str]:
    return [type(event).__name__ for event in events]


def read(rooms, state: State, job_id: str = "x") -> dict:
    return orjson.loads(rooms.spool.read(state, job_id).data)


def test_a_process_that_died(rooms, begin, mark, events, places, clock) -> None:
    """An attempt that began and left no record crashed: it is recorded, tried again, and its keys are free."""
    begin("x")
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, -9))
    rooms.ended.work(clock.monotonic())
    assert kinds(events) == ["Started", "Recorded", "RetryPlanned"]
    assert (events[1].outcome, events[1].verdict) == (Outcome.CRASHED, Verdict.RETRY)
    assert events[2].next_run_at == clock.wall() + 10
    assert (places().pending, len(rooms.running)) == (["x"], 0)


def test_the_policy_of_an_attempt_is_the_one_it_started_under(rooms, begin, mark, events, clock, monkeypatch) -> None:
    """The verdict on an attempt is by the policy at its start; it is not worked out anew."""
    begin("x", max_retries=0)
    mark("x")
    monkeypatch.setattr("spoolrunner.dispatch.adopting.policy_of", None)
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, 1))
    rooms.ended.work(clock.monotonic())
    assert events[-1].verdict is Verdict.FAILED


def test_a_folder_in_the_place_of_a_cancel_is_in_nobodys_way(rooms, begin, mark, leave, places, clock) -> None:
    """Somebody who may write into control/ keeps no job from its end by a folder that is called like its cancel."""
    begin("x")
    mark("x")
    leave("x")
    os.makedirs(os.path.join(rooms.spool.layout.control, "cancel-x", "child"))
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    assert (places().done, rooms.register.ids()) == (["x"], set())


def test_who_waited_for_it_is_looked_at(rooms, begin, mark, clock) -> None:
    """A job that waited for the id of one that is settled is in the order again."""
    begin("x")
    assert begin("x") is False
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, 1))
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
        rooms.running.exited(Exited(attempt.key, 127))
        rooms.ended.work(clock.monotonic())
        assert isinstance(events[-1], NeverStarted)
        pauses.append(events[-1].pause)
        clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]
    begin("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, 127))
    rooms.ended.work(clock.monotonic())
    assert isinstance(events[-2], Recorded)
    assert "never reached its first line" in events[-2].error_message
    assert rooms.register.times("x", Why.NOT_STARTED) == 0


def test_no_process_was_to_be_had(rooms, begin, events, places, clock) -> None:
    """However often that is so, nothing is counted, and the job waits as before; a count from before stays."""
    begin("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, 127))
    rooms.ended.work(clock.monotonic())
    clock.advance(1.0)
    for _ in range(MAX_RELEASES + 3):
        begin("x")
        (attempt,) = rooms.running.all()
        rooms.running.exited(NotStarted(attempt.key, "no process"))
        rooms.ended.work(clock.monotonic())
        assert isinstance(events[-1], Released)
        assert (places().pending, places().running, len(rooms.running)) == (["x"], [], 0)
    assert "attempts" not in read(rooms, State.PENDING)
    assert rooms.register.times("x", Why.NOT_STARTED) == 1


def test_a_process_that_could_not_write(rooms, begin, events, places, clock) -> None:
    """A job whose process could not write to the spool waits again, and the trouble is raised: it is the disk's."""
    begin("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, EXIT_UNWRITABLE))
    with pytest.raises(OSError, match="could not write to the spool"):
        rooms.ended.work(clock.monotonic())
    assert isinstance(events[-1], CouldNotWrite)
    assert places().pending == ["x"]


def test_what_the_process_left(rooms, begin, mark, leave, events, places, clock) -> None:
    """What the process left is recorded with what it used, moved where the verdict says, and reported."""
    begin("x")
    mark("x")
    leave("x", result='"3"')
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, EXIT_MADE, Usage(0.25, 4096)))
    rooms.ended.work(clock.monotonic())
    assert places().done == ["x"]
    assert events[-1].entry(0.0).kind == "completed"
    document = read(rooms, State.DONE)
    assert document["result"] == 3
    (made,) = document["attempts"]
    assert (made["cpu_s"], made["max_rss_kib"], made["exit_status"]) == (0.25, 4096, 0)


def test_a_job_that_its_own_process_rejected_is_a_refusal(rooms, begin, mark, leave, events, places, clock) -> None:
    """It is reported as refused, with its outcome, and its reason lies beside it in failed/."""
    begin("x")
    mark("x")
    leave("x", "rejected", error='{"type":"TypeError","message":"params do not fit"}')
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    entry = events[-1].entry(0.0)
    assert (entry.kind, entry.outcome, entry.note) == ("refused", "rejected", "TypeError: params do not fit")
    with open(rooms.spool.layout.reason("x"), "rb") as stream:
        assert orjson.loads(stream.read())["what"] == "params do not fit"


def test_a_process_that_found_another_file(rooms, begin, drop, events, places, clock) -> None:
    """A process that found another file than it was told of left it alone: the job waits again, and nothing is counted."""
    begin("x")
    drop(State.RUNNING, "x", {"priority": 5})
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, EXIT_LEFT))
    rooms.ended.work(clock.monotonic())
    assert isinstance(events[-1], NeverStarted)
    assert places().pending == ["x"]
    assert "attempts" not in read(rooms, State.PENDING)


def test_many_that_ended(rooms, begin, mark, leave, places, clock, monkeypatch) -> None:
    """What ended meanwhile is settled in batches of a size that takes few descriptors."""
    names = [f"x{number:02}" for number in range(MAX_BATCH + 3)]
    for name in names:
        begin(name)
        mark(name)
        leave(name)
    sizes = []
    real = rooms.ended.settler.settle_all
    monkeypatch.setattr(rooms.ended.settler, "settle_all", lambda wanted: sizes.append(len(wanted)) or real(wanted))
    for attempt in rooms.running.all():
        rooms.running.exited(Exited(attempt.key, EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    assert sizes == [MAX_BATCH, 3]
    assert (places().done, len(rooms.running)) == (names, 0)


def test_one_of_many_that_cannot_be_settled(rooms, begin, mark, leave, events, places, clock, monkeypatch) -> None:
    """The others of its batch are settled and reported; it is put off, which is told, and settled the next time."""
    for name in ("a", "b", "c"):
        begin(name)
        mark(name)
        leave(name)
        rooms.running.exited(Exited(AttemptKey(name, 1), EXIT_MADE))
    real = rooms.spool.move

    def refuse(job_id: str, *args):
        if job_id == "b":
            raise OSError(5, "Input/output error")
        return real(job_id, *args)

    with monkeypatch.context() as patch:
        patch.setattr(rooms.spool, "move", refuse)
        rooms.ended.work(clock.monotonic())
    assert [event.id for event in events if isinstance(event, KeptOff)] == ["b"]
    assert [event.who.id for event in events if isinstance(event, Recorded)] == ["a", "c"]
    assert (places().done, places().running) == (["a", "c"], ["b"])
    assert [attempt.key.job_id for attempt in rooms.running.all()] == ["b"]
    clock.advance(RETRY_SETTLE)
    rooms.ended.work(clock.monotonic())
    assert (places().done, len(rooms.running)) == (["a", "b", "c"], 0)
    assert len(read(rooms, State.DONE, "b")["attempts"]) == 1


def test_trouble_with_the_first_of_many(rooms, begin, mark, leave, events, places, clock) -> None:
    """A process that could not write to the spool raises its trouble when those behind it are settled."""
    for name in ("a", "b"):
        begin(name)
    mark("b")
    leave("b")
    rooms.running.exited(Exited(AttemptKey("a", 1), EXIT_UNWRITABLE))
    rooms.running.exited(Exited(AttemptKey("b", 1), EXIT_MADE))
    with pytest.raises(OSError, match="could not write to the spool"):
        rooms.ended.work(clock.monotonic())
    assert (places().pending, places().done, len(rooms.running)) == (["a"], ["b"], 0)
    assert {"CouldNotWrite", "Recorded"} <= set(kinds(events))


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
    """It is adopted while it lives: watched, with what is left of its time, which is looked up in the first turn."""
    drop(State.RUNNING, "x", {"timeout": "90s"})
    mark("x", pid=77)
    executor.alive.add(77)
    rooms.ended.recover_all()
    assert [type(event) for event in events] == [Adopted]
    (attempt,) = rooms.running.all()
    assert attempt.adopted is True
    assert rooms.running.next_in(clock.monotonic()) == 0
    rooms.running.work(clock.monotonic())
    assert rooms.running.next_in(clock.monotonic()) == pytest.approx(30)
    assert executor.told == [("adopt", "x")]
    clock.advance(30)
    rooms.running.work(clock.monotonic())
    assert executor.told == [("adopt", "x"), ("ask", "x")]


def test_a_process_that_outlived_its_dispatcher(rooms, drop, mark, leave, executor, events, places, clock) -> None:
    """What a process left that no dispatcher watched is recorded by the next one, which never looked at its file before."""
    drop(State.RUNNING, "x")
    mark("x")
    leave("x", result='"3"')
    rooms.ended.recover_all()
    assert places().done == ["x"]
    assert read(rooms, State.DONE)["result"] == 3
    assert kinds(events) == ["Recorded"]


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


@pytest.mark.parametrize("is_held", [True, False])
def test_a_process_of_another_namespace(rooms, service, drop, executor, events, spool, clock, is_held) -> None:
    """While the process of a marker lives in another namespace it is neither adopted nor ended, whoever has that pid here."""
    drop(State.RUNNING, "x")
    here = place.place(spool.layout.locks)
    there = Marker(lock_lines.START, 1, *spool.stamp(State.RUNNING, "x"), 77, "then", STARTED)
    lock = locks.acquire(spool.layout.lock("x"))
    lock.append(there._replace(host="box", namespace="another", home=here.home).line())
    if not is_held:
        lock.close()
    executor.alive = {77}  # as seen from above its namespace
    rooms.ended.recover_all()
    for _ in range(10):
        clock.advance(LEFTOVER_SECONDS)
        rooms.ended.work(clock.monotonic())
    assert executor.told == []
    said = [event for event in events if isinstance(event, (Adopted, Recorded, Weakness))]
    assert [event.what for event in said] == [ELSEWHERE.format("x", 1, "box")], "said once in the log"
    assert describe(service)["trouble"] == [ELSEWHERE.format("x", 1, "box")]
    executor.alive = set()
    if is_held:
        lock.close()
    clock.advance(1)
    rooms.ended.work(clock.monotonic())
    assert isinstance(events[-2], Recorded)
    assert describe(service)["trouble"] == []


def test_the_marker_of_a_copied_spool(rooms, drop, executor, events, spool, clock) -> None:
    """A marker that came with a copy names no process of ours: nothing is said of it, and who holds the lock is a leftover."""
    drop(State.RUNNING, "x")
    lock = locks.acquire(spool.layout.lock("x"))
    copied = Marker(lock_lines.START, 1, *spool.stamp(State.RUNNING, "x"), 77, "then", STARTED)
    lock.append(copied._replace(host="box", namespace="another", home="1.2").line())
    rooms.ended.recover_all()
    clock.advance(LEFTOVER_SECONDS + 0.1)
    rooms.ended.work(clock.monotonic())
    assert executor.told == [("kill holders", "x.lock")]
    assert events == []
    lock.close()


def test_a_file_that_is_gone(rooms, begin, spool, events, clock) -> None:
    """A job that removed its own file is reported, and forgotten."""
    begin("x")
    (attempt,) = rooms.running.all()
    spool.move("x", State.RUNNING, Event.VERDICT_DONE)
    rooms.running.exited(Exited(attempt.key, 0))
    rooms.ended.work(clock.monotonic())
    assert isinstance(events[-1], Gone)
    assert len(rooms.running) == 0


def test_a_file_that_another_program_has_open(rooms, begin, mark, clock, monkeypatch) -> None:
    """An attempt that cannot be settled for that is put off, and settled when it can."""
    begin("x")
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, 1))

    def refuse(path: str, *_: object) -> None:
        raise HeldError(13, "open elsewhere", path)

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "replace", refuse)
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
    rooms.running.exited(Exited(attempt.key, 1))
    rooms.ended.work(clock.monotonic())
    (planned,) = [event for event in events if isinstance(event, RetryPlanned)]
    assert (planned.who.attempt, planned.who.starts) == (2, 4)
    assert read(rooms, State.PENDING)["attempts"][0]["outcome"] == "crashed"


@pytest.mark.parametrize("number", [1, 2, 15])
@pytest.mark.parametrize("is_first", [True, False], ids=["the job first", "the dispatcher first"])
def test_a_stop_of_all_processes(rooms, begin, mark, places, clock, number, is_first) -> None:
    """A job that the signal of a stop ended, just before or after the dispatcher's own came, was interrupted."""
    begin("x", max_retries=0)
    mark("x")
    (attempt,) = rooms.running.all()
    stopping = Stopping(rooms)
    for act in (lambda: rooms.running.exited(Exited(attempt.key, -number)), stopping.begin)[:: 1 if is_first else -1]:
        act()
        rooms.ended.work(clock.monotonic())
    assert places().pending == ["x"]
    document = read(rooms, State.PENDING)
    (made,) = document["attempts"]
    assert (made["outcome"], made["verdict"], made["signal"]) == ("interrupted", "retry", number)
    assert document["retries"] == 0
    assert "told to stop, too" in made["error"]["message"]


def test_a_signal_by_nobody_we_know(rooms, begin, mark, places, clock) -> None:
    """It is a crash when no stop has come within the time for that; until then its place is taken, and nothing else waits."""
    begin("x", max_retries=0)
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, -15))
    rooms.ended.work(clock.monotonic())
    assert (places().running, rooms.running.at_work) == (["x"], 1)
    assert rooms.running.next_in(clock.monotonic()) == STOP_ARRIVES
    clock.advance(STOP_ARRIVES)
    rooms.ended.work(clock.monotonic())
    assert (places().failed, rooms.running.at_work) == (["x"], 0)
    assert read(rooms, State.FAILED)["attempts"][0]["outcome"] == "crashed"


def test_a_kill_is_a_crash_at_once(rooms, begin, mark, places, clock) -> None:
    """No stop ends a process by SIGKILL or by an exit status of its own: that is judged at once, also while we stop."""
    for name, status in (("x", -9), ("y", 3)):
        begin(name, max_retries=0)
        mark(name)
        rooms.running.exited(Exited(AttemptKey(name, 1), status))
    rooms.ended.work(clock.monotonic())
    assert [read(rooms, State.FAILED, name)["attempts"][0]["outcome"] for name in "xy"] == ["crashed", "crashed"]
    begin("z", max_retries=0)
    mark("z")
    Stopping(rooms).begin()
    rooms.running.exited(Exited(AttemptKey("z", 1), -9))
    rooms.ended.work(clock.monotonic())
    assert read(rooms, State.FAILED, "z")["attempts"][0]["outcome"] == "crashed"


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "SystemExit"])
def test_a_job_that_answers_the_signal_of_a_stop_itself(rooms, begin, mark, leave, places, clock, kind) -> None:
    """What Python or its own handler made of the signal is kept as the error, and the job was interrupted all the same."""
    for name in ("x", "y"):
        begin(name, max_retries=0)
        mark(name)
        leave(name, "failed", error=f'{{"type":"{kind}","message":"told so"}}')
    rooms.running.exited(Exited(AttemptKey("x", 1), EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    assert places().running == ["x", "y"]
    Stopping(rooms).begin()
    rooms.running.exited(Exited(AttemptKey("y", 1), EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    assert places().pending == ["x", "y"]
    for name in ("x", "y"):
        (made,) = read(rooms, State.PENDING, name)["attempts"]
        assert (made["outcome"], made["error"]["type"], made["error"]["message"]) == ("interrupted", kind, "told so")


def test_a_job_that_fails_because_it_is_interrupted(rooms, begin, mark, leave, places, clock) -> None:
    """Whatever a job raises after a stop ended it, it was interrupted; one that comes to its end nonetheless is done."""
    for name, made in (("x", "failed"), ("y", "succeeded")):
        begin(name, max_retries=0)
        mark(name)
        leave(name, made, **({"error": '{"type":"ValueError"}'} if made == "failed" else {}))
    rooms.running.interrupt_all()
    rooms.running.work(clock.monotonic())
    for name in ("x", "y"):
        rooms.running.exited(Exited(AttemptKey(name, 1), EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    assert (places().pending, places().done) == (["x"], ["y"])
    assert read(rooms, State.PENDING, "x")["attempts"][0]["outcome"] == "interrupted"


def test_an_end_that_nobody_saw(rooms, begin, mark, places, clock) -> None:
    """Where the one that would have told how the process ended is gone, a stop may have taken both."""
    begin("x", max_retries=0)
    mark("x")
    (attempt,) = rooms.running.all()
    rooms.running.exited(Exited(attempt.key, None))
    rooms.ended.work(clock.monotonic())
    assert places().running == ["x"]
    Stopping(rooms).begin()
    rooms.ended.work(clock.monotonic())
    assert read(rooms, State.PENDING)["attempts"][0]["outcome"] == "interrupted"


def test_a_lock_that_outlives_its_process(rooms, begin, mark, leave, executor, places, clock) -> None:
    """A child that was forked just before the end has time to close its copy; what holds one for longer is ended."""
    begin("x")
    mark("x")
    leave("x")
    lock = locks.acquire(rooms.spool.layout.lock("x"))
    assert lock is not None
    rooms.running.exited(Exited(AttemptKey("x", 1), EXIT_MADE))
    rooms.ended.work(clock.monotonic())
    assert not {"kill", "kill holders"} & {verb for verb, _ in executor.told}
    assert 0 < rooms.ended.next_in(clock.monotonic()) < LET_GO_SECONDS
    clock.advance(LET_GO_SECONDS)
    rooms.ended.work(clock.monotonic())
    assert executor.told[-2:] == [("kill", "x"), ("kill holders", "x.lock")]
    lock.close()
    clock.advance(1.0)
    rooms.ended.work(clock.monotonic())
    assert places().done == ["x"]


def test_what_an_attempt_of_a_dead_dispatcher_left(rooms, drop, mark, executor, places, clock) -> None:
    """A file that is found in running/ is recorded when nothing is left of its attempt."""
    drop(State.RUNNING, "x", {"max_retries": 0})
    mark("x")
    executor.left_by["x"] = True
    rooms.ended.recover_all()
    assert (places().running, executor.told) == (["x"], [("end what is left", "x")])
    assert rooms.register.count(Why.NOT_RESOLVED) == 1
    executor.left_by.clear()
    clock.advance(LEFTOVER_SECONDS)
    rooms.ended.work(clock.monotonic())
    assert places().failed == ["x"]
