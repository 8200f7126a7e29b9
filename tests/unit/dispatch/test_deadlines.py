"""Until when an attempt may run, by what its process has left of itself so far."""

from __future__ import annotations

import os

import pytest

from spoolrunner.dispatch.deadlines import Deadline, Deadlines
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.spool import lock_lines, traces
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.traces import Marker
from spoolrunner.telling.events import DeadlineNotKnown

IMPORT, TIMEOUT = 60.0, 300.0
TOO_LONG, IMPORTED_TOO_LONG = "ran longer than its timeout", "imported for longer than import_timeout"
STAMP = 77, 300, 5


@pytest.fixture
def said() -> list:
    """The events that are reported."""
    return []


@pytest.fixture
def deadlines(spool, clock, said) -> Deadlines:
    return Deadlines(spool.layout, Reporter(clock, [lambda event, at: said.append(event)]), clock, IMPORT)


@pytest.fixture
def leave(spool, clock):
    """Append these lines to the lock file of job x, as its process does."""

    def write(*lines: bytes) -> None:
        with open(spool.layout.lock("x"), "ab") as stream:
            stream.write(b"".join(lines))

    return write


def begun(began: float, *, imports: bool, number: int = 1, started_at: str = "2027-01-15T08:00:00.000000Z") -> bytes:
    return Marker(START, number, *STAMP, 9, "then", started_at, began, imports).line()


@pytest.mark.parametrize(("timeout", "first"), [(5.0, 5.0), (60.0, 60.0), (300.0, 60.0)])
def test_the_first_look(deadlines, clock, timeout, first) -> None:
    """An attempt that starts now is looked at when it may be overdue: not before the shorter of its two bounds."""
    assert deadlines.first(timeout) == clock.monotonic() + first


@pytest.mark.parametrize("line", [None, Marker(CLAIM, 1, *STAMP).line(), begun(1.0, imports=False, number=2)])
def test_nothing_is_known(deadlines, leave, clock, line) -> None:
    """An attempt that has left nothing is overdue when it would be whatever it did, and is looked at again before that."""
    started = clock.monotonic()
    end = started + IMPORT + TIMEOUT
    if line is not None:
        leave(line)
    clock.advance(IMPORT)
    assert deadlines.of("x", 1, TIMEOUT, started).at == end
    assert deadlines.of("x", 1, 5.0, started).at == started + IMPORT + 5
    clock.advance(-30)
    assert deadlines.of("x", 1, 5.0, started).at == clock.monotonic() + 5
    clock.advance(30 + TIMEOUT)
    assert deadlines.of("x", 1, TIMEOUT, started) == Deadline(end, f"{TOO_LONG} of 300 s")
    clock.advance(1)
    assert deadlines.of("x", 1, TIMEOUT, started).at == end


def test_without_an_import(deadlines, leave, clock) -> None:
    """Where the module was there already the timeout counts from the marker, whenever the dispatcher started the attempt."""
    began = clock.monotonic() + 2
    leave(begun(began, imports=False))
    clock.advance(400)
    assert deadlines.of("x", 1, TIMEOUT, began - 2) == Deadline(began + TIMEOUT, f"{TOO_LONG} of 300 s")


def test_while_it_imports(deadlines, leave, clock) -> None:
    """While the module is imported the bound is that of the import, counted from the marker."""
    began = clock.monotonic() + 2
    leave(begun(began, imports=True))
    assert deadlines.of("x", 1, TIMEOUT, began - 2).at == began + IMPORT
    clock.advance(2 + IMPORT)
    overdue = deadlines.of("x", 1, TIMEOUT, began - 2)
    assert overdue.at == clock.monotonic()
    assert f"{IMPORTED_TOO_LONG} of 60 s" in overdue.why


def test_a_timeout_that_is_shorter_than_the_import(deadlines, leave, clock) -> None:
    """A job with a short timeout is looked at that often while it imports, and is not overdue for that."""
    began = clock.monotonic()
    leave(begun(began, imports=True))
    for _ in range(11):
        clock.advance(5)
        assert deadlines.of("x", 1, 5.0, began).at == clock.monotonic() + 5
    clock.advance(4)
    assert deadlines.of("x", 1, 5.0, began).at == began + IMPORT


def test_after_the_import(deadlines, leave, clock) -> None:
    """The timeout counts from the end of the import, however long that took, and whenever it is looked up."""
    began = clock.monotonic()
    leave(begun(began, imports=True), lock_lines.ready(1, began + 50))
    clock.advance(51)
    expected = Deadline(began + 50 + TIMEOUT, f"{TOO_LONG} of 300 s")
    assert deadlines.of("x", 1, TIMEOUT, began) == expected
    clock.advance(1000)
    assert deadlines.of("x", 1, TIMEOUT, began) == expected


def test_an_import_of_another_attempt(deadlines, leave, clock) -> None:
    """That an earlier attempt had its module does not matter to this one."""
    began = clock.monotonic()
    leave(begun(began, imports=True), lock_lines.ready(1, began + 50), begun(began + 55, imports=True, number=2))
    assert deadlines.of("x", 2, TIMEOUT, began + 55).at == began + 55 + IMPORT


def test_a_process_of_an_older_version(deadlines, leave, clock) -> None:
    """A marker without the monotonic time counts by the wall clock, and not from the future."""
    leave(begun(0.0, imports=False, started_at="2027-01-15T07:59:00.000000Z"))
    assert deadlines.of("x", 1, TIMEOUT, 0.0).at == clock.monotonic() - 60 + TIMEOUT
    leave(begun(0.0, imports=False, started_at="2027-01-15T09:00:00.000000Z"))
    assert deadlines.of("x", 1, TIMEOUT, 0.0).at == clock.monotonic() + TIMEOUT


def test_a_marker_that_was_made_anew(deadlines, leave, clock) -> None:
    """A marker that knows no time at all counts from now."""
    leave(begun(0.0, imports=False, started_at=""))
    assert deadlines.of("x", 1, TIMEOUT, 0.0).at == clock.monotonic() + TIMEOUT


def test_a_lock_file_that_cannot_be_read(deadlines, leave, clock, said, monkeypatch) -> None:
    """A job is not ended because its lock file cannot be read for the moment, as when descriptors are short; that is said."""
    began = clock.monotonic()
    leave(begun(began, imports=False))
    clock.advance(IMPORT)

    def refuse(path: str):
        raise OSError(24, "Too many open files", os.path.basename(path))

    monkeypatch.setattr(traces, "peek", refuse)
    assert deadlines.of("x", 1, TIMEOUT, began).at == began + IMPORT + TIMEOUT
    assert said == [DeadlineNotKnown("x", "[Errno 24] Too many open files: 'x.lock'")]


def test_a_lock_file_that_the_job_removed(deadlines, leave, clock) -> None:
    """A job that removed its lock file has its timeout all the same."""
    began = clock.monotonic()
    leave(begun(began, imports=False))
    os.unlink(deadlines._layout.lock("x"))
    clock.advance(TIMEOUT - 1)
    assert deadlines.of("x", 1, TIMEOUT, began).at > clock.monotonic()
