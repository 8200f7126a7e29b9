"""failed/ID.reason: written, read, and removed when its job is not there."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import reason_files

NOW = 1_800_000_000.0


def test_what_is_written_is_read(spool) -> None:
    """A reason is read as it was written, with bytes of file names that are no UTF-8 made readable."""
    reason_files.write(spool.layout, "x", Outcome.REJECTED, "not JSON", "pending/\udc80.json", NOW, fsync=False)
    assert reason_files.read(spool.layout, "x") == {
        "outcome": "rejected",
        "what": "not JSON",
        "where": "pending/\\udc80.json",
        "when": "2027-01-15T08:00:00.000000Z",
    }


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'"text"'])
def test_what_is_no_reason(spool, content) -> None:
    """A missing file, a torn one and one that holds no JSON object are no reason."""
    if content is not None:
        with open(spool.layout.reason("x"), "wb") as stream:
            stream.write(content)
    assert reason_files.read(spool.layout, "x") is None


@pytest.mark.usefixtures("arrived_as_written")
def test_sweep(spool, drop) -> None:
    """Reasons without a job are removed, all of them or those written before a moment; all else stays."""
    for name, age in (("old", 100), ("fresh", 1), ("used", 100)):
        reason_files.write(spool.layout, name, Outcome.REJECTED, "", "", NOW, fsync=False)
        os.utime(spool.layout.reason(name), (NOW - age, NOW - age))
    drop(State.FAILED, "used")
    for name in ("notes.txt", "a b.reason"):
        with open(os.path.join(spool.layout.folder(State.FAILED), name), "wb"):
            pass
    kept = {"fresh.reason", "used.reason", "used.json", "notes.txt", "a b.reason"}
    assert reason_files.sweep(spool.layout, NOW - 50) == 1
    assert set(os.listdir(spool.layout.folder(State.FAILED))) == kept
    assert reason_files.sweep(spool.layout) == 1
    assert set(os.listdir(spool.layout.folder(State.FAILED))) == kept - {"fresh.reason"}


def test_a_request_may_have_any_mtime(spool, drop) -> None:
    """A request that was made with the time of an old file, as `touch -d` does, asks for the job of now."""
    drop(State.FAILED, "x")
    reason_files.write(spool.layout, "x", Outcome.CANCELLED, "", "", NOW, fsync=False)
    done = os.stat(spool.layout.reason("x")).st_mtime
    os.utime(spool.layout.reason("x"), (done - 10, done - 10))
    with open(spool.layout.cancel("x"), "wb"):
        pass
    os.utime(spool.layout.cancel("x"), (0, 0))
    assert reason_files.was_cancelled(spool.layout, "x") is False


@pytest.mark.usefixtures("arrived_as_written")
def test_a_request_that_was_carried_out(spool, drop) -> None:
    """A request to cancel was carried out when a refused job of that id has a reason that is not older."""
    drop(State.FAILED, "x")
    with open(spool.layout.cancel("x"), "wb"):
        pass
    os.utime(spool.layout.cancel("x"), (NOW, NOW))
    assert reason_files.was_cancelled(spool.layout, "x") is False
    reason_files.write(spool.layout, "x", Outcome.CANCELLED, "", "", NOW, fsync=False)
    os.utime(spool.layout.reason("x"), (NOW - 1, NOW - 1))
    assert reason_files.was_cancelled(spool.layout, "x") is False
    os.utime(spool.layout.reason("x"), (NOW, NOW))
    assert reason_files.was_cancelled(spool.layout, "x") is True
