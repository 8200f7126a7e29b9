"""A thousand files at once, or large ones, hold up nothing else: each chore ends its turn after a slice of time."""

from __future__ import annotations

import os
from itertools import pairwise
from types import SimpleNamespace

import orjson
import pytest

from spoolrunner.dispatch.cancelling import SLICE
from spoolrunner.dispatch.chores import Arrivals, Starts
from spoolrunner.dispatch.control_folder import Control
from spoolrunner.dispatch.intake import LOOK_SLICE
from spoolrunner.dispatch.obeying import Obeying
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.read_ahead import LARGE, SHARE
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import reason_files, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.telling.events import Refused

PER_SLICE = 4
NAMES = [f"x{number:03}" for number in range(10 * PER_SLICE)]
PAST, SOON = "2027-01-15T07:59:59Z", "2027-01-15T08:00:30Z"
ATTEMPT = {"number": 1, "outcome": "failed", "verdict": "retry"}


@pytest.fixture
def costly(monkeypatch, clock):
    """Let each refusal take a quarter of a slice of time: it is a write, a sync and a rename."""
    refuse = Spool.refuse

    def slowly(self, *arguments):
        clock.advance(LOOK_SLICE / PER_SLICE)
        return refuse(self, *arguments)

    monkeypatch.setattr(Spool, "refuse", slowly)


def turns(work, events, clock) -> list[int]:
    """Let the chore work until all are refused; how many were in each turn."""
    found = []
    while len(events) < len(NAMES):
        before = len(events)
        work(clock.monotonic())
        assert len(events) > before, "the chore does nothing, and has not come to its end"
        found.append(len(events) - before)
    assert {event.id for event in events} == set(NAMES)
    assert {type(event) for event in events} == {Refused}
    return found


