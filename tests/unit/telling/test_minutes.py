"""The history: counted without a call of the system, written once a minute, bounded, and never in anybody's way."""

from __future__ import annotations

import json
import os
import sys

import pytest

from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.telling import minutes as module
from spoolrunner.telling.events import Paused, Recorded, Refused, RetryPlanned, Started
from spoolrunner.telling.line_format import Who
from spoolrunner.telling.minutes import KINDS, OTHER, Minutes
from spoolrunner.telling.troubles import HistoryNotWritten

WHO = Who("x", "app.Report", "build", 1, 4)
DAY = 86_400
FIRST = "2027-01-15T08:00:00Z"
IDLE = {"state": "running", "due": 0, "waiting": 0, "running": 0}
BUSY = {"state": "running", "due": 3, "waiting": 5, "running": 1}


@pytest.fixture
def state() -> dict:
    """What the dispatcher says of itself; a test may change it."""
    return dict(IDLE)


@pytest.fixture
def minutes(spool, clock, state) -> Minutes:
    made = Minutes(spool.layout, clock, 2 * DAY)
    made.state_of = lambda: dict(state)
    return made


def lines(spool, day: str = "20270115") -> list[dict]:
    path = spool.layout.minutes(day)
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as stream:
        return [json.loads(line) for line in stream]


def run_one(minutes, clock, who=WHO, outcome=Outcome.SUCCEEDED, verdict=Verdict.DONE) -> None:
    """One attempt that waited for two seconds and ran for half a one."""
    minutes(Started(who, clock.wall() - 2), clock.wall())
    minutes(Recorded(who, outcome, verdict, 0.5), clock.wall())


def test_a_minute(minutes, clock, spool, state) -> None:
    """A line says what happened in a minute, by kind, and how many jobs were due, waited and ran at its end."""
    run_one(minutes, clock)
    run_one(minutes, clock, outcome=Outcome.FAILED, verdict=Verdict.RETRY)
    minutes(RetryPlanned(WHO, None), clock.wall())
    minutes(Refused("y", Outcome.REJECTED, "no"), clock.wall())
    state |= BUSY
    assert minutes.next_in(clock.monotonic()) == pytest.approx(60.1)
    minutes.work(clock.monotonic())
    assert lines(spool) == []
    clock.advance(60.2)
    minutes.work(clock.monotonic())
    figures = {
        "started": 2,
        "ended": {"succeeded": 1, "failed": 1},
        "retried": 1,
        "waited": {"3": 2},
        "waited_s": 4.0,
        "ran": {"1": 2},
        "ran_s": 1.0,
    }
    kinds = {"app.Report.build": figures, OTHER: {"ended": {"rejected": 1}}}
    assert lines(spool) == [{"at": FIRST, **BUSY, "kinds": kinds}]


def test_the_next_event_writes_a_minute_that_is_over(minutes, clock, spool) -> None:
    """Whoever comes first writes it: the chore, or the first event behind it."""
    run_one(minutes, clock)
    clock.advance(61)
    run_one(minutes, clock)
    assert [line["at"] for line in lines(spool)] == [FIRST]
    minutes.flush()
    assert [line["at"] for line in lines(spool)] == [FIRST, "2027-01-15T08:01:00Z"]


def test_an_idle_dispatcher_is_not_woken(minutes, clock, spool) -> None:
    """Where nothing is due and nothing runs no line is written, and nobody is woken."""
    assert minutes.next_in(clock.monotonic()) == float("inf")
    run_one(minutes, clock)
    clock.advance(61)
    minutes.work(clock.monotonic())
    assert len(lines(spool)) == 1
    assert minutes.next_in(clock.monotonic()) == float("inf")
    clock.advance(600)
    minutes.flush()
    assert len(lines(spool)) == 1


@pytest.mark.parametrize("busy", [BUSY, {**IDLE, "state": "paused"}, {**IDLE, "running": 1}])
def test_minutes_without_events_while_something_is_due(minutes, clock, spool, state, busy) -> None:
    """While jobs wait for their start, run, or may not start, each minute has its line."""
    state |= busy
    minutes(Paused(), clock.wall())
    for _ in range(3):
        clock.advance(minutes.next_in(clock.monotonic()))
        minutes.work(clock.monotonic())
    assert [line["at"] for line in lines(spool)] == [FIRST, "2027-01-15T08:01:00Z", "2027-01-15T08:02:00Z"]
    assert {json.dumps(line["kinds"]) for line in lines(spool)} == {"{}"}


def test_a_kill_loses_a_minute_at_most(minutes, clock, spool) -> None:
    """A dispatcher that is killed while it writes leaves a torn line, which joins with no other one."""
    run_one(minutes, clock)
    minutes.flush()
    with open(spool.layout.minutes("20270115"), "a", encoding="ascii") as stream:
        stream.write('{"at":"2027-01-15T08:0')
    run_one(minutes, clock)
    minutes.flush()
    with open(spool.layout.minutes("20270115"), encoding="ascii") as stream:
        first, torn, last = stream.read().splitlines()
    assert json.loads(first) == json.loads(last)
    assert torn == '{"at":"2027-01-15T08:0'


