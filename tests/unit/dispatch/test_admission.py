"""Whether the jobs of a lane may start: go, or wait for a key that somebody's end, the time or a person frees."""

from __future__ import annotations

import math
from itertools import count
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spoolrunner.config.shape import LimitKeys
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.lanes import LaneKey
from spoolrunner.dispatch.order import Order, Waiting
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.dispatch.running_attempt import RunningAttempt
from spoolrunner.executors.base import AttemptKey
from spoolrunner.protocol.groups import GroupLimits
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import State
from spoolrunner.system.clock import format_time

JOB = "app.Report"
POLICIES = {"build": {"concurrency": 2}, "send": {"group": "mail"}, "plain": {}}
LIMITS = {"mail": {"concurrency": 1}, "slow": {"rate": "2/10s"}, "customer.*": {"concurrency": 1, "rate": "3/1m"}}


@pytest.fixture
def rooms(furnished) -> Rooms:
    return furnished(allowed_jobs={JOB: POLICIES}, limits=LIMITS)


@pytest.fixture
def wait(rooms, drop):
    """Let a job wait; returns its candidate."""

    def put(job_id: str, method: str = "plain", **fields):
        drop(State.PENDING, job_id, {"method": method, **fields})
        rooms.intake.look(job_id)
        found = rooms.intake.examine(job_id)
        assert found is not None
        return found

    return put


@pytest.fixture
def start(rooms, wait):
    """Start a job that waits, or that is made to wait first."""

    def begin(job_id: str, method: str = "plain", **fields) -> bool:
        found = wait(job_id, method, **fields)
        rooms.order.remove(job_id)
        return rooms.starter.begin(found)

    return begin


def test_nothing_in_the_way(rooms, wait) -> None:
    """A job that meets no limit may go."""
    assert rooms.admission.ask(wait("x").lane) is None


def test_a_method_at_its_limit(rooms, start, wait) -> None:
    """A job whose method runs as often as it may waits for the key of the method; another method is not kept by that."""
    for job_id in ("a", "b"):
        assert start(job_id, "build")
    assert rooms.admission.ask(wait("c", "build").lane) == ("method", JOB, "build")
    assert ("method", JOB, "build") in rooms.running.all()[0].holds
    assert rooms.admission.ask(wait("d").lane) is None


def test_a_group_at_its_limit(rooms, start, wait) -> None:
    """A group has its limit whether the policy or the document names it, and each value of a pattern one of its own."""
    assert start("a", "send")
    assert rooms.admission.ask(wait("b", group="mail").lane) == ("group", "mail")
    assert start("c", group="customer.1")
    assert rooms.admission.ask(wait("d", group="customer.1").lane) == ("group", "customer.1")
    assert rooms.admission.ask(wait("e", group="customer.2").lane) is None
    assert rooms.admission.ask(wait("f", group="other").lane) is None


def test_a_rate(rooms, start, wait, clock) -> None:
    """A group that started as often as it may waits until its window has moved on, and is asked for again then."""
    for job_id in ("a", "b"):
        assert start(job_id, group="slow")
    assert rooms.admission.ask(wait("c", group="slow").lane) == ("rate", "slow")
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) is None
    assert rooms.admission.next_in(clock.monotonic()) == pytest.approx(10.0)
    assert rooms.admission.opens_in("slow", clock.monotonic()) == pytest.approx(10.0)
    assert rooms.admission.waits_for_time
    clock.advance(10.0)
    rooms.admission.work(clock.monotonic())
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) == "c"
    assert rooms.admission.next_in(clock.monotonic()) == math.inf


def test_a_pause(rooms, wait, clock) -> None:
    """What is paused by method or by group does not start until it is resumed; other methods and groups do."""
    rooms.admission.pause(frozenset({f"{JOB}.build", "group-mail"}))
    for job_id, method in (("a", "build"), ("b", "send"), ("c", "plain")):
        wait(job_id, method)
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) == "c"
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) is None
    assert {held.key for held in rooms.order.held()} == {("pause", f"{JOB}.build"), ("pause", "group-mail")}
    rooms.admission.pause(frozenset({"group-mail"}))
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) == "a"
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) is None