IN_SLICES = [PER_SLICE] * (len(NAMES) // PER_SLICE)


def test_arrivals_that_are_refused(rooms, drop, events, clock, costly) -> None:
    """Files that come at once and are all refusable are refused in slices of 20 ms."""
    for name in NAMES:
        drop(State.PENDING, name, {"method": "unknown"})
    arrivals = Arrivals(rooms.intake, clock)
    arrivals.names += [f"{name}.json" for name in NAMES]
    assert turns(arrivals.work, events, clock) == IN_SLICES


def test_files_that_were_waited_for_and_are_refused(rooms, drop, events, clock, costly) -> None:
    """Files that do not parse become refusable at one time, after two seconds; that is done in slices, too."""
    for name in NAMES:
        drop(State.PENDING, name, b"{")
        rooms.intake.look(name)
    clock.advance(2.0)
    assert turns(rooms.intake.work, events, clock) == IN_SLICES


def test_jobs_that_have_expired_while_they_waited(furnished, drop, events, clock, costly) -> None:
    """Jobs whose time passed are refused when they are to start, in slices; one behind them starts in its turn."""
    rooms = furnished(concurrency=2)
    for name in NAMES:
        drop(State.PENDING, name, {"expires_at": SOON})
        rooms.intake.look(name)
    clock.advance(60)
    starts = Starts(rooms, lambda: Phase.SERVING)
    assert turns(starts.work, events, clock) == IN_SLICES


def test_cancels(rooms, drop, events, clock, costly) -> None:
    """As many cancels are carried out in slices, in the order of their ids; the next turn goes on behind the last one."""
    for name in NAMES:
        drop(State.PENDING, name)
        rooms.intake.look(name)
        requests.request_cancel(rooms.spool.layout, name)
    a_turn = round(SLICE / LOOK_SLICE * PER_SLICE)
    assert turns(lambda _: rooms.cancelling.cancel_all(list(NAMES)), events, clock) == [a_turn] * (len(NAMES) // a_turn)
    assert [event.id for event in events] == NAMES


def test_starts_between_cancels(furnished, drop, events, executor, clock, costly) -> None:
    """Cancels that are not come to yet hold up no other job, and theirs do not start: they are cancelled in their place."""
    rooms = furnished(concurrency=3)
    for name in NAMES:
        drop(State.PENDING, name)
        rooms.intake.look(name)
        requests.request_cancel(rooms.spool.layout, name)
    drop(State.PENDING, "y")
    rooms.intake.look("y")
    control = Control(rooms.spool.layout, rooms.cancelling, lambda _: Phase.SERVING, lambda: None, lambda _: None)
    scan = SimpleNamespace(done=0)
    obeying = Obeying(control, rooms.cancelling, scan, lambda: Phase.SERVING, lambda: None)
    starts = Starts(rooms, lambda: Phase.SERVING)
    obeying.work(clock.monotonic())
    assert rooms.cancelling.left
    assert obeying.next_in(clock.monotonic()) == 0
    while not executor.told:
        assert not obeying.is_due(clock.monotonic()), "nothing could start before all are cancelled"
        starts.work(clock.monotonic())
    assert executor.told == [("start", "y")]
    while rooms.cancelling.left:
        obeying.work(clock.monotonic())
    assert sorted(event.id for event in events if isinstance(event, Refused)) == NAMES
    assert executor.told == [("start", "y")]


def test_a_cancel_of_before_that_is_not_come_to(furnished, drop, executor, clock, costly) -> None:
    """The old request of a job that was cancelled, and came again, is dropped, and the job starts."""
    rooms = furnished(concurrency=3)
    for name in ("a", "b"):
        drop(State.PENDING, name)
        rooms.intake.look(name)
        requests.request_cancel(rooms.spool.layout, name)
    drop(State.FAILED, "b")
    reason_files.write(
        rooms.spool.layout, "b", Outcome.CANCELLED, "carried out", "pending/b.json", clock.wall(), fsync=False
    )
    rooms.cancelling.cancel_all(["a", "b"])
    assert rooms.cancelling.left == {"b"}
    Starts(rooms, lambda: Phase.SERVING).work(clock.monotonic())
    assert executor.told == [("start", "b")]


def test_cancels_that_came_before_the_one_they_go_on_behind(furnished, drop, events, executor, clock, costly) -> None:
    """One whose request stands, and whose id comes before, does not start either, and has its turn."""
    rooms = furnished(concurrency=3)
    for name in ("a", "m", "n", "o"):
        drop(State.PENDING, name)
        rooms.intake.look(name)
    rooms.cancelling.cancel_all(["m", "n", "o"])
    assert rooms.cancelling.left == {"n", "o"}
    rooms.cancelling.cancel_all(["a", "n", "o"])
    assert rooms.cancelling.left == {"a", "o"}
    Starts(rooms, lambda: Phase.SERVING).work(clock.monotonic())
    while rooms.cancelling.left:
        rooms.cancelling.cancel_all(sorted(rooms.cancelling.left))
    assert executor.told == []
    assert sorted(event.id for event in events) == ["a", "m", "n", "o"]


def test_starts(furnished, drop, executor, clock, monkeypatch) -> None:
    """As many starts as there are places are made in slices."""
    rooms = furnished(concurrency=len(NAMES))
    for name in NAMES:
        drop(State.PENDING, name)
        rooms.intake.look(name)
    take = type(rooms.intake).take

    def slowly(self, job_id):
        clock.advance(LOOK_SLICE / PER_SLICE)
        return take(self, job_id)

    monkeypatch.setattr(type(rooms.intake), "take", slowly)
    starts = Starts(rooms, lambda: Phase.SERVING)
    for done in range(PER_SLICE, len(NAMES) + 1, PER_SLICE):
        starts.work(clock.monotonic())
        assert len(executor.told) == done


# -- large files

COST = 0.2
"""Seconds that the look at a large file takes, as was measured for a history of 8 MiB."""


@pytest.fixture
def large(drop, clock, monkeypatch):
    """Drop a large job file; each reading of one takes COST. Returns the times at which they were read."""
    read, times = Spool.read, []

    def slowly(self, state, job_id):
        found = read(self, state, job_id)
        if found.size > LARGE:
            times.append(clock.monotonic())
            clock.advance(COST)
        return found

    def put(name: str, **keys) -> list[float]:
        attempts = [{**ATTEMPT, "number": number, "host": "h" * 1000} for number in range(1, 101)]
        drop(State.PENDING, name, orjson.dumps({"job": "app.Report", "method": "build", "attempts": attempts, **keys}))
        return times

    monkeypatch.setattr(Spool, "read", slowly)
    return put


def test_large_files_take_a_share_of_the_time(rooms, large, clock) -> None:
    """Of large files one is looked at, then none for three times as long; all come to their turn, and none is refused."""
    for name in NAMES[:5]:
        times = large(name)
        rooms.intake.look(name)
    assert (len(times), len(rooms.order)) == (1, 1)
    assert rooms.intake.has_unread
    while rooms.intake.has_unread:
        clock.advance(rooms.intake.next_in(clock.monotonic()))
        rooms.intake.work(clock.monotonic())
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([COST / SHARE] * 4)
    assert len(rooms.order) == 5


def test_small_files_do_not_wait_for_large_ones(rooms, large, drop) -> None:
    """While large files rest, a small one is looked at at once."""
    large("large")
    rooms.intake.look("large")
    drop(State.PENDING, "small")
    rooms.intake.hint("small.json")
    assert "small" in rooms.order


def test_a_large_file_starts_by_the_look_that_was_taken(rooms, large, clock) -> None:
    """One large job is read once, and starts at once; the pause is for others."""
    times = large("x")
    rooms.intake.look("x")
    assert rooms.order.pop(clock.wall()) == "x"
    assert rooms.intake.take("x") is not None
    assert len(times) == 1


def test_a_large_file_that_has_to_be_read_again_to_start_waits_for_its_turn(rooms, large, clock) -> None:
    """It is put off, and comes back into the order by itself."""
    later = "2027-01-15T08:00:00.5Z"
    large("x", next_run_at=later)
    rooms.intake.look("x")
    clock.advance(0.35)
    assert rooms.order.pop(clock.wall()) == "x"
    assert rooms.intake.take("x") is None
    assert [entry.why for entry in rooms.register.reasons("x", clock.monotonic())] == [Why.LARGE]
    clock.advance(rooms.intake.next_in(clock.monotonic()))
    rooms.intake.work(clock.monotonic())
    assert rooms.order.pop(clock.wall()) == "x"
    assert rooms.intake.take("x") is not None


def test_a_large_file_that_waits_for_its_turn_can_be_cancelled_and_removed(rooms, large, clock, events, places) -> None:
    """A cancel does not wait for the turn; a file that is taken away is forgotten."""
    for name in ("first", "second", "third"):
        large(name)
        rooms.intake.look(name)
    requests.request_cancel(rooms.spool.layout, "second")
    rooms.cancelling.cancel("second")
    os.unlink(rooms.spool.layout.job(State.PENDING, "third"))
    clock.advance(10)
    rooms.intake.work(clock.monotonic())
    assert not rooms.intake.has_unread
    assert (places().failed, places().pending) == (["second"], ["first"])
    assert rooms.register.ids() == set()
