"""A dispatcher at work: its turns, its phases, and what it says of itself."""

from __future__ import annotations

import json
import os

import msgspec
import pytest

from spoolrunner.config.load import load_config
from spoolrunner.dispatch import reloading
from spoolrunner.dispatch.describe import describe
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.running import STEP
from spoolrunner.dispatch.wishes import Notice, Wish
from spoolrunner.executors.base import AttemptKey, Exited, NotStarted
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.telling.events import Blocked, DispatcherStopping, EventsDropped, GoingOn, Paused, Resumed


def names(events: list) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_job_is_found_started_and_settled(service, rooms, drop, executor, mark, places) -> None:
    """A scan finds it, a turn starts it, and when its process ended a turn settles it."""
    drop(State.PENDING, "x")
    service.turn()
    assert executor.told == [("start", "x")]
    mark("x")
    service.take(Exited(AttemptKey("x", 1), -9))
    service.turn()
    assert (places().running, places().pending) == ([], ["x"])


def test_the_next_job_starts_before_the_ended_one_is_settled(furnished, service, rooms, drop, executor, mark) -> None:
    """A process that ended leaves its place at once: the next one has work while the first is settled."""
    service.turn()
    object.__setattr__(rooms.config, "concurrency", 1)
    for name in ("a", "b"):
        drop(State.PENDING, name)
        rooms.intake.look(name)
    service.turn()
    mark("a")
    service.take(Exited(AttemptKey("a", 1), 1))
    executor.told.clear()
    service.turn()
    assert executor.told == [("start", "b"), ("forget", "a")]


def test_pause_and_resume(service, rooms, drop, executor, events) -> None:
    """control/pause keeps jobs from being started, and its end lets them; each is reported once."""
    requests.pause(rooms.spool.layout)
    drop(State.PENDING, "x")
    service.control.is_due = True
    service.turn()
    assert (service.phase, executor.told) == (Phase.PAUSED, [])
    requests.resume(rooms.spool.layout)
    service.control.is_due = True
    service.turn()
    assert executor.told == [("start", "x")]
    assert [event for event in events if isinstance(event, (Paused, Resumed))] == [Paused(), Resumed()]


def test_a_full_disk_blocks_until_it_can_be_written(service, rooms, drop, executor, clock, events, monkeypatch) -> None:
    """Nothing is claimed, it is said once, a write is tried each second, and the work goes on by itself."""
    full = OSError(28, "No space left on device")

    def refuse(*_: object) -> None:
        raise full

    drop(State.PENDING, "x")
    with monkeypatch.context() as patch:
        patch.setattr(rooms.spool, "claim", refuse)
        patch.setattr(rooms.spool, "can_write", lambda: full)
        for _ in range(3):
            service.turn()
            clock.advance(1.0)
    assert (service.phase, executor.told) == (Phase.BLOCKED, [])
    assert names(events).count("Blocked") == 1
    assert describe(service)["trouble"] == [str(full)]
    service.turn()
    assert (service.phase, service.problem) == (Phase.SERVING, "")
    assert GoingOn() in events
    service.turn()
    assert executor.told == [("start", "x")]


def test_deadlines_are_kept_while_blocked(service, rooms, begin, mark, executor, clock) -> None:
    """An attempt that outlives its time is ended though the spool cannot be worked on."""
    begin("x", timeout="30s")
    mark("x")
    service._block(OSError("no disk"))
    clock.advance(31)
    rooms.spool.can_write = lambda: OSError("no disk")
    service.turn()
    assert ("ask", "x") in executor.told


def test_a_stop_gives_time_and_the_second_hurries(service, begin, executor, clock, events) -> None:
    """The first stop interrupts after stop_grace, the second at once."""
    begin("x")
    service.take(Wish.STOP)
    assert DispatcherStopping(1, 30.0) in events
    service.turn()
    assert ("ask", "x") not in executor.told
    service.take(Wish.STOP)
    service.turn()
    assert ("ask", "x") in executor.told
    assert service.is_finished(drain=False) is False


def test_stop_grace_runs_out(service, begin, executor, clock) -> None:
    """What still runs after stop_grace is interrupted."""
    begin("x")
    service.take(Wish.STOP)
    clock.advance(30)
    service.turn()
    assert service.wait() <= STEP
    service.turn()
    assert ("ask", "x") in executor.told


def test_leave(service, begin, executor) -> None:
    """A stop that lets the jobs run on ends the dispatcher at once."""
    begin("x")
    service.take(Wish.LEAVE)
    assert service.is_finished(drain=False) is True
    assert executor.told == [("start", "x")]


def test_drain(service, rooms, drop, mark) -> None:
    """With drain the end has come when nothing is due and nothing runs, not before."""
    drop(State.PENDING, "x")
    assert service.is_finished(drain=True) is False
    service.turn()
    assert service.is_finished(drain=True) is False
    mark("x")
    service.take(Exited(AttemptKey("x", 1), -9))
    service.turn()
    assert service.is_finished(drain=True) is True
    assert service.is_finished(drain=False) is False


def test_dropped_events_make_a_scan(service, events) -> None:
    """Where events were lost the folder is read anew, the known files too."""
    service.turn()
    service.watch.arrivals.lost()
    service.take(Wish.LOOK)
    assert EventsDropped() in events
    assert service.scan.is_under_way


