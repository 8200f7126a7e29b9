"""Who waits for whom: in a dispatcher's intake, and what that costs. tests/model has every order of events."""

from __future__ import annotations

import math
import os

import pytest

from spoolrunner.dispatch.dependencies import ROUND_PERIOD, SLICE, Dependencies
from spoolrunner.dispatch.describe import describe
from spoolrunner.dispatch.postponed import Why
from spoolrunner.protocol import document
from spoolrunner.protocol.states import Event, Outcome, State
from spoolrunner.system.clock import format_time
from spoolrunner.telling.events import Refused

TRIED = {"attempts": [{"number": 1, "outcome": "failed", "verdict": "retry"}]}


@pytest.fixture
def settle(rooms, clock):
    """Do all that can be done at once."""

    def run() -> None:
        while rooms.intake.dependencies.is_busy:
            rooms.intake.dependencies.work(clock.monotonic())

    return run


@pytest.fixture
def wait(rooms, drop, settle):
    """Let a job wait for others, as far as it has to."""

    def put(job_id: str, after: object, **fields) -> None:
        drop(State.PENDING, job_id, {"after": after, **fields})
        rooms.intake.look(job_id)
        settle()

    return put


@pytest.fixture
def end(rooms, spool, drop, settle):
    """Let a job come to an end, as settling does."""

    def come(job_id: str, event: Event = Event.VERDICT_DONE) -> None:
        if not spool.exists(State.RUNNING, job_id):
            drop(State.RUNNING, job_id)
        rooms.spool.move(job_id, State.RUNNING, event)
        settle()

    return come


def test_waits_until_it_is_done(rooms, drop, wait, end, clock) -> None:
    """A job is not in the order while another one that it waits for waits or runs; when that is done it can start."""
    drop(State.RUNNING, "a")
    wait("x", ["a"])
    assert "x" not in rooms.order
    assert rooms.intake.dependencies.holds("x")
    end("a")
    assert rooms.order.pop(clock.wall()) == "x"
    assert rooms.intake.take("x") is not None


def test_of_one_that_is_done_already(rooms, drop, wait) -> None:
    """A job whose dependencies are all done when it comes can start at once."""
    drop(State.DONE, "a")
    wait("x", ["a", "a"])
    assert "x" in rooms.order


def test_waits_for_all(rooms, drop, wait, end) -> None:
    """A job that waits for several can start when the last one is done."""
    for name in "abc":
        drop(State.RUNNING, name)
    wait("x", {"jobs": ["a", "b", "c"]})
    for name in "ab":
        end(name)
    assert "x" not in rooms.order
    end("c")
    assert "x" in rooms.order


def test_for_nobody(rooms, wait) -> None:
    """An empty list asks for nothing."""
    wait("x", [])
    assert "x" in rooms.order


def test_one_that_failed(rooms, drop, wait, end, places, events, spool) -> None:
    """When one that it waits for fails, a job goes to failed/ with its reason, and so do those that wait for it."""
    drop(State.RUNNING, "a")
    wait("y", ["x"])
    wait("x", ["b", "a"])
    end("a", Event.VERDICT_FAILED)
    assert places().failed == ["a", "x", "y"]
    refused = [(event.id, event.outcome, event.what) for event in events if isinstance(event, Refused)]
    assert refused == [
        ("x", Outcome.DEPENDENCY_FAILED, "after: a failed, so this one can never start"),
        ("y", Outcome.DEPENDENCY_FAILED, "after: x failed, so this one can never start"),
    ]
    assert rooms.intake.dependencies.waiting == 0


@pytest.mark.parametrize("event", [Event.VERDICT_FAILED, Event.VERDICT_DONE])
def test_when_ended(rooms, drop, wait, end, event) -> None:
    """With `when: ended` it does not matter how the other one ends."""
    drop(State.RUNNING, "a")
    wait("x", {"jobs": ["a"], "when": "ended"})
    end("a", event)
    assert "x" in rooms.order


