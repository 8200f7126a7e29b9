"""Rates hold over the death of a dispatcher: its starts are read back from the records, once each."""

from __future__ import annotations

import math

import pytest

from spoolrunner.dispatch.lanes import LaneKey
from spoolrunner.dispatch.read_back import SLICE, ReadBack
from spoolrunner.protocol.states import State
from spoolrunner.system.clock import format_time

LIMITS = {"mail": {"rate": "3/1m"}}
POLICIES = {"app.Report": {"build": {}, "send": {"group": "mail"}}}

pytestmark = pytest.mark.usefixtures("arrived_as_written")


@pytest.fixture
def rooms(furnished):
    return furnished(allowed_jobs=POLICIES, limits=LIMITS)


@pytest.fixture
def read(rooms, clock):
    """Read everything back; returns how many more may start at once."""

    def back() -> int:
        chore = ReadBack(rooms)
        while chore.next_in(clock.monotonic()) < math.inf:
            clock.advance(chore.next_in(clock.monotonic()))
            chore.work(clock.monotonic())
        rate, left = rooms.config.groups.of("mail").rate, 0
        while rooms.admission.rates.free_at("mail", rate) <= clock.monotonic():
            rooms.admission.rates.note("mail", rate, clock.monotonic())
            left += 1
        return left

    return back


@pytest.fixture
def record(drop, clock):
    """Put a job with attempts into a state; each is given by the seconds since its start."""

    def put(state: State, job_id: str, *ago: float, **fields) -> None:
        attempts = [
            {
                "number": number,
                "outcome": "failed",
                "verdict": "retry",
                "started_at": format_time(clock.wall() - seconds),
            }
            for number, seconds in enumerate(ago, 1)
        ]
        drop(state, job_id, {"method": "send", "attempts": attempts, **fields}, age=min(ago, default=0))

    return put


def test_nothing_before(read) -> None:
    """Where nothing has started the whole rate is free."""
    assert read() == 3


def test_starts_in_all_states_count(read, record) -> None:
    """A start counts wherever its job has come to since, by the group of its policy or of its document."""
    record(State.DONE, "a", 50.0)
    record(State.FAILED, "b", 1.0, method="build", group="mail")
    record(State.PENDING, "c", 10.0)
    assert read() == 0


def test_retries_count(read, record) -> None:
    """Each start within the window counts, and none before it."""
    record(State.PENDING, "a", 3000.0, 61.0, 59.0, 1.0)
    assert read() == 1


def test_other_groups_do_not_count(read, record, drop) -> None:
    """What is of another group, older than the window, or no record at all does not count, and stops nothing."""
    record(State.DONE, "a", 1.0, method="build", group="other")
    record(State.DONE, "b", 1.0, method="build")
    record(State.DONE, "c", 70.0)
    drop(State.FAILED, "torn", b"{")
    drop(State.FAILED, "odd", {"method": "send", "attempts": [5, {"started_at": 7}], "group": ["x"]})
    assert read() == 3


def test_a_record_without_a_readable_time(read, record, drop) -> None:
    """A start whose time cannot be read may have been just now."""
    drop(State.DONE, "a", {"method": "send", "attempts": [{"started_at": "yesterday"}]})
    assert read() == 2


def test_until_all_is_read_the_group_waits(rooms, record, drop, clock) -> None:
    """Nobody of a group with a rate starts until all is read, everybody else does; then those who waited are asked again."""
    chore = ReadBack(rooms)
    for job_id, method in (("a", "send"), ("b", "build")):
        drop(State.PENDING, job_id, {"method": method})
        rooms.intake.look(job_id)
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) == "b"
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) is None
    assert rooms.admission.next_in(clock.monotonic()) == math.inf
    chore.work(clock.monotonic())
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) == "a"


def test_what_runs_counts_once(rooms, read, record, mark) -> None:
    """An attempt that was adopted counts once, also when its record is found in done/ in the midst of the reading."""
    record(State.RUNNING, "a", 30.0)
    chore = ReadBack(rooms)
    next(chore._steps, None)
    record(State.DONE, "a", 30.0, 2.0)
    record(State.DONE, "a~2", 30.0, 2.0)
    chore.work(rooms.clock.monotonic())
    rate = rooms.config.groups.of("mail").rate
    assert len(rooms.admission.rates._starts["mail"]) == 1
    assert rooms.admission.rates.free_at("mail", rate) == float("-inf")


def test_slices(rooms, record, monkeypatch, clock) -> None:
    """Reading gives the others their turn, at least as long as its own."""
    for number in range(5):
        record(State.DONE, f"x{number}", 1.0)
    chore = ReadBack(rooms)
    monkeypatch.setattr(chore, "_note", lambda *_: clock.advance(SLICE))
    turns = 0
    while chore.next_in(clock.monotonic()) < math.inf:
        assert chore.next_in(clock.monotonic()) in (0.0, pytest.approx(SLICE))
        clock.advance(chore.next_in(clock.monotonic()))
        chore.work(clock.monotonic())
        turns += 1
    assert turns >= 5


def test_without_a_rate_nothing_is_read(furnished, clock) -> None:
    """Where no group has a rate the chore is over before it begins."""
    rooms = furnished(allowed_jobs=POLICIES, limits={"mail": {"concurrency": 1}})
    chore = ReadBack(rooms)
    assert (chore.next_in(clock.monotonic()), rooms.admission.rates.is_known) == (math.inf, True)


def test_another_rate_is_read_back_too(furnished, rooms, record, clock) -> None:
    """With other limits the starts are read anew, and what runs counts; with the same ones nothing is read."""
    for number in range(5):
        record(State.DONE, f"x{number}", 30.0)
    chore = ReadBack(rooms)
    chore.work(clock.monotonic())
    assert len(rooms.admission.rates._starts["mail"]) == 3

    def reload(**keys) -> None:
        rooms.config.become(furnished(allowed_jobs=POLICIES, **keys).config)
        rooms.reconfigure(rooms.config)
        chore.reconfigure(rooms.config)

    reload(limits=LIMITS, concurrency=7)
    assert chore.next_in(clock.monotonic()) == math.inf
    reload(limits={"mail": {"rate": "6/1m"}})
    assert rooms.admission.ask(LaneKey("app.Report", "send", "mail")) == ("rate", "mail")
    chore.work(clock.monotonic())
    assert len(rooms.admission.rates._starts["mail"]) == 5
    reload(limits={})
    assert (chore.next_in(clock.monotonic()), rooms.admission.rates.is_known) == (math.inf, True)


def test_what_runs_counts_for_another_rate(furnished, rooms, begin, clock) -> None:
    """An attempt that runs has no record yet: it is noted once, when the limits are others."""
    chore = ReadBack(rooms)
    chore.work(clock.monotonic())
    begin("x", method="send")
    rooms.config.become(furnished(allowed_jobs=POLICIES, limits={"mail": {"rate": "2/1m"}}).config)
    rooms.reconfigure(rooms.config)
    chore.reconfigure(rooms.config)
    chore.work(clock.monotonic())
    assert len(rooms.admission.rates._starts["mail"]) == 1
