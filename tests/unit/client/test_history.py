"""The history as values: what the dispatcher has written, added up for the last hour, day and month."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client import history as module
from spoolrunner.client.history import DAY, SPANS, Gauge, History
from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.system import clock as clock_module
from spoolrunner.telling.events import Recorded, Refused, Started
from spoolrunner.telling.line_format import Who
from spoolrunner.telling.minutes import OTHER, Minutes

KIND = "app.Report.build"
STATE = {"state": "running", "due": 0, "waiting": 4, "running": 0}


@pytest.fixture
def writer(spool, clock, monkeypatch) -> Minutes:
    """What a dispatcher writes, in the test's time."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    made = Minutes(spool.layout, clock, 40 * DAY)
    made.state_of = lambda: dict(STATE)
    return made


@pytest.fixture
def history(spool, writer) -> History:
    return History(spool.layout)


def run(writer, clock, count=1, method="build", outcome=Outcome.SUCCEEDED, verdict=Verdict.DONE) -> None:
    """So many attempts, in one minute."""
    who = Who("x", "app.Report", method, 1, 4)
    for _ in range(count):
        writer(Started(who, clock.wall()), clock.wall())
        writer(Recorded(who, outcome, verdict, 0.5), clock.wall())
    writer.flush()


def started(span, kind=None) -> dict[int, int]:
    """The steps, counted from the last one, in which something started."""
    figures = span.all if kind is None else span.kinds[kind]
    return {index - len(figures) + 1: one.started for index, one in enumerate(figures) if one.started}


@pytest.mark.parametrize("name", SPANS)
def test_nothing_was_written(history, name) -> None:
    """Without a file nothing happened, in as many steps as there are."""
    span = history.of(name)
    step, steps = SPANS[name]
    assert (len(span.all), span.step, span.kinds) == (steps, step, {})
    assert span.gauges == [None] * steps
    assert span.total().as_json() == {}


def test_an_hour(history, writer, clock) -> None:
    """Minutes are steps; the one under way is the last."""
    run(writer, clock, 2)
    clock.advance(59 * 60)
    run(writer, clock, 3, "send", Outcome.FAILED, Verdict.RETRY)
    writer(Refused("y", Outcome.REJECTED, "no"), clock.wall())
    writer.flush()
    span = history.of("hour")
    assert span.begin == clock.wall() // 60 * 60 - 59 * 60
    assert started(span) == {-59: 2, 0: 3}
    assert started(span, KIND) == {-59: 2}
    assert list(span.kinds) == ["app.Report.send", KIND, OTHER]
    assert span.total("app.Report.send").as_json()["ended"] == {"failed": 3}
    assert span.total().retried == 3
    assert span.all[-1].ended == {"failed": 3, "rejected": 1}
    assert span.gauges[0] == span.gauges[-1] == Gauge(0, 4, 0, "running")
    assert span.gauges[1] is None
    clock.advance(60)
    assert started(history.of("hour")) == {-1: 3}


def test_a_day_and_a_month(history, writer, clock) -> None:
    """Longer spans have longer steps, over the borders of days."""
    run(writer, clock, 1)
    clock.advance(5 * 60)
    run(writer, clock, 2)
    clock.advance(DAY - 3600)
    run(writer, clock, 4)
    assert started(history.of("day")) == {-92: 3, 0: 4}
    assert sum(started(history.of("month")).values()) == 7
    clock.advance(29 * DAY)
    assert sum(started(history.of("month")).values()) == 7
    clock.advance(3 * DAY)
    assert sum(started(history.of("month")).values()) == 0


def test_a_day_that_is_over_is_read_once(history, writer, clock, monkeypatch) -> None:
    """What has been read of days that are over is remembered; of today it is read anew."""
    run(writer, clock, 1)
    clock.advance(2 * DAY)
    run(writer, clock, 2)
    assert sum(started(history.of("month")).values()) == 3
    read = []
    real = module.read_plain
    monkeypatch.setattr(
        module, "read_plain", lambda path, limit: read.append(os.path.basename(path)) or real(path, limit)
    )
    run(writer, clock, 4)
    assert sum(started(history.of("month")).values()) == 7
    assert read == ["minutes-20270117.jsonl"]
    clock.advance(40 * DAY)
    history.of("month")
    assert len(history._days) <= 33


def test_the_last_minute_of_a_day(history, writer, clock) -> None:
    """It is written when the next day has begun, and is not missed by who looked a moment before."""
    clock.advance(DAY - clock.wall() % DAY - 30)
    who = Who("x", "app.Report", "build", 1, 4)
    writer(Started(who, None), clock.wall())
    clock.advance(31)
    assert started(history.of("month")) == {}
    writer.flush()
    assert sum(started(history.of("month")).values()) == 1


def test_two_lines_of_one_minute(history, writer, clock) -> None:
    """Two dispatchers of one minute wrote a line each, and both count."""
    run(writer, clock, 1)
    run(writer, clock, 2)
    assert started(history.of("hour")) == {0: 3}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b'{"at": 5, "kinds": {}}',
        b'{"at": "now", "kinds": {}}',
        b'{"kinds": {}}',
        b'{"at": "2027-01-15T08:00:00Z"}',
        b'{"at": "2027-01-15T08:00:00Z", "kinds": 5}',
        b'{"at": "2027-01-15T08:00:00Z", "kinds": {"a.b.c": {"started": -1}}, "due": "many"}',
        b"\xff\x00",
    ],
)
def test_lines_of_another_shape(history, writer, clock, spool, line) -> None:
    """A torn line, or one of somebody else, is passed over, and the others count."""
    with open(spool.layout.minutes("20270115"), "wb") as stream:
        stream.write(line + b"\n")
    run(writer, clock, 2)
    assert started(history.of("hour")) == {0: 2}
    assert started(history.of("hour"), KIND) == {0: 2}


def test_something_else_at_the_name_of_a_file(history, writer, spool) -> None:
    """A folder there is no history."""
    os.mkdir(spool.layout.minutes("20270115"))
    assert started(history.of("hour")) == {}
