"""The marker of an attempt whose process removed its lock file: made anew while that process lives."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import locks, traces
from spoolrunner.spool.restored_marker import restored_marker
from spoolrunner.spool.running_file import RunningFiles, UnopenedError
from spoolrunner.spool.settling_rules import Known


class Alive:
    """Knows of one process that has the removed file open, if `holder` is one."""

    def __init__(self, holder: tuple[int, str] | None) -> None:
        self.holder = holder

    def lives(self, marker: traces.Marker) -> bool:
        return self.holder is not None and marker.pid == self.holder[0]

    def end_left_by(self, job_id: str, marker: traces.Marker) -> bool:
        return False

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        return self.holder


@pytest.fixture
def restore(spool, clock):
    """Restore the marker of running/x.json, whose content is `data` (None: it is gone)."""
    held = []

    def begin(data: bytes | None, holder: tuple[int, str] | None = (5, "then"), looks: int = 0, files=None):
        path = spool.layout.running("x")
        if data is not None:
            with open(path, "wb") as stream:
                stream.write(data)
        lock = locks.acquire(spool.layout.lock("x"))
        held.append(lock)
        made = files or RunningFiles(spool, None)
        return restored_marker(spool, made, Alive(holder), clock, lock, "x", Known(looks=looks))

    yield begin
    for lock in held:
        lock.close()


def test_the_marker_is_made_anew(restore, spool, clock) -> None:
    """It names the process that has the removed file open, the file in running/, and the next attempt of its document."""
    attempt = b'{"number":1,"outcome":"failed","verdict":"retry"}'
    marker = restore(b'{"job":"a","method":"b","attempts":[%s]}' % attempt)
    assert (marker.kind, marker.attempt, marker.pid, marker.process_started) == ("start", 2, 5, "then")
    assert marker.stamp == spool.stamp(State.RUNNING, "x")
    assert marker.began == clock.monotonic()
    assert traces.peek(spool.layout.lock("x")).marker == marker


@pytest.mark.parametrize(("data", "holder"), [(b"{}", None), (None, (5, "then"))])
def test_there_is_nothing_to_be_restored(restore, spool, data, holder) -> None:
    """Without such a process, or without the file, there is no marker, and none is written."""
    assert restore(data, holder) is None
    assert os.stat(spool.layout.lock("x")).st_size == 0


def test_a_document_that_cannot_be_read(restore) -> None:
    """A process whose document breaks a rule is watched over all the same, as the first attempt of it."""
    assert restore(b"nonsense").attempt == 1


class Shut:
    """Files that may not be opened."""

    def read(self, job_id: str) -> None:
        raise UnopenedError(13, "Permission denied", job_id)


def test_a_file_that_is_shut(restore) -> None:
    """A file that may not be opened is given a second look."""
    with pytest.raises(UnopenedError):
        restore(b"{}", files=Shut())


def test_a_file_that_stays_shut(restore) -> None:
    """At the second look its process is watched over all the same."""
    assert restore(b"{}", looks=1, files=Shut()).attempt == 1
