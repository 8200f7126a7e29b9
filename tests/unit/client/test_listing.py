"""Jobs as they are listed: in the order of their starts, with what is known of it."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spoolrunner.client import listing as module
from spoolrunner.client.listing import list_state
from spoolrunner.client.search import Filter
from spoolrunner.config.load import load_config
from spoolrunner.dispatch.order import Order, Waiting
from spoolrunner.protocol.states import State
from spoolrunner.spool import lock_lines


@pytest.fixture
def listed(home):
    """List a state by the configuration with these keys."""

    def make(state: State, limit: int = 0, **keys):
        path = home(**keys)
        return list_state(load_config(path), state, limit)

    return make


def ids(listing) -> list[str]:
    return [job.look.id for job in listing.jobs]


def test_waiting_jobs_stand_in_the_order_of_their_starts(listed, drop, clock, arrived_as_written) -> None:
    """Due ones come by priority with aging, then those that are not due, by time; what will be refused comes last."""
    drop(State.PENDING, "old", age=500)
    drop(State.PENDING, "first", {"priority": 10}, age=10)
    drop(State.PENDING, "new", age=10)
    drop(State.PENDING, "by-method", {"method": "send"}, age=10)
    drop(State.PENDING, "later", {"delay": "1h"})
    drop(State.PENDING, "soon", {"next_run_at": "2027-01-15T08:05:00Z", "priority": 5})
    drop(State.PENDING, "torn", b"{")
    drop(State.PENDING, "greedy", {"max_retries": 1000})
    allowed = {"app.Report": {"build": {}, "send": {"priority": 3}}}
    found = listed(State.PENDING, allowed_jobs=allowed)
    assert ids(found) == ["first", "old", "by-method", "new", "soon", "later", "greedy", "torn"]
    assert [job.priority for job in found.jobs] == [10, 0, 3, 0, 5, 0, None, None]
    due = [None if job.due_at is None else job.due_at - clock.wall() for job in found.jobs]
    assert due == [-10, -500, -10, -10, 300, 3600, None, None]
    assert listed(State.PENDING, 2, allowed_jobs=allowed)[1:] == (6, True)
    assert ids(listed(State.PENDING, 2, allowed_jobs=allowed)) == ["first", "old"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    jobs=st.lists(st.tuples(st.integers(-3, 3), st.integers(-200, 200)), max_size=8),
    aging=st.sampled_from([0, 60]),
)
def test_the_order_is_the_one_of_the_dispatcher(listed, drop, spool, clock, arrived_as_written, jobs, aging) -> None:
    """What is listed first is what the dispatcher starts first."""
    for name in os.listdir(spool.layout.pending):
        os.unlink(os.path.join(spool.layout.pending, name))
    order = Order(aging)
    for number, (priority, due_in) in enumerate(jobs):
        document = {"priority": priority} | ({"delay": due_in} if due_in > 0 else {})
        drop(State.PENDING, f"j{number}", document, age=max(0, -due_in))
        order.add(f"j{number}", Waiting(clock.wall() + due_in, priority), clock.wall())
    found = ids(listed(State.PENDING, priority_aging=aging))
    due = []
    while (job_id := order.pop(clock.wall())) is not None:
        due.append(job_id)
    assert found[: len(due)] == due
    assert len(found) == len(jobs)


def test_too_many_to_be_read_are_listed_by_name(listed, drop, monkeypatch) -> None:
    """Of very many waiting jobs the last by name are listed."""
    monkeypatch.setattr(module, "MOST_ORDERED", 2)
    for name in ("a", "b", "c"):
        drop(State.PENDING, name)
    found = listed(State.PENDING, 2)
    assert (ids(found), found.hidden, found.are_first) == (["b", "c"], 1, False)


def test_those_that_fit(home, drop) -> None:
    """Of those that fit the first to start, or the last by name, are listed; whether there are more is not looked for."""
    settings = load_config(home())
    for name in ("a", "b", "c"):
        drop(State.PENDING, name, {"method": "send", "priority": 3 if name == "c" else 0})
        drop(State.DONE, name, {"method": "send"})
        drop(State.DONE, name + "2")
    wanted = Filter(method="send")
    found = list_state(settings, State.PENDING, 2, wanted)
    assert (ids(found), found.hidden, found.are_first) == (["c", "a"], 1, True)
    found = list_state(settings, State.DONE, 2, wanted)
    assert (ids(found), found.hidden) == (["b", "c"], None)
    found = list_state(settings, State.DONE, 5, wanted)
    assert (ids(found), found.hidden) == (["a", "b", "c"], 0)
    assert ids(list_state(settings, State.DONE, 0, wanted)) == ["a", "b", "c"]


def test_how_many_come_before(home, drop, monkeypatch) -> None:
    """It is counted how many start before a job; of one that is gone, or where there are too many, it is not known."""
    settings = load_config(home())
    drop(State.PENDING, "a", age=3)
    drop(State.PENDING, "b", age=2)
    assert [module.before(settings, name) for name in ("a", "b", "gone")] == [0, 1, None]
    monkeypatch.setattr(module, "MOST_ORDERED", 1)
    assert module.before(settings, "b") is None


@pytest.mark.parametrize(
    ("imports", "ready", "deadline"),
    [(False, None, 20.0), (True, None, 25.0), (True, 3.0, 23.0)],
)
def test_running_jobs_have_start_attempt_and_deadline(listed, drop, spool, clock, imports, ready, deadline) -> None:
    """They are what the process left, with or without a dispatcher; while a module is imported the latest deadline counts."""
    drop(State.RUNNING, "x", {"timeout": "20s", "attempts": [{"number": 1}]})
    stamp = spool.stamp(State.RUNNING, "x")
    with open(spool.layout.lock("x"), "wb") as stream:
        stream.write(lock_lines.start(2, stamp, 7, "s", clock.text(), clock.monotonic(), imports=imports))
        if ready is not None:
            stream.write(lock_lines.ready(2, clock.monotonic() + ready))
    (job,) = listed(State.RUNNING, import_timeout="5s").jobs
    assert (job.attempt, job.started_at) == (2, clock.wall())
    assert job.deadline == pytest.approx(clock.wall() + deadline)


@pytest.mark.parametrize("lines", [b"", b"torn", b"\0" * 5000])
def test_a_running_job_of_which_nothing_is_known(listed, drop, spool, lines) -> None:
    """Without a start marker it is listed all the same."""
    drop(State.RUNNING, "x")
    with open(spool.layout.lock("x"), "wb") as stream:
        stream.write(lines)
    (job,) = listed(State.RUNNING).jobs
    assert (job.attempt, job.started_at, job.deadline) == (None, None, None)
