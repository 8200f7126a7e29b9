"""Giving up a job between two attempts, which is claimed for that and not started."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.protocol import signing
from spoolrunner.protocol.states import State
from spoolrunner.spool import lock_lines, locks, record, traces
from spoolrunner.spool.giving_up import give_up
from spoolrunner.spool.lock_lines import START
from spoolrunner.spool.running_file import RunningFiles
from spoolrunner.spool.settled import Fate
from spoolrunner.spool.traces import Marker

RETRIED = {"number": 1, "outcome": "failed", "verdict": "retry"}
GIVEN_UP = {**RETRIED, "verdict": "failed"}
WHY = "cancelled between two attempts"


@pytest.fixture
def stop(spool, clock):
    """Give up the job x."""
    return lambda: give_up(spool, RunningFiles(spool, None), clock, "x", WHY)


def leave(spool, line: bytes) -> None:
    with open(spool.layout.lock("x"), "ab") as stream:
        stream.write(line)


def where(spool) -> dict[str, str]:
    return {name: state.value for state in State for name in spool.names(state)}


def read(spool, state: State) -> dict:
    return orjson.loads(spool.read(state, "x").data)


def test_give_up(spool, drop, stop) -> None:
    """The last verdict becomes the final one, no later start is planned, and the job lies in failed/ with the reason."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED], "next_run_at": "2027-01-15T09:00:00.000000Z", "meta": {"k": 1}})
    replaced = [list(spool.stamp(State.RUNNING, "x"))]
    settled = stop()
    assert (settled.fate, settled.name, settled.state) == (Fate.SETTLED, "x", State.FAILED)
    document = read(spool, State.FAILED)
    assert document == settled.raw
    kept = {"job": "app.Report", "method": "build", "meta": {"k": 1}}
    assert document == {**kept, "attempts": [GIVEN_UP], "replaces": replaced}
    with open(spool.layout.reason("x"), "rb") as stream:
        said = orjson.loads(stream.read())
    assert (said["outcome"], said["what"]) == ("cancelled", WHY)
    assert os.listdir(spool.layout.locks) == []


def test_earlier_attempts_stay(spool, drop, stop) -> None:
    """Only the last verdict changes."""
    second = {**RETRIED, "number": 2}
    drop(State.RUNNING, "x", {"attempts": [RETRIED, second]})
    stop()
    assert read(spool, State.FAILED)["attempts"] == [RETRIED, {**second, "verdict": "failed"}]


@pytest.mark.parametrize("content", [b"{", {}])
def test_nothing_to_give_up(spool, drop, stop, content) -> None:
    """A file that is no document, or that was never tried, is left as it is."""
    drop(State.RUNNING, "x", content)
    assert stop().fate is Fate.GONE
    assert where(spool) == {"x": "running"}


def test_gone(spool, stop) -> None:
    """A file that is gone is that."""
    assert stop().fate is Fate.GONE
    assert where(spool) == {}


def test_a_lock_that_is_held(spool, drop, stop) -> None:
    """While a late process has the lock nothing is done, and it is to be tried again."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED]})
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    with pytest.raises(BlockingIOError):
        stop()
    lock.close()
    assert read(spool, State.RUNNING)["attempts"] == [RETRIED]


@pytest.mark.parametrize("outcome", [b"", lock_lines.outcome(2, "succeeded", "2027-01-15T07:59:30.000000Z", {})])
def test_one_that_was_started_nonetheless(spool, drop, stop, outcome) -> None:
    """A job that a process of an earlier dispatcher has started is not given up, whether that has ended or not."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED]})
    marker = Marker(START, 2, *spool.stamp(State.RUNNING, "x"), 77, "then", "2027-01-15T07:59:00.000000Z")
    leave(spool, marker.line() + outcome)
    settled = stop()
    assert (settled.fate, settled.marker) == (Fate.HELD, marker)
    assert read(spool, State.RUNNING)["attempts"] == [RETRIED]


def test_one_that_was_recorded_meanwhile(spool, drop, stop) -> None:
    """A job that came to a final verdict is not given up."""
    drop(State.RUNNING, "x", {"attempts": [{"number": 1, "outcome": "succeeded", "verdict": "done"}]})
    assert stop().fate is Fate.HELD
    assert where(spool) == {"x": "running"}


def test_killed_before_the_move(spool, drop, stop, monkeypatch) -> None:
    """Killed after its record a job has a marker of that attempt, so that its final verdict is obeyed."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED]})

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(spool, "refuse", die)
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert read(spool, State.RUNNING)["attempts"] == [GIVEN_UP]
    marker = traces.peek(spool.layout.lock("x")).marker
    assert marker is not None
    assert (marker.kind, marker.attempt, marker.pid) == (START, 1, 0)
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.close()


def test_killed_before_the_record(spool, drop, stop, monkeypatch) -> None:
    """Killed before its record a job is as it was, and nothing says that its attempt has begun."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED]})

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(record, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert read(spool, State.RUNNING)["attempts"] == [RETRIED]
    marker = traces.peek(spool.layout.lock("x")).marker
    assert marker is not None
    assert not marker.fits(1, spool.stamp(State.RUNNING, "x"), wholly=False)


def test_a_signed_job(spool, drop, clock) -> None:
    """The record of a job that was signed is signed, so that a retry by hand takes it."""
    key = bytes(32)
    drop(State.RUNNING, "x", signing.sign(key, "x", {"job": "app.Report", "method": "build", "attempts": [RETRIED]}))
    give_up(spool, RunningFiles(spool, key), clock, "x", WHY)
    data = spool.read(State.FAILED, "x").data
    assert signing.problem(key, "x", orjson.loads(data), data) is None
