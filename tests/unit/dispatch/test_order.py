"""The order of waiting jobs, against a naive model of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.dispatch.order import Order, Waiting

AGINGS = st.sampled_from([0.0, 0.3, 60.0])
# Due times and agings are such that two jobs of different priority never have the same key.
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abcdef"), st.integers(0, 40), st.integers(-3, 3)),
        st.tuples(st.just("remove"), st.sampled_from("abcdef")),
        st.tuples(st.just("pop")),
        st.tuples(st.just("advance"), st.integers(1, 10)),
    ),
    max_size=60,
)


def key(aging: float, waiting: Waiting, name: str) -> tuple:
    """The order that the design gives: with aging a priority is worth so many seconds, without it comes first."""
    if aging:
        return waiting.due_at - waiting.priority * aging, name
    return -waiting.priority, waiting.due_at, name


def first_due(aging: float, model: dict[str, Waiting], now: float) -> str | None:
    due = {name: waiting for name, waiting in model.items() if waiting.due_at <= now}
    return min(due, key=lambda name: key(aging, due[name], name), default=None)


@given(AGINGS, OPERATIONS)
def test_against_a_model(aging, operations) -> None:
    """Whatever is added, changed and removed in any order, the order gives what a sorted list would give."""
    order, model, now = Order(aging), {}, 0.0
    for operation, *given_ in operations:
        if operation == "add":
            name, due_at, priority = given_
            model[name] = Waiting(float(due_at), priority)
            order.add(name, model[name], now)
        elif operation == "remove":
            model.pop(given_[0], None)
            order.remove(given_[0])
        elif operation == "advance":
            now += given_[0]
        else:
            expected = first_due(aging, model, now)
            assert order.pop(now) == expected
            model.pop(expected, None)
        later = [waiting.due_at for waiting in model.values() if waiting.due_at > now]
        assert order.is_due(now) or first_due(aging, model, now) is None
        assert order.next_due_at() == min(later, default=None)
        assert len(order) == len(model)
        assert all((name in order) == (name in model) for name in "abcdef")


@given(AGINGS, st.lists(st.tuples(st.integers(0, 20), st.integers(-1000, 1000)), max_size=20), st.integers(0, 20))
def test_due_counts(aging, jobs, now) -> None:
    """As long as nothing was changed, `due` is the number of jobs that may run now."""
    order = Order(aging)
    for index, (due_at, priority) in enumerate(jobs):
        order.add(str(index), Waiting(float(due_at), priority), 0.0)
    assert order.due(float(now)) == sum(due_at <= now for due_at, _ in jobs)


@given(st.integers(1, 120), st.integers(-5, 0), st.integers(1, 5))
def test_nothing_starves(aging, low, high) -> None:
    """A job is overtaken only by those of a higher priority that become due within their lead of it."""
    order = Order(float(aging))
    order.add("old", Waiting(0.0, low), 0.0)
    lead = (high - low) * aging
    now = 0.0
    for count in range(2 * lead // 10 + 2):
        now = 10.0 * count
        order.add(f"new{count}", Waiting(now, high), now)
        if order.pop(now) == "old":
            break
    else:
        pytest.fail("the old job never came")
    assert lead <= now <= lead + 10


def test_strict_priority() -> None:
    """Without aging a higher priority always comes first, and of equal ones the job that was due first."""
    order = Order(0.0)
    for name, due_at, priority in [("c", 0, 0), ("b", 90, 5), ("a", 50, 5), ("d", 99, -5), ("e", 100, 1000)]:
        order.add(name, Waiting(float(due_at), priority), 100.0)
    assert [order.pop(100.0) for _ in range(6)] == ["e", "a", "b", "c", "d", None]


def test_aging() -> None:
    """With aging, a step of priority is worth that many seconds of having waited."""
    order = Order(60.0)
    for name, due_at, priority in [("old", 0, 0), ("new", 61, 1), ("newer", 59, 1)]:
        order.add(name, Waiting(float(due_at), priority), 100.0)
    assert [order.pop(100.0) for _ in range(3)] == ["newer", "old", "new"]


@pytest.mark.parametrize("aging", [0.0, 60.0])
def test_priority_does_not_run_before_its_time(aging) -> None:
    """A job is not due before its time, whatever its priority."""
    order = Order(aging)
    order.add("a", Waiting(100.0, 1000), 0.0)
    assert order.pop(99.9) is None
    assert not order.is_due(99.9)
    assert order.next_due_at() == 100.0
    assert order.pop(100.0) == "a"


@pytest.mark.parametrize("aging", [0.0, 60.0])
def test_postponed_while_due(aging) -> None:
    """A job that was due and was then postponed waits for its new time."""
    order = Order(aging)
    order.add("a", Waiting(0.0, 0), 10.0)
    order.add("a", Waiting(50.0, 0), 10.0)
    assert order.pop(10.0) is None
    assert order.pop(50.0) == "a"


def test_postponed_and_raised_by_the_same_lead() -> None:
    """A due job that is postponed by a minute and raised by a minute's priority waits for its new time all the same."""
    order = Order(60.0)
    order.add("a", Waiting(100.0, 0), 100.0)
    order.add("a", Waiting(160.0, 1), 100.0)
    assert order.pop(100.0) is None


def test_due_once_stays_due() -> None:
    """A job that was due stays so when the clock is set back."""
    order = Order(60.0)
    order.add("a", Waiting(100.0, 0), 100.0)
    assert order.pop(10.0) == "a"


def test_changes_do_not_pile_up() -> None:
    """A job that is changed ten thousand times leaves no trail in memory."""
    order = Order(60.0)
    for change in range(10_000):
        order.add("a", Waiting(float(change), 0), 5000.0)
    assert len(order) == 1
    assert sum(len(lane.entries) for lane in order._lanes._lanes.values()) + len(order._later) < 200
    assert order.pop(20_000.0) == "a"
    assert order.pop(20_000.0) is None