def test_few_kinds_are_named(minutes, clock, spool) -> None:
    """Of many kinds those with the most to say are named, and the others are added up."""
    for number in range(KINDS + 5):
        for _ in range(2 if number >= 5 else 1):
            run_one(minutes, clock, who=WHO._replace(method=f"m{number:02}"))
    minutes(Refused("y", Outcome.REJECTED, "no"), clock.wall())
    minutes.flush()
    kinds = lines(spool)[0]["kinds"]
    assert len(kinds) == KINDS + 1
    assert "app.Report.m00" not in kinds
    assert kinds[OTHER]["started"] == 5
    assert kinds[OTHER]["ended"] == {"succeeded": 5, "rejected": 1}


def test_a_day_is_bounded(minutes, clock, spool, monkeypatch) -> None:
    """A file that is half full names no kinds, and one that is full gets no line; the day after has its own."""
    monkeypatch.setattr(module, "MAX_BYTES", 600)
    for _ in range(10):
        run_one(minutes, clock)
        minutes.flush()
        clock.advance(60)
    found = lines(spool)
    assert [list(line["kinds"]) for line in found] == [["app.Report.build"]] * 2 + [[OTHER]] * (len(found) - 2)
    assert len(found) == 3
    assert "more than 600 bytes for one day" in minutes.trouble
    clock.advance(DAY)
    run_one(minutes, clock)
    minutes.flush()
    assert minutes.trouble == ""
    assert len(lines(spool, "20270116")) == 1


def test_old_days_go(minutes, clock, spool) -> None:
    """Files older than the days that are kept are removed; what is no such file is left."""
    kept = {"minutes-20270114.jsonl", "minutes-20270113.jsonl", "minutes-x.jsonl", "background_jobs.log"}
    for name in (*kept, "minutes-20270112.jsonl", "minutes-20251231.jsonl"):
        with open(os.path.join(spool.layout.logs, name), "wb"):
            pass
    run_one(minutes, clock)
    minutes.flush()
    assert set(os.listdir(spool.layout.logs)) == {*kept, "minutes-20270115.jsonl", "jobs"}


def test_no_history(minutes, clock, spool) -> None:
    """With `keep_history` of 0 nothing is counted or written; what was counted before is."""
    run_one(minutes, clock)
    minutes.keep_for(0.0)
    minutes.flush()
    assert len(lines(spool)) == 1
    run_one(minutes, clock)
    assert minutes._kinds == {}
    minutes.flush()
    assert len(lines(spool)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names, and opens no folder")
@pytest.mark.parametrize("make", [os.mkfifo if hasattr(os, "mkfifo") else None, os.mkdir], ids=["pipe", "folder"])
def test_something_else_at_its_name(minutes, clock, spool, make) -> None:
    """A pipe is not waited for, and a folder is no file: that is said, and the next minute is tried again."""
    path, told = spool.layout.minutes("20270115"), []
    minutes.report = told.append
    make(path)
    for _ in range(2):
        run_one(minutes, clock)
        minutes.flush()
    assert minutes.trouble.startswith("the history cannot be written: ")
    assert told == [HistoryNotWritten(minutes.trouble)]
    os.rmdir(path) if make is os.mkdir else os.unlink(path)
    run_one(minutes, clock)
    minutes.flush()
    assert minutes.trouble == ""


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_at_its_name_is_not_followed(minutes, clock, spool, tmp_path) -> None:
    """What a link points to is not written to."""
    (tmp_path / "other").write_text("")
    os.symlink(tmp_path / "other", spool.layout.minutes("20270115"))
    run_one(minutes, clock)
    minutes.flush()
    assert minutes.trouble
    assert (tmp_path / "other").read_text() == ""


def test_a_short_write_leaves_no_torn_line(minutes, clock, spool, monkeypatch) -> None:
    """Where the disk is full the file stays as it was."""
    run_one(minutes, clock)
    minutes.flush()
    real = os.write
    monkeypatch.setattr(module.os, "write", lambda descriptor, data: real(descriptor, data[:10]))
    run_one(minutes, clock)
    minutes.flush()
    assert "No space left" in minutes.trouble
    assert len(lines(spool)) == 1


def test_a_clock_that_is_set_back(minutes, clock, spool) -> None:
    """Each event counts for the minute that the clock says; a minute may have several lines."""
    run_one(minutes, clock)
    clock.wall_now -= 3600
    run_one(minutes, clock)
    minutes.flush()
    assert [line["at"] for line in lines(spool)] == [FIRST, "2027-01-15T07:00:00Z"]


def test_a_job_costs_two_calls_of_python_and_none_of_the_system(minutes, clock, monkeypatch) -> None:
    """Counting a start and a record calls no other function of ours, and touches no file."""
    run_one(minutes, clock)
    started, recorded = Started(WHO, clock.wall()), Recorded(WHO, Outcome.SUCCEEDED, Verdict.DONE, 0.5)
    at, calls = clock.wall(), []

    def note(frame, event, argument) -> None:
        if event == "call":
            calls.append(frame.f_code.co_name)

    for name in ("os", "open_plain", "durable"):
        monkeypatch.setattr(module, name, None)
    sys.setprofile(note)
    minutes(started, at)
    minutes(recorded, at)
    sys.setprofile(None)
    assert calls == ["__call__", "__call__"]
