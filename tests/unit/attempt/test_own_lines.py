"""The lines that a process leaves in its lock file, whatever became of descriptor and file. More is in test_runner."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.own_lines import OwnLines, is_the_file
from spoolrunner.protocol.states import State
from spoolrunner.spool import lock_lines, locks, traces
from spoolrunner.system import clock as clock_module

posix = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
OUTCOME = lock_lines.outcome(1, "succeeded", "2027-01-15T08:00:00.000000Z", {})


@pytest.fixture
def told(spool) -> Assignment:
    """The assignment of a job whose file lies in running/."""
    with open(spool.layout.running("x"), "wb") as stream:
        stream.write(b"{}")
    stamp = spool.stamp(State.RUNNING, "x")
    return Assignment("x", 1, tuple(stamp), "a", "b", [], 1.0).prepare(spool.layout)


@pytest.fixture
def marker(told) -> bytes:
    """Its start marker."""
    return lock_lines.start(1, told.stamp, 5, "then", "2027-01-15T07:59:00.000000Z", 2.5, imports=False)


@pytest.fixture
def lock(told, marker):
    """Its lock, with the start marker in it."""
    held = locks.acquire(told.lock)
    assert held is not None
    held.append(marker)
    yield held
    held.close()


@pytest.fixture
def lines(lock, told, marker) -> OwnLines:
    """The lines of the attempt."""
    return OwnLines(lock, told, marker)


def test_the_file_is_the_one_that_was_looked_at(told) -> None:
    """It is as long as it is there and unchanged."""
    assert is_the_file(told)
    os.utime(told.file, ns=(1, 1))
    assert not is_the_file(told)
    os.unlink(told.file)
    assert not is_the_file(told)


def test_a_line_goes_behind_the_marker(lines, told) -> None:
    """In the usual case it is one write."""
    lines.write_patiently(OUTCOME)
    assert traces.peek(told.lock).outcome.outcome == "succeeded"


def test_a_closed_lock_needs_no_lock(lines, lock, told) -> None:
    """While the last marker is ours the line is written without waiting: a child of the job may hold the lock."""
    child = os.dup(lock.descriptor)
    os.close(lock.descriptor)
    assert locks.acquire(told.lock) is None
    lines.write_patiently(OUTCOME)
    os.close(child)
    assert traces.peek(told.lock).outcome.outcome == "succeeded"


@posix
def test_a_removed_file_is_made_anew(lines, told) -> None:
    """The marker is put back in front of the line."""
    os.unlink(told.lock)
    lines.write_patiently(OUTCOME)
    found = traces.peek(told.lock)
    assert (found.marker.pid, found.outcome.outcome) == (5, "succeeded")


@posix
def test_nothing_is_left_to_another_file(lines, told) -> None:
    """Once the job's file is another, nobody waits for the outcome."""
    os.unlink(told.lock)
    os.utime(told.file, ns=(1, 1))
    lines.write_patiently(OUTCOME)
    assert traces.peek(told.lock) == traces.NO_TRACES


def test_a_disk_that_refuses_is_waited_for(lines, lock, told, monkeypatch, clock) -> None:
    """The line is tried again each second until it is there, also when a part of it was written."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    refusals = [OSError(errno.ENOSPC, "full"), b"\n{"]
    write = os.write

    def refuse(descriptor: int, data: bytes) -> int:
        if descriptor == lock.descriptor and refusals:
            refusal = refusals.pop()
            if isinstance(refusal, OSError):
                raise refusal
            return write(descriptor, refusal)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", refuse)
    began = clock.monotonic()
    lines.write_patiently(OUTCOME)
    assert clock.monotonic() == began + 2
    assert traces.peek(told.lock).outcome.outcome == "succeeded"


@posix
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_spool_that_was_moved(lines, told, spool, is_replaced) -> None:
    """The line goes into the lock file where that lies now; another spool at the path gets none."""
    root = spool.layout.root
    os.rename(root, f"{root}.aside")
    if is_replaced:
        spool.make()
    lines.write_patiently(OUTCOME)
    assert traces.peek(told.lock.replace(root, f"{root}.aside")).outcome.outcome == "succeeded"
    assert not is_replaced or os.listdir(spool.layout.locks) == []
