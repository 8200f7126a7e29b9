"""The clock: the machine's clocks, and how a time is written."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.system import clock


def test_format_time() -> None:
    """A time is written in UTC, with microseconds and a Z."""
    moment = datetime(2026, 11, 23, 17, 45, 1, 123456, tzinfo=UTC).timestamp()
    assert clock.format_time(moment) == "2026-11-23T17:45:01.123456Z"
    assert clock.format_time(0) == "1970-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.9999999, "1970-01-01T00:00:01.000000Z"),
        (1_798_761_599.9999999, "2027-01-01T00:00:00.000000Z"),
        (-0.5, "1969-12-31T23:59:59.500000Z"),
        (1_709_164_800, "2024-02-29T00:00:00.000000Z"),
    ],
)
def test_format_time_at_the_edges(wall, text) -> None:
    """What rounds up to the next second is written with that second, also at the end of a year; before 1970 it counts back."""
    assert clock.format_time(wall) == text


@given(st.floats(0, 4_000_000_000), st.floats(0, 4_000_000_000))
def test_format_time_remembers_nothing_of_the_time_before(first, second) -> None:
    """Whatever was written before, a time is written as if it were the first."""
    clock.format_time(second)
    text = clock.format_time(first)
    assert datetime.fromisoformat(text).timestamp() == pytest.approx(first, abs=1e-6)


@given(st.integers(0, 4_000_000_000), st.integers(0, 4_000_000_000))
def test_times_sort_as_text(first, second) -> None:
    """Written times sort like the moments they name."""
    assert (first < second) == (clock.format_time(first) < clock.format_time(second))


def test_work() -> None:
    """What a thread does counts for that thread alone, and waiting counts for none."""
    begun = clock.SYSTEM.work()
    sum(range(100_000))
    worked = clock.SYSTEM.work() - begun
    assert worked > 0
    with ThreadPoolExecutor(1) as other:
        assert other.submit(clock.SYSTEM.work).result() < begun + worked


def test_the_time_as_text() -> None:
    """The clock tells its time as text as `format_time` would, never rounded into the future."""
    before = clock.format_time(time.time() - 1e-5)
    assert before <= clock.SYSTEM.text() <= clock.format_time(time.time() + 1e-5)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (1_709_164_800_000_000_999, "2024-02-29T00:00:00.000000Z"),
        (1_709_164_800_999_999_999, "2024-02-29T00:00:00.999999Z"),
        (1_709_164_801_000_001_000, "2024-02-29T00:00:01.000001Z"),
    ],
)
def test_the_time_as_text_is_cut(monkeypatch, nanoseconds, text) -> None:
    """Parts of a microsecond are cut off, so that a second never shows before it has begun."""
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    assert clock.SYSTEM.text() == text


@given(st.integers(0, 4_000_000_000), st.integers(0, 4_000_000_000))
def test_a_second_that_another_process_knew(known, wall) -> None:
    """Whatever second a process was told the text of, it writes the right text for every time."""
    text = clock.format_time(wall)
    clock.know_second((known, clock.format_time(known)[:19]))
    assert clock.format_time(wall) == text


def test_this_second() -> None:
    """The current second is told with the text that it is written by."""
    before = int(time.time())
    second, text = clock.this_second()
    assert before <= second <= time.time()
    assert clock.format_time(second) == f"{text}.000000Z"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_since_boot() -> None:
    """The time since boot goes on with the others, and counts at least what the machine was awake."""
    first = clock.since_boot()
    assert time.monotonic() - 0.1 <= first <= clock.since_boot()


def test_system_clock(monkeypatch) -> None:
    """The system's clock reads the machine's, and sleeps by it."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    before = time.time()
    assert before <= clock.SYSTEM.wall() <= time.time()
    assert clock.SYSTEM.monotonic() <= clock.SYSTEM.monotonic()
    clock.SYSTEM.sleep(1.5)
    assert slept == [1.5]