def test_one_that_is_to_be_tried_again_is_not_over(rooms, drop, wait, end) -> None:
    """While the other one will be tried again nothing is decided."""
    drop(State.RUNNING, "a")
    wait("x", ["a"])
    end("a", Event.VERDICT_RETRY)
    assert rooms.intake.dependencies.holds("x")


def test_one_that_expires_or_is_cancelled(rooms, drop, wait, settle, places) -> None:
    """A job that was refused, cancelled or has expired has failed for those that wait for it."""
    drop(State.PENDING, "a")
    wait("x", ["a"])
    rooms.intake.cancel("a")
    settle()
    assert places().failed == ["a", "x"]


def test_what_was_seen_done_is_not_asked_again(rooms, drop, wait, end, spool, clock) -> None:
    """What was seen to be done may be removed while the job waits for another one, for a limit, or for its time."""
    drop(State.DONE, "a")
    drop(State.RUNNING, "b")
    wait("x", ["a", "b"])
    os.unlink(spool.layout.job(State.DONE, "a"))
    end("b")
    os.unlink(spool.layout.job(State.DONE, "b"))
    rooms.intake.hint("x.json")
    assert "x" in rooms.order
    assert rooms.order.pop(clock.wall()) == "x"
    assert rooms.intake.take("x") is not None


def test_a_claim_that_is_undone_forgets_nothing(rooms, drop, wait, spool, clock) -> None:
    """A job that is claimed, whose names are gone, and that is put back unstarted can start all the same."""
    drop(State.DONE, "a")
    wait("x", ["a"])
    os.unlink(spool.layout.job(State.DONE, "a"))
    spool.claim("x")
    rooms.intake.hint("x.json")
    rooms.spool.move("x", State.RUNNING, Event.RELEASE)
    rooms.intake.hint("x.json")
    assert "x" in rooms.order


def test_one_that_has_started_waits_for_nobody(rooms, wait) -> None:
    """A job that is tried again, or was retried by hand, need not wait: what it waited for may be gone."""
    wait("x", ["gone"], **TRIED)
    assert "x" in rooms.order


def test_nowhere(rooms, drop, wait, service) -> None:
    """A job that waits for what lies in no folder waits, and the status says for whom."""
    wait("x", ["gone"])
    wait("y", ["gone", "x"])
    assert rooms.intake.dependencies.waiting == 2
    everybody, one = describe(service)["held"]
    assert (everybody["why"], everybody["waiting"]) == (Why.AFTER_OTHERS.value, 2)
    assert (one["name"], one["why"], one["waiting"], one["first"]) == ("gone", Why.AFTER_NOBODY.value, 2, "x")


def test_moved_by_hand(rooms, drop, wait, clock, settle) -> None:
    """What a person moves to done/ is found in the next round."""
    wait("x", ["a"])
    drop(State.DONE, "a")
    for _ in range(3):
        now = clock.monotonic()
        clock.advance(min(rooms.intake.dependencies.next_in(now), ROUND_PERIOD))
        rooms.intake.dependencies.work(clock.monotonic())
    settle()
    assert "x" in rooms.order
    assert rooms.intake.dependencies.next_in(clock.monotonic()) == math.inf


def test_an_edit(rooms, drop, wait, end, settle) -> None:
    """A file that asks for something else by now waits for that, and for nothing that it asked for before."""
    drop(State.RUNNING, "a")
    drop(State.RUNNING, "b")
    wait("x", ["a"])
    wait("x", ["b"])
    end("a")
    assert "x" not in rooms.order
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    assert "x" in rooms.order
    end("b")
    assert rooms.intake.dependencies.waiting == 0


def test_one_that_is_removed(rooms, drop, wait, spool, clock) -> None:
    """Of a job that was taken away nothing is kept after the next round."""
    drop(State.RUNNING, "a")
    wait("x", ["a"])
    os.unlink(spool.layout.job(State.PENDING, "x"))
    rooms.intake.hint("x.json")
    for _ in range(3):
        clock.advance(ROUND_PERIOD)
        rooms.intake.dependencies.work(clock.monotonic())
    assert (rooms.intake.dependencies._waiting, rooms.intake.dependencies._held) == ({}, {})