def test_an_id_that_runs(rooms, start, clock) -> None:
    """A second job of an id that runs waits for that id."""
    assert start("x")
    assert start("x") is False
    assert [entry.why for entry in rooms.register.reasons("x", clock.monotonic())] == [Why.ID_BUSY]
    assert rooms.register.free(rooms.admission.id_key("x")) == ["x"]


def test_ids_that_are_one_to_the_file_system(rooms) -> None:
    """Where the file system does not tell capitals from small letters, the key of both spellings is one."""
    admission = Admission(rooms.order, {}, GroupLimits({}), rooms.clock, str.lower)
    assert admission.id_key("X") == admission.id_key("x") == ("id", "x")


def test_a_job_that_came_into_another_group(rooms, start, wait, drop, clock) -> None:
    """A job whose file was changed after it was chosen is not started past the limit of its new group."""
    assert start("a", "send")
    wait("b")
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) == "b"
    drop(State.PENDING, "b", {"method": "send"})
    candidate = rooms.intake.examine("b")
    assert rooms.starter.begin(candidate) is False
    assert rooms.order.pop(clock.wall(), rooms.admission.ask) is None
    assert [held.key for held in rooms.order.held()] == [("group", "mail")]


class Bench:
    """Order and admission on the one side; on the other a list of jobs, gone through from its beginning at each start."""

    LANES = tuple(LaneKey(JOB, method, group) for method in ("a", "b") for group in ("", "g", "c.1", "c.2"))
    LIMITS = GroupLimits(
        {"g": LimitKeys(concurrency=2, rate="3/10s"), "c.*": LimitKeys(concurrency=1), "c.2": LimitKeys(rate="1/7s")}
    )
    METHODS: ClassVar = {"a": 2, "b": None}
    """method -> its concurrency."""

    def __init__(self, aging: float, clock: SimpleNamespace) -> None:
        self.clock = clock
        allowed = {JOB: {name: Policy(concurrency=most) for name, most in self.METHODS.items()}}
        self.order = Order(aging)
        self.admission = Admission(self.order, allowed, self.LIMITS, clock, str)
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, RunningAttempt] = {}
        self.starts: list[tuple[float, str]] = []
        self.paused: frozenset[str] = frozenset()
        self.aging = aging

    def may_start(self, lane: LaneKey) -> bool:
        limit = self.LIMITS.of(lane.group)
        keys = [(one.method, one.policy.group or "") for one in self.running.values()]
        most = self.METHODS[lane.method]
        if most is not None and sum(method == lane.method for method, _ in keys) >= most:
            return False
        if limit.concurrency is not None and sum(group == lane.group for _, group in keys) >= limit.concurrency:
            return False
        lately = [at for at, group in self.starts if group == lane.group]
        if limit.rate is not None and sum(at > self.now - limit.rate.seconds for at in lately) >= limit.rate.starts:
            return False
        return f"{JOB}.{lane.method}" not in self.paused and f"group-{lane.group}" not in self.paused

    @property
    def now(self) -> float:
        return self.clock.wall()

    def first(self) -> str | None:
        def place(name: str) -> tuple[float, ...]:
            due_at, priority, _ = self.waiting[name]
            return (due_at - priority * self.aging, due_at) if self.aging else (-priority, due_at)

        able = [name for name, one in self.waiting.items() if one.due_at <= self.now and self.may_start(one.lane)]
        return min(able, key=lambda name: (place(name), name), default=None)

    def start(self) -> None:
        expected = self.first()
        self.admission.work(self.clock.monotonic())
        assert self.order.pop(self.now, self.admission.ask) == expected
        if expected is not None:
            lane = self.waiting.pop(expected).lane
            attempt = RunningAttempt(
                AttemptKey(expected, 1), *lane[:2], Policy(group=lane.group or None), 0.0, 0.0, format_time(self.now), 1
            )
            self.running[expected] = attempt
            self.starts.append((self.now, lane.group))
            self.admission.started(attempt)

    def end(self, index: int) -> None:
        if self.running:
            name = sorted(self.running)[index % len(self.running)]
            self.admission.ended(self.running.pop(name))

    def check(self) -> None:
        """Nobody waits without a cause: what may start can be popped, and what waits for a time has one."""
        held = {lane.key for held in self.order.held() for lane in held.lanes if lane.entries}
        assert all(not self.may_start(lane) or self.order.is_due(self.now) for lane in held)
        if any(held.key[0] == "rate" for held in self.order.held()):
            assert self.admission.next_in(self.clock.monotonic()) < math.inf


