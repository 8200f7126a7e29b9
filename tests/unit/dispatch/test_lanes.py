"""The lanes of due jobs and the gates they stand before: what they cost, and that nothing piles up. See test_admission, too."""

from __future__ import annotations

import tracemalloc
from time import perf_counter

import pytest

from spoolrunner.dispatch.lanes import LaneKey
from spoolrunner.dispatch.order import Order, Waiting

NOW = 2e9


def lane(number: int) -> LaneKey:
    return LaneKey("app.Mail", "send", f"customer.{number}")


@pytest.fixture
def order() -> Order:
    return Order(60.0)


def test_a_job_that_waits_keeps_its_place(order) -> None:
    """A lane that was held up goes on with its first job, before those of other lanes that became due later."""
    for name, due_at, number in (("a", 1, 0), ("b", 2, 1), ("c", 3, 0)):
        order.add(name, Waiting(float(due_at), 0, lane(number)), NOW)
    ask = {lane(0): ("group", "g"), lane(1): None}.get
    assert order.pop(NOW, ask) == "b"
    assert order.pop(NOW, ask) is None
    order.add("d", Waiting(4.0, 0, lane(1)), NOW)
    order.free(("group", "g"))
    assert [order.pop(NOW) for _ in range(4)] == ["a", "c", "d", None]


def test_a_lane_is_asked_once_for_all_its_jobs(order) -> None:
    """However many jobs wait before the first that may start, each lane is asked once until its gate is freed."""
    for number in range(10_000):
        order.add(f"x{number:05}", Waiting(float(number), 0, lane(number % 10)), NOW)
    order.add("last", Waiting(99_999.0, 0, LaneKey("app.Mail", "fetch")), NOW)
    asked = []

    def ask(key: LaneKey):
        asked.append(key)
        return ("method", "send") if key.method == "send" else None

    assert order.pop(NOW, ask) == "last"
    assert order.pop(NOW, ask) is None
    assert len(asked) == 11
    order.free(("method", "send"))
    assert order.pop(NOW, lambda key: None) == "x00000"


def test_who_passes_a_gate_that_is_free_again(order) -> None:
    """Of many lanes before one gate only as many are asked as can pass: the next one that is asked closes it."""
    for number in range(1000):
        order.add(f"x{number:04}", Waiting(float(number), 0, lane(number)), NOW)
    free, asked = [0], [0]

    def ask(_: LaneKey):
        asked[0] += 1
        if not free[0]:
            return ("method", "send")
        free[0] -= 1
        return None

    assert order.pop(NOW, ask) is None
    assert asked == [1000]
    for number in range(3):
        free[0] = 1
        order.free(("method", "send"))
        assert order.pop(NOW, ask) == f"x{number:04}"
        assert order.pop(NOW, ask) is None
    assert asked[0] == 1000 + 3 * 2


def test_a_gate_that_nobody_stands_before_is_forgotten(order) -> None:
    """Lanes and gates are forgotten with their last job: groups that come and go leave nothing."""
    for number in range(100):
        order.add(f"x{number}", Waiting(0.0, 0, lane(number)), NOW)
    assert order.pop(NOW, lambda key: ("group", key.group)) is None
    for number in range(100):
        order.remove(f"x{number}")
    assert (order._lanes._lanes, order._lanes._gates) == ({}, {})
    assert list(order.held()) == []


def test_a_gate_is_not_lost_with_the_job_that_was_shown(order) -> None:
    """Where the first job before a free gate was removed, the next one passes, of its own lane or of another."""
    for name, due_at, number in (("a", 1, 0), ("b", 2, 0), ("c", 3, 1)):
        order.add(name, Waiting(float(due_at), 0, lane(number)), NOW)
    assert order.pop(NOW, lambda key: ("method", "send")) is None
    order.free(("method", "send"))
    order.remove("a")
    order.remove("b")
    assert order.pop(NOW) == "c"


@pytest.mark.parametrize(("groups", "most"), [(0, 300), (100, 500)])
def test_memory_of_a_waiting_job(groups, most) -> None:
    """A waiting job takes at most 300 bytes, and 500 with a group, where a group has a hundred of them."""
    count = 20_000
    tracemalloc.start()
    try:
        order, before = Order(60.0), tracemalloc.get_traced_memory()[0]
        for number in range(count):
            key = lane(number % (count // groups)) if groups else LaneKey("app.Mail", "send")
            order.add(f"20261123-174501-{number:06}-7f3a9c", Waiting(1e9 + number / 1000, 0, key), NOW)
        assert (tracemalloc.get_traced_memory()[0] - before) / count < most
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_the_next_of_a_million() -> None:
    """With a million jobs waiting in ten thousand groups, each at its limit but one, the next one is found within 5 ms."""
    order = Order(60.0)
    for number in range(1_000_000):
        order.add(f"x{number:07}", Waiting(1e9 + number / 1000, 0, lane(number % 10_000)), NOW)
    running: set[LaneKey] = set()

    def ask(key: LaneKey):
        return ("group", key.group) if key in running else None

    slowest = 0.0
    for number in range(30_000):
        began = perf_counter()
        job_id = order.pop(NOW, ask)
        slowest = max(slowest, perf_counter() - began)
        assert job_id is not None
        running.add(lane(int(job_id[1:]) % 10_000))
        if number % 2:
            ended = lane(number * 7919 % 10_000)
            running.discard(ended)
            order.free(("group", ended.group))
        if len(running) > 9_990:
            running.clear()
            for each in range(10_000):
                order.free(("group", lane(each).group))
    assert slowest < 0.005