def test_expires_while_it_waits(rooms, drop, wait, clock, places) -> None:
    """A job that expires while it waits for others is refused when its time comes, and not started before."""
    drop(State.RUNNING, "a")
    wait("x", ["a"], expires_at=format_time(clock.wall() + 60))
    assert rooms.order.pop(clock.wall()) is None
    clock.advance(61)
    assert rooms.order.pop(clock.wall()) == "x"
    assert rooms.intake.take("x") is None
    assert places().failed == ["x"]


def test_one_that_began_to_wait_after_it_was_chosen(rooms, drop, clock, settle) -> None:
    """A job whose file was given an `after` since it was looked at is not started."""
    drop(State.RUNNING, "a")
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    assert rooms.order.pop(clock.wall()) == "x"
    rooms.intake._read_ahead.pop("x")
    drop(State.PENDING, "x", {"after": ["a"]})
    assert rooms.intake.take("x") is None
    assert rooms.intake.dependencies.holds("x")


def test_a_scan_does_not_read_who_waits(rooms, wait, monkeypatch) -> None:
    """A scan that meets a job which is known to wait for others does not read it again."""
    wait("x", ["gone"])
    monkeypatch.setattr(rooms.intake, "look", None)
    rooms.intake.look_if_new("x")


def checked(*names: str):
    return document.check({"job": "app.Report", "method": "build", "after": list(names)})


@pytest.fixture
def looks(spool, clock):
    """Dependencies by themselves, and the ids that they want to be looked at; each look takes some time."""
    found: list[str] = []

    def look(job_id: str) -> None:
        found.append(job_id)
        clock.advance(SLICE / 10)

    return Dependencies(spool, look, clock), found


def test_ten_thousand_after_one(looks, drop, spool, clock) -> None:
    """One end is one look on the disk; the ten thousand that waited for it are worked off in slices."""
    dependencies, found = looks
    drop(State.RUNNING, "a")
    for number in range(10_000):
        dependencies.note(f"x{number}", checked("a"))
    dependencies.work(clock.monotonic())
    assert not dependencies.is_busy
    spool.move("a", State.RUNNING, Event.VERDICT_DONE)
    slices = 0
    while dependencies.is_busy:
        before = clock.monotonic()
        dependencies.work(before)
        assert clock.monotonic() - before <= SLICE * 1.2
        slices += 1
    assert (len(found), slices > 900, dependencies.waiting) == (10_000, True, 0)


def test_one_after_ten_thousand(looks, spool, clock, drop, monkeypatch) -> None:
    """An end costs the one that waits nothing but the look at that one name; it is looked at once, after the last."""
    dependencies, found = looks
    names = [f"a{number}" for number in range(10_000)]
    dependencies.note("x", checked(*names))
    while dependencies.is_busy:
        dependencies.work(clock.monotonic())
    asked = []
    exists = spool.exists
    monkeypatch.setattr(spool, "exists", lambda state, name: asked.append(name) or exists(state, name))
    for number, name in enumerate(names[:100]):
        drop(State.RUNNING, name)
        spool.move(name, State.RUNNING, Event.VERDICT_DONE)
        while dependencies.is_busy:
            dependencies.work(clock.monotonic())
        assert dependencies._held["x"].left == 9_999 - number
    assert len(asked) < 100 * 15
    assert found == []


def test_memory_of_one_that_waits(looks) -> None:
    """A job that waits for others takes at most 500 bytes, beside what it waits for."""
    import tracemalloc

    dependencies, _ = looks
    after = checked("a")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            dependencies.note(f"20261123-174501-{number:06}-7f3a9c", after)
        assert (tracemalloc.get_traced_memory()[0] - before) / 20_000 < 500
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            dependencies.note(f"20261123-174502-{number:06}-7f3a9c", checked(f"20261123-174501-{number:06}-7f3a9c"))
        assert (tracemalloc.get_traced_memory()[0] - before) / 20_000 < 500
    finally:
        tracemalloc.stop()