_ADD = st.tuples(st.just("add"), st.integers(0, 2), st.integers(-2, 2), st.sampled_from(Bench.LANES))
STEPS = st.lists(
    st.one_of(
        _ADD,
        _ADD,
        _ADD,
        st.tuples(st.just("remove"), st.integers(0, 30)),
        st.tuples(st.just("start")),
        st.tuples(st.just("start")),
        st.tuples(st.just("start")),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("advance"), st.integers(1, 4)),
        st.tuples(st.just("change"), st.integers(0, 30), st.sampled_from(Bench.LANES)),
        st.tuples(st.just("pause"), st.sets(st.sampled_from([f"{JOB}.a", "group-g", "group-c.1"]))),
    ),
    min_size=30,
    max_size=120,
)


@settings(max_examples=200)
@given(st.sampled_from([0.0, 0.3]), STEPS)
def test_limits_against_a_model(aging, steps) -> None:
    """Whatever waits, starts, ends, is changed or paused: what starts is the first that all its limits allow."""
    now = [1_800_000_000.0]
    bench = Bench(aging, SimpleNamespace(wall=lambda: now[0], monotonic=lambda: now[0] - 1_799_000_000.0))
    names = (f"j{number:03}" for number in count())
    for step, *given_ in steps:
        if step == "add":
            due_in, priority, lane = given_
            name = next(names)
            bench.waiting[name] = Waiting(bench.now + due_in, priority, lane)
            bench.order.add(name, bench.waiting[name], bench.now)
        elif step in ("remove", "change") and bench.waiting:
            name = sorted(bench.waiting)[given_[0] % len(bench.waiting)]
            known = bench.waiting.pop(name)
            if step == "remove":
                bench.order.remove(name)
            else:
                bench.waiting[name] = known._replace(lane=given_[1])
                bench.order.add(name, bench.waiting[name], bench.now)
        elif step == "start":
            bench.start()
        elif step == "end":
            bench.end(given_[0])
        elif step == "advance":
            now[0] += given_[0]
        elif step == "pause":
            bench.paused = frozenset(given_[0])
            bench.admission.pause(bench.paused)
        bench.admission.work(bench.clock.monotonic())
        bench.check()
        assert len(bench.order) == len(bench.waiting)
    while bench.running:
        bench.end(0)
    bench.admission.pause(frozenset())
    bench.paused = frozenset()
    for _ in range(len(bench.waiting)):
        now[0] += 20
        bench.start()
        if bench.running:
            bench.end(0)
    assert not bench.waiting, "every job starts in the end"


def test_other_limits_hold_at_once(rooms, furnished, wait, start, clock) -> None:
    """With another config.json whoever waited is asked for again, and what runs counts for the limits of now."""
    start("a", "send")
    start("b", "plain")
    wait("c", "send")
    wait("d", "plain")
    pop = lambda: rooms.order.pop(clock.wall(), rooms.admission.ask)  # noqa: E731 -- said twice
    assert (pop(), pop()) == ("d", None)
    rooms.config.become(
        furnished(
            allowed_jobs={JOB: {**POLICIES, "plain": {"concurrency": 1}}}, limits={"mail": {"concurrency": 2}}
        ).config
    )
    rooms.reconfigure(rooms.config)
    wait("e", "plain")
    assert (pop(), pop()) == ("c", None)
