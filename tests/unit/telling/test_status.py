"""status.json: written when there is something new, and not more often than once a second."""

from __future__ import annotations

import errno
import os

import pytest

from spoolrunner.system import durable
from spoolrunner.telling import status
from spoolrunner.telling.status import PERIOD, StatusFile


@pytest.fixture
def file(spool, clock) -> StatusFile:
    return StatusFile(spool.layout, clock)


def written(spool) -> object:
    """What status.json says of `state`."""
    return status.read(spool.layout).get("state")


def test_write(spool, file) -> None:
    """The status is JSON with the time at which it was written, and nothing is left in tmp/."""
    file.write({"state": "running", "pid": 5})
    assert status.read(spool.layout) == {"state": "running", "pid": 5, "updated_at": "2027-01-15T08:00:00.000000Z"}
    assert os.listdir(spool.layout.tmp) == []


def test_at_most_once_a_second(spool, file, clock) -> None:
    """A status that comes too soon waits for its second, and the latest one is what is written then."""
    for state in "abc":
        file.offer(lambda state=state: {"state": state})
    assert written(spool) == "a"
    assert file.next_write_in() == PERIOD
    clock.advance(PERIOD / 4)
    assert file.next_write_in() == PERIOD * 3 / 4
    clock.advance(PERIOD)
    assert file.next_write_in() == 0.0
    file.offer(lambda: {"state": "c"})
    assert written(spool) == "c"
    assert file.next_write_in() == float("inf")


def test_nothing_new(spool, file, clock) -> None:
    """A status that says nothing new is not written, however late it is."""
    file.offer(lambda: {"state": "a"})
    os.unlink(spool.layout.status)
    clock.advance(100)
    file.offer(lambda: {"state": "a"})
    assert not os.path.exists(spool.layout.status)
    assert file.next_write_in() == float("inf")


def test_back_to_what_is_written(spool, file, clock) -> None:
    """A change that was taken back before it could be written needs no writing."""
    for state in "aba":
        file.offer(lambda state=state: {"state": state})
    os.unlink(spool.layout.status)
    clock.advance(PERIOD)
    file.offer(lambda: {"state": "a"})
    assert not os.path.exists(spool.layout.status)
    assert file.next_write_in() == float("inf")


def test_not_described_in_vain(file) -> None:
    """What comes too soon to be written is not even described: that is left to the moment of writing."""
    file.offer(lambda: {"state": "a"})
    file.offer(lambda: pytest.fail("described"))


def test_a_pid_that_is_not_known_yet(file, clock) -> None:
    """While a running job's pid is missing in it, the status is looked at again each second."""
    file.offer(lambda: {"running": [{"pid": None}]})
    assert file.next_write_in() == PERIOD
    clock.advance(PERIOD)
    file.offer(lambda: {"running": [{"pid": None}]})
    assert file.next_write_in() == PERIOD
    file.offer(lambda: {"running": [{"pid": 5}]})
    assert file.next_write_in() == float("inf")


def test_write_does_not_wait(spool, file) -> None:
    """The last status is written whenever the one before it was."""
    file.write({"state": "running"})
    file.write({"state": "stopped"})
    assert written(spool) == "stopped"


@pytest.mark.parametrize("data", [None, b"", b"{", b"[]", b"null", b"\xff"])
def test_read_of_no_status(spool, data) -> None:
    """A status that is not there, or is no object, is empty."""
    if data is not None:
        with open(spool.layout.status, "wb") as stream:
            stream.write(data)
    assert status.read(spool.layout) == {}


def test_nothing_is_synced(spool, file, monkeypatch) -> None:
    """The status speaks of this moment only, so it is not synced."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("synced"))
    file.write({"state": "a"})


def test_a_full_disk_costs_no_status(spool, file, clock, monkeypatch) -> None:
    """A status that the disk refused is written when it takes it again."""

    def full(*args) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "replace_content", full)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            file.offer(lambda: {"state": "a"})
    clock.advance(PERIOD)
    file.offer(lambda: {"state": "a"})
    assert written(spool) == "a"


def test_a_status_may_hold_any_path(spool, clock) -> None:
    """A sentence about a path that is no UTF-8 is written with escapes, and read again."""
    StatusFile(spool.layout, clock).write({"trouble": ["b\udcfccher is full"]})
    assert status.read(spool.layout)["trouble"] == ["b\\udcfccher is full"]
