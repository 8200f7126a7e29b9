"""An error of one file is none of the disk: that one is put off, and everything else goes on."""

from __future__ import annotations

import errno
import os

import pytest

from spoolrunner.dispatch.describe import MOST_TROUBLED, describe
from spoolrunner.dispatch.intake import SETTLE_SECONDS
from spoolrunner.dispatch.one_file import LONGEST_PAUSE, PROBE_LASTS, FileFaults, is_of_one_file
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.executors.base import AttemptKey, Exited
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.system import durable
from spoolrunner.telling.events import Blocked, GoingOn
from spoolrunner.telling.troubles import KeptOff

OF_ONE = [errno.EACCES, errno.EPERM, errno.EBUSY, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EIO]
OF_ALL = [errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.ENOENT]
FINAL = {"number": 1, "outcome": "failed", "verdict": "failed"}


@pytest.fixture
def faults(spool, clock, events) -> FileFaults:
    return FileFaults(spool, Register(), Reporter(clock, [lambda event, _: events.append(event)]), clock)


def refusing(name: str, code: int):
    """A rename that refuses every file of that name."""
    real = durable.rename

    def rename(source: str, target: str) -> None:
        if os.path.basename(source) == f"{name}.json":
            raise OSError(code, os.strerror(code), source, None, target)
        real(source, target)

    return rename


@pytest.mark.parametrize("code", OF_ONE)
def test_what_may_be_of_one_file(code) -> None:
    """What one file refuses says nothing of the others."""
    assert is_of_one_file(OSError(code, "refused"))


@pytest.mark.parametrize("code", OF_ALL)
def test_what_is_of_the_whole(code) -> None:
    """No space, a mount that cannot be written, no descriptors, a folder that is missing: that is so for every file."""
    assert not is_of_one_file(OSError(code, "refused"))
    assert not is_of_one_file(OSError("a sentence of our own"))


def test_the_pause_grows(faults, clock, events) -> None:
    """It is as long as the trouble has lasted, and there is a longest; the same trouble is told once."""
    pauses = []
    for _ in range(20):
        pauses.append(faults.put_off("x", Why.NOT_MOVED, PermissionError(13, "denied"), 0.5))
        clock.advance(pauses[-1])
    assert pauses[:4] == [0.5, 0.5, 1.0, 2.0]
    assert pauses[-1] == LONGEST_PAUSE
    assert [type(event) for event in events] == [KeptOff]


def test_a_disk_that_is_at_fault(faults, spool, monkeypatch) -> None:
    """The write that follows shows it: then its error is raised, not that of the file."""
    monkeypatch.setattr(spool, "can_write", lambda: OSError(errno.EIO, "broken"))
    with pytest.raises(OSError, match="broken"):
        faults.put_off("x", Why.NOT_MOVED, PermissionError(13, "denied"), 0.5)


def test_a_write_speaks_for_a_second(faults, spool, clock, monkeypatch) -> None:
    """A thousand such files cost one write a second."""
    writes = []
    monkeypatch.setattr(spool, "can_write", lambda: writes.append(1))
    for number in range(1000):
        faults.put_off(f"x{number}", Why.NOT_MOVED, PermissionError(13, "denied"), 0.5)
    assert len(writes) == 1
    clock.advance(PROBE_LASTS)
    faults.put_off("x", Why.NOT_MOVED, PermissionError(13, "denied"), 0.5)
    assert len(writes) == 2


@pytest.mark.parametrize("code", OF_ONE)
@pytest.mark.parametrize("content", [{}, b"[]", {"method": "nosuch"}])
def test_a_file_in_pending(service, rooms, drop, executor, events, clock, monkeypatch, code, content) -> None:
    """One that can be neither claimed nor refused keeps no other from running, is named, and moves when it can."""
    drop(State.PENDING, "bad", content)
    drop(State.PENDING, "good")
    with monkeypatch.context() as patch:
        patch.setattr(durable, "rename", refusing("bad", code))
        for _ in range(5):
            service.turn()
            clock.advance(SETTLE_SECONDS)
            rooms.intake.work(clock.monotonic())
        assert ("start", "good") in executor.told
        assert service.phase is Phase.SERVING
        assert [event.id for event in events if isinstance(event, KeptOff)] == ["bad"]
        (sentence,) = describe(service)["trouble"]
        assert sentence.startswith(f"bad: {os.strerror(code)}")
        assert os.listdir(rooms.spool.layout.folder(State.FAILED)) == []  # no reason of what was not refused
    clock.advance(LONGEST_PAUSE)
    service.turn()
    assert not rooms.spool.exists(State.PENDING, "bad")
    assert describe(service)["trouble"] == []