def test_a_notice_is_reported(service, events) -> None:
    """An event that another thread noticed is reported by the loop."""
    service.take(Notice(Blocked("from afar", 1.0)))
    assert events[-1] == Blocked("from afar", 1.0)


def test_the_end(service, rooms, events) -> None:
    """At the end a stop that was asked for is taken back, and the status says that it stopped."""
    requests.request_stop(rooms.spool.layout, False)
    service.close()
    assert not os.path.exists(rooms.spool.layout.stop)
    with open(rooms.spool.layout.status, encoding="utf-8") as stream:
        assert '"stopped"' in stream.read()
    assert names(events)[-1] == "DispatcherStopped"


@pytest.fixture
def read_from(tmp_path, rooms):
    """Let the configuration in force be that of a file with these keys, and return what writes others into it."""

    def write(**keys) -> None:
        raw = {**msgspec.to_builtins(rooms.config.file), **keys}
        (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")

    write()
    rooms.config.become(load_config(rooms.config.path))
    return write


@pytest.mark.parametrize("way", ["signal", "request", "change"])
def test_another_configuration(service, rooms, drop, executor, events, clock, places, read_from, way) -> None:
    """However it is asked for: what waits is judged anew, what runs keeps its policy, all who made something of it go by it."""
    drop(State.PENDING, "runs", {"method": "send"})
    service.turn()
    drop(State.PENDING, "due", {"method": "send"})
    drop(State.PENDING, "later", {"method": "send", "delay": "1h"})
    requests.pause(rooms.spool.layout)
    service.control.is_due = True
    service.scan.start()
    service.turn()
    assert "later" in rooms.order
    read_from(
        allowed_jobs={"app.Report": {"build": {"max_retries": 1}}},
        max_log_bytes=5000, kill_grace=7, priority_aging=8, import_timeout=9, stop_grace=3, concurrency=4,
    )  # fmt: skip
    if way == "signal":
        service.take(Wish.RELOAD)
    elif way == "request":
        with open(rooms.spool.layout.reload, "wb"):
            service.control.is_due = True
    else:
        clock.advance(reloading.PERIOD)
    service.turn()
    assert way != "request" or service.wait() == 0
    service.turn()
    assert ("replan", "") in executor.told
    assert (places().running, places().pending, places().failed) == (["runs"], [], ["due", "later"])
    assert rooms.running.get("runs").policy.max_retries == 3
    assert (rooms.settler.max_log_bytes, rooms.running.kill_grace, rooms.order.aging) == (5000, 7.0, 8.0)
    assert (rooms.deadlines.import_timeout, rooms.config.stop_grace, describe(service)["concurrency"]) == (9.0, 3.0, 4)
    assert names(events).count("ConfigReloaded") == 1
    assert service.reloading.trouble == ""


def test_a_configuration_that_is_not_fit(service, rooms, executor, read_from) -> None:
    """It is said in the status, and nothing of it counts."""
    read_from(concurrency=0, spool="elsewhere")
    service.take(Wish.RELOAD)
    service.turn()
    assert executor.told == []
    (sentence,) = describe(service)["trouble"]
    assert sentence.startswith(f"{rooms.config.path} is not taken over")
    assert "concurrency: " in sentence


def test_no_process_to_be_had(service, rooms, drop, executor, mark, clock, events, places) -> None:
    """It is said, in the log and in status.json; what runs is settled meanwhile, and the job waits; then it goes on."""
    drop(State.PENDING, "first")
    service.turn()
    mark("first")
    executor.is_ready, executor.problem = False, "no module"
    drop(State.PENDING, "x")
    service.take(Exited(AttemptKey("first", 1), -9))
    service.scan.start()
    service.turn()
    assert places().pending == ["first", "x"]
    assert (service.phase, describe(service)["state"]) == (Phase.SERVING, "blocked")
    assert "no module" in describe(service)["trouble"]
    assert Blocked("no module", 1.0) in events
    assert service.wait() <= 1.0
    executor.is_ready, executor.problem = True, ""
    service.turn()
    assert ("start", "x") in executor.told
    assert describe(service)["state"] == "running"
    assert GoingOn() in events


def test_a_fork_that_was_refused(service, rooms, drop, executor, events, places) -> None:
    """The job goes back, uncounted, and nothing is claimed until its time has come."""
    drop(State.PENDING, "x")
    service.turn()
    service.take(NotStarted(AttemptKey("x", 1), "no memory"))
    service.turn()
    assert (places().pending, places().running) == (["x"], [])
    assert service.rooms.readiness.problem == "no memory"
    assert executor.told.count(("start", "x")) == 1
    assert service.unstarted == 1


def test_the_trouble_of_an_executor(service, executor) -> None:
    """What is wrong with the executor beside that is said too."""
    executor.trouble = ["no thread"]
    assert "no thread" in describe(service)["trouble"]


def test_nothing_is_made_ready_for_a_stop(service, executor, clock) -> None:
    """A dispatcher that is to end does not wait for an executor."""
    executor.is_ready, executor.problem = False, "no module"
    service.turn()
    service.take(Wish.STOP)
    clock.advance(60)
    service.turn()
    assert service.rooms.readiness.failures == 1
    assert service.is_finished(drain=False)
