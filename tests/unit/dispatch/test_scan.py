"""The full look into pending/: what it finds, how it is cut into slices, and when it comes again."""

from __future__ import annotations

import os

import pytest

from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.order import Order
from spoolrunner.dispatch.postponed import Register
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.scan import POLL_PERIOD, SCAN_PERIOD, SCAN_SHARE, SCAN_SLICE, Scan
from spoolrunner.protocol.states import State

FUTURE = "2027-01-15T08:05:00Z"


@pytest.fixture
def order() -> Order:
    return Order(60.0)


@pytest.fixture
def make(config, spool, order, clock):
    """Make the scans of a spool, with events or without, which may take a share of the time."""

    def new(spool=spool, *, has_events: bool = True, share=lambda _: 1.0) -> Scan:
        register, reporter = Register(), Reporter(clock, [])
        faults = FileFaults(spool, register, reporter, clock)
        intake = Intake(config(), spool, order, register, faults, reporter, clock)
        return Scan(spool, intake, clock, lambda: has_events, share)

    return new


@pytest.fixture
def scan(make) -> Scan:
    return make()


@pytest.mark.parametrize("name", [".x.json", "x.txt", "x", "x.json.swp", ".json"])
def test_what_is_no_job_is_left_alone(scan, spool, order, clock, name) -> None:
    """A file whose name is not meant as a job stays where it is."""
    path = os.path.join(spool.layout.pending, name)
    with open(path, "wb"):
        pass
    scan.work(clock.monotonic())
    assert (scan.done, len(order)) == (1, 0)
    assert os.path.exists(path)


@pytest.mark.parametrize(("jump", "scans"), [(3600.0, 1), (-3600.0, 1), (0.5, 0), (0.0, 0)])
def test_the_clock_is_minded(scan, clock, jump, scans) -> None:
    """When the wall clock was set every waiting file is looked at again, once; time that passes is no reason to."""
    clock.advance(1000)
    clock.wall_now += jump
    scan.mind_the_clock()
    assert scan.is_under_way is bool(scans)
    scan.work(clock.monotonic())
    scan.mind_the_clock()
    assert not scan.is_under_way


def test_scan(scan, drop, order, clock) -> None:
    """A scan finds what no hint told of, and what is no job it refuses."""
    for name in ("a", "b", "bad name"):
        drop(State.PENDING, name)
    scan.start()
    assert scan.is_under_way
    assert scan.next_in(clock.monotonic()) == 0.0
    scan.work(clock.monotonic())
    assert not scan.is_under_way
    assert scan.done == 1
    assert ("a" in order, "b" in order, len(order)) == (True, True, 2)


@pytest.mark.parametrize(("has_events", "period"), [(True, SCAN_PERIOD), (False, POLL_PERIOD)])
def test_scans_come_again(make, drop, order, clock, has_events, period) -> None:
    """The next scan comes after a while: sooner where there are no events."""
    scan = make(has_events=has_events)
    scan.start()
    scan.work(clock.monotonic())
    assert scan.next_in(clock.monotonic()) == period
    drop(State.PENDING, "x")
    clock.advance(period - 0.1)
    scan.work(clock.monotonic())
    assert "x" not in order
    clock.advance(0.1)
    scan.work(clock.monotonic())
    assert "x" in order


class CostlySpool:
    """A spool in which every look takes time."""

    def __init__(self, spool, clock, cost: float) -> None:
        self._spool, self._clock, self._cost = spool, clock, cost

    def __getattr__(self, name: str):
        return getattr(self._spool, name)

    def read(self, state: State, job_id: str):
        self._clock.advance(self._cost)
        return self._spool.read(state, job_id)


def test_scans_in_slices(make, drop, spool, order, clock) -> None:
    """A long scan is made in slices, and its whole time decides when the next one comes: one percent of the time."""
    for number in range(10):
        drop(State.PENDING, f"x{number}")
    cost = SCAN_SLICE / 2.5
    scan = make(CostlySpool(spool, clock, cost))
    scan.start()
    found = []
    while scan.is_under_way:
        scan.work(clock.monotonic())
        found.append(len(order))
    assert found[:3] == [3, 6, 9]
    assert found[-1] == 10
    assert scan.next_in(clock.monotonic()) == pytest.approx(max(SCAN_PERIOD, 10 * cost / SCAN_SHARE))


def test_a_scan_takes_no_more_than_its_share(make, drop, spool, order, clock) -> None:
    """A scan that is given a tenth of the time makes shorter slices, and waits nine times as long after each."""
    for number in range(10):
        drop(State.PENDING, f"x{number}")
    shares = [0.1]
    scan = make(CostlySpool(spool, clock, SCAN_SLICE / 20), share=lambda _: shares[-1])
    scan.start()
    scan.work(clock.monotonic())
    assert len(order) == 2
    assert scan.next_in(clock.monotonic()) == pytest.approx(SCAN_SLICE * 0.9)
    scan.work(clock.monotonic())
    assert len(order) == 2
    clock.advance(SCAN_SLICE)
    scan.work(clock.monotonic())
    assert len(order) == 4
    shares.append(1.0)
    scan.work(clock.monotonic())
    assert len(order) == 10


def test_a_scan_asked_for_during_a_scan(scan, clock) -> None:
    """A scan that is asked for while one is under way is made after it, at once."""
    scan.start()
    scan.start()
    scan.work(clock.monotonic())
    assert scan.done == 1
    assert scan.next_in(clock.monotonic()) == 0.0
    scan.work(clock.monotonic())
    assert scan.done == 2
    assert scan.next_in(clock.monotonic()) == SCAN_PERIOD


@pytest.mark.parametrize(
    ("before", "after", "due"), [({"next_run_at": FUTURE}, {}, True), ({}, {"next_run_at": FUTURE}, False)]
)
def test_a_scan_sees_changes(make, drop, order, clock, before, after, due) -> None:
    """A thorough scan sees that a waiting file was changed though no hint told of it: the listing is the truth."""
    scan = make(has_events=False)
    drop(State.PENDING, "x", before)
    scan.work(clock.monotonic())
    drop(State.PENDING, "x", after)
    scan.start(thorough=True)
    scan.work(clock.monotonic())
    assert (order.pop(clock.wall()) == "x") is due
