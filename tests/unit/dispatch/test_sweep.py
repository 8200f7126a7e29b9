"""The hourly sweep: what the dead left behind goes, in slices, and nothing else."""

from __future__ import annotations

import os

import pytest

from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.scan import Scan
from spoolrunner.dispatch.sweep import SWEEP_PERIOD, Sweep, guarded
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import arrival, step_files
from spoolrunner.system import durable
from spoolrunner.telling.troubles import NotSwept

NOW = 5_000.0


@pytest.fixture
def sweep(rooms, clock) -> Sweep:
    return Sweep(rooms, Scan(rooms.spool, rooms.intake, clock, lambda: True, lambda now: 1.0))


def test_sweep(rooms, drop, sweep, spool) -> None:
    """What the dead left goes: locks and entries of ids that neither wait nor run, and old staged files; the rest stays."""
    drop(State.PENDING, "waits")
    staged = os.path.join(spool.layout.tmp, "old")
    for path in (spool.layout.lock("gone"), spool.layout.lock("waits"), staged):
        with open(path, "wb"):
            pass
    os.utime(staged, (1, 1))
    for job_id in ("gone", "waits"):
        rooms.register.put_off(job_id, Why.NOT_STARTED, NOW, 1.0)
    sweep.work(NOW)
    assert os.listdir(spool.layout.locks) == ["waits.lock"]
    assert (os.listdir(spool.layout.tmp), rooms.register.ids()) == ([], {"waits"})


def test_a_busy_dispatcher_sweeps_later(rooms, drop, sweep, spool) -> None:
    """While jobs are due nothing is swept, until it is an hour overdue."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    with open(spool.layout.lock("gone"), "wb"):
        pass
    sweep._next = NOW
    sweep.work(NOW + SWEEP_PERIOD - 1)
    assert os.listdir(spool.layout.locks) == ["gone.lock"]
    sweep.work(NOW + SWEEP_PERIOD)
    assert os.listdir(spool.layout.locks) == []


def test_reasons_without_a_job(rooms, drop, sweep, spool) -> None:
    """They go, those of jobs that are there stay, and one that cannot be removed keeps no other."""
    drop(State.FAILED, "there")
    for name in ("there", "gone", "gone-too"):
        spool.explain(name, Outcome.REJECTED, "", "", 0.0)
    sweep.work(NOW)
    assert sorted(os.listdir(spool.layout.folder(State.FAILED))) == ["there.json", "there.reason"]


def test_steps_without_a_job(drop, sweep, spool, clock, monkeypatch) -> None:
    """They go when they are an hour old, those of jobs that are there stay, and one that cannot be removed keeps no other."""
    monkeypatch.setattr(arrival, "came_at_ns", lambda status: status.st_mtime_ns)
    drop(State.FAILED, "there", {"key": "k"})
    for name, age in (("there", 3700), ("gone", 3700), ("refused", 3700), ("fresh", 3500)):
        path = spool.layout.step_file(name)
        step_files.begin(spool.layout, path, step_files.first_line("k", "a", "b", "0"), fsync=False)
        os.utime(path, (clock.wall() - age, clock.wall() - age))
    unlink = durable.unlink

    def refuse(path: str) -> bool:
        if path == spool.layout.step_file("refused"):
            raise PermissionError(1, "Operation not permitted", path)
        return unlink(path)

    monkeypatch.setattr(durable, "unlink", refuse)
    sweep.work(NOW)
    assert step_files.names(spool.layout) == ["fresh", "refused", "there"]


def test_it_goes_on_where_it_was(rooms, sweep, spool, clock, monkeypatch) -> None:
    """A sweep that takes longer than a slice is gone on with in a later turn, for which the dispatcher is woken."""
    for number in range(5):
        with open(spool.layout.lock(f"x{number}"), "wb"):
            pass
    waits = type(spool).waits_or_runs
    monkeypatch.setattr(type(spool), "waits_or_runs", lambda *args: clock.advance(0.002) or waits(*args))
    sweep.work(clock.monotonic())
    assert len(os.listdir(spool.layout.locks)) == 3
    assert 0 < sweep.next_in(clock.monotonic()) < 1
    turns = 0
    while sweep.next_in(clock.monotonic()) < 10:
        clock.advance(sweep.next_in(clock.monotonic()))
        sweep.work(clock.monotonic())
        turns += 1
    assert (os.listdir(spool.layout.locks), turns > 1) == ([], True)


def test_what_is_refused(events) -> None:
    """An error of one file is reported, one of the disk is raised."""

    def fail(number: int):
        raise OSError(number, "no")

    assert guarded(lambda: 1, events.append) is True
    assert guarded(lambda: fail(13), events.append) is False
    assert [type(event) for event in events] == [NotSwept]
    with pytest.raises(OSError, match="no"):
        guarded(lambda: fail(30), events.append)
