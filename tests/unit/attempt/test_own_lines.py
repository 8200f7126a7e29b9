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
linux_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can give up its user or its root"
)
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


# -- what the job gave up


def gives_up(lock: locks.JobLock, told: Assignment, marker: bytes, change: str, line: bytes = OUTCOME) -> int:
    """Let a process give something up and then write, as the runner does; gives its exit status."""
    if (pid := os.fork()) == 0:
        status = 9
        try:
            exec(change, {"os": os, "lock": lock})
            mine, met = OwnLines(lock, told, marker), None
            try:
                is_written = lock.append_in_place(line)
            except OSError as error:
                is_written, met = False, error
            status = 0 if is_written or mine.write_patiently(line, met) else 1 if mine.leave_link(line) else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


SIZE = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, {}))"


@linux_root
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("os.setgid(65534); os.setuid(65534)", 0),
        ("os.chroot('/var')", 0),
        ("os.chroot('/var'); os.setuid(65534)", 0),
        ("os.seteuid(65534); os.close(lock.descriptor)", 0),
        ("os.umask(0o777); os.close(lock.descriptor); os.unlink(lock.path)", 0),
        (SIZE.format("resource.getrlimit(resource.RLIMIT_FSIZE)[1]"), 0),
        (SIZE.format(10) + "; os.setuid(65534)", 2),
        ("os.setuid(65534); os.close(lock.descriptor)", 2),
        ("os.chroot('/var'); os.close(lock.descriptor)", 2),
    ],
)
def test_what_a_job_gave_up(lock, told, marker, tmp_path, change, status) -> None:
    """The line is written by what was open before; where that is closed too nothing is tried for ever."""
    tmp_path.chmod(0o700)
    os.chmod(os.path.dirname(told.lock), 0o700)
    assert gives_up(lock, told, marker, change) == status
    found = traces.peek(told.lock)
    assert (found.outcome is not None) is (status == 0)
    assert os.stat(told.lock).st_mode & 0o777 == 0o600


@linux_root
def test_the_same_path_in_another_root(lock, told, marker, tmp_path) -> None:
    """What lies at the path under another root is not ours: it is neither written nor asked whether somebody waits."""
    other = str(tmp_path / "root") + told.lock
    os.makedirs(os.path.dirname(other))
    assert gives_up(lock, told, marker, f"os.chroot({str(tmp_path / 'root')!r})") == 0
    assert gives_up(lock, told, marker, f"os.close(lock.descriptor); os.chroot({str(tmp_path / 'root')!r})") == 2
    assert os.listdir(os.path.dirname(other)) == []
    assert traces.peek(told.lock).outcome.outcome == "succeeded"


@posix
def test_a_limit_of_sizes_that_cannot_be_raised(lock, told, marker) -> None:
    """The outcome is the text of a link then, which counts for this very attempt, and is gone with the file of its progress."""
    first = lock_lines.outcome(1, "failed", "2027-01-15T08:00:00.000000Z", {"error": '{"type":"E"}'})
    assert traces.of(lock).outcome is None
    mine = OwnLines(lock, told, marker)
    assert mine.leave_link(first)
    assert mine.leave_link(OUTCOME)
    assert traces.of(lock).outcome == traces.peek(told.lock).outcome
    assert (traces.of(lock).outcome.outcome, traces.of(lock).outcome.progress) == ("succeeded", True)
    assert not mine.leave_link(OUTCOME[:-2] + b" " * 5000 + OUTCOME[-2:])
    lock.append(lock_lines.start(1, told.stamp, 6, "later", "2027-01-15T07:59:00.000000Z", 2.5, imports=False))
    assert traces.of(lock).outcome is None


@posix
def test_a_line_in_the_lock_file_comes_before_the_link(lock, told, marker) -> None:
    """The link is looked at only where there is no outcome line."""
    lines = OwnLines(lock, told, marker)
    assert lines.leave_link(lock_lines.outcome(1, "failed", "2027-01-15T08:00:00.000000Z", {}))
    assert lines.write_patiently(OUTCOME)
    assert traces.of(lock).outcome.outcome == "succeeded"


@posix
def test_a_moved_file_is_written_where_it_is(lock, told, marker) -> None:
    """A lock file that lies elsewhere gets the line, and a new one at the path too."""
    os.rename(told.lock, told.lock + ".moved")
    OwnLines(lock, told, marker).write_patiently(OUTCOME)
    for path in (told.lock, told.lock + ".moved"):
        assert traces.peek(path).outcome.outcome == "succeeded"