def test_a_folder_in_pending_costs_nothing(service, rooms, clock, monkeypatch) -> None:
    """As long as it is the same and its time has not come, neither an event nor a scan has it tried again."""
    os.mkdir(rooms.spool.layout.job(State.PENDING, "x"))
    tries = []

    def refuse(source: str, target: str) -> None:
        tries.append(source)
        raise PermissionError(errno.EACCES, "Permission denied", source)

    monkeypatch.setattr(durable, "rename", refuse)
    service.turn()
    assert len(tries) == 1
    for _ in range(100):
        rooms.intake.hint("x.json")
        rooms.intake.look_if_new("x")
        rooms.intake.look_if_judged("x")
        rooms.intake.work(clock.monotonic())
    assert len(tries) == 1
    os.utime(rooms.spool.layout.job(State.PENDING, "x"), (1, 1))
    rooms.intake.hint("x.json")
    assert len(tries) == 2


@pytest.mark.parametrize("content", [{}, b"["])
def test_a_file_in_running(service, rooms, drop, events, clock, monkeypatch, content) -> None:
    """What an earlier dispatcher left, and cannot be moved, is put off; the dispatcher serves, and drains beside it."""
    drop(State.RUNNING, "bad", content)
    drop(State.RUNNING, "good", content)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "rename", refusing("bad", errno.EBUSY))
        rooms.ended.recover_all()
        assert rooms.spool.exists(State.RUNNING, "bad")
        assert not rooms.spool.exists(State.RUNNING, "good")
        service.phase = Phase.PAUSED
        assert service.is_finished(drain=True) is True
    clock.advance(0.5)
    rooms.ended.work(clock.monotonic())
    assert not rooms.spool.exists(State.RUNNING, "bad")
    assert rooms.register.ids() == set()


def test_a_lock_that_is_a_folder(service, rooms, drop, events, clock) -> None:
    """A folder at locks/ID.lock keeps that job alone, whether it waits, runs or lies in running/."""
    for job_id, state in (("waits", State.PENDING), ("lies", State.RUNNING)):
        drop(state, job_id, {"attempts": [FINAL]})
        os.mkdir(rooms.spool.layout.lock(job_id))
    rooms.ended.recover_all()
    service.turn()
    assert service.phase is Phase.SERVING
    assert {event.id for event in events if isinstance(event, KeptOff)} == {"waits", "lies"}


def test_an_attempt_that_cannot_be_settled(service, rooms, begin, mark, leave, clock, monkeypatch) -> None:
    """It holds no place, and neither a stop nor a drain waits for it for ever."""
    begin("bad", timeout="1s")
    mark("bad")
    leave("bad")
    clock.advance(1.5)
    rooms.running.work(clock.monotonic())
    rooms.running.exited(Exited(AttemptKey("bad", 1), 0, left=False))
    monkeypatch.setattr(durable, "rename", refusing("bad", errno.EPERM))
    rooms.ended.work(clock.monotonic())
    assert (len(rooms.running), rooms.running.at_work) == (1, 0)
    service.phase = Phase.STOPPING
    assert service.is_finished(drain=False) is True


def test_a_cancel_that_cannot_be_carried_out(service, rooms, drop, executor, events, clock, monkeypatch) -> None:
    """Its request stays, the other one is carried out, and nothing is blocked."""
    drop(State.PENDING, "bad", {"delay": "1h"})
    drop(State.PENDING, "good", {"delay": "1h"})
    for job_id in ("bad", "good"):
        requests.request_cancel(rooms.spool.layout, job_id)
    monkeypatch.setattr(durable, "rename", refusing("bad", errno.EPERM))
    service.control.is_due = True
    service.turn()
    assert (service.phase, os.listdir(rooms.spool.layout.control)) == (Phase.SERVING, ["cancel-bad"])
    assert rooms.spool.exists(State.FAILED, "good")


def test_a_status_that_cannot_be_written(service, rooms, drop, executor, events, clock) -> None:
    """A folder in the place of status.json is told once, and jobs run on."""
    os.unlink(rooms.spool.layout.status) if os.path.exists(rooms.spool.layout.status) else None
    os.mkdir(rooms.spool.layout.status)
    drop(State.PENDING, "x")
    for _ in range(3):
        service.turn()
        clock.advance(2.0)
    assert executor.told == [("start", "x")]
    assert not [event for event in events if isinstance(event, (Blocked, GoingOn))]
    assert [type(event).__name__ for event in events].count("StatusNotWritten") == 1
    os.rmdir(rooms.spool.layout.status)


def test_many_are_told_in_few_sentences(service, rooms) -> None:
    """The status names the first of them, and how many more there are."""
    for number in range(MOST_TROUBLED + 5):
        rooms.register.put_off(f"x{number}", Why.NOT_MOVED, 0.0, 1.0, None, "refused")
    trouble = describe(service)["trouble"]
    assert len(trouble) == MOST_TROUBLED + 1
    assert trouble[-1] == "and 5 more like that"
