"""How numbers, times and durations are written."""

from __future__ import annotations

import math

import pytest

from spoolrunner.web import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0204, "20 ms"),
        (4.12, "4.1 s"),
        (9.96, "10 s"),
        (48.2, "48 s"),
        (60, "1 m"),
        (130, "2 m 10 s"),
        (3599, "59 m 59 s"),
        (3600, "1 h"),
        (7300, "2 h 1 m"),
        (86399, "23 h 59 m"),
        (273600, "3 d 4 h"),
        (-5, "0 ms"),
        (math.inf, "for ever"),
    ],
)
def test_duration(seconds, text) -> None:
    """A duration has two units at most."""
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1912, "1.9 kB"), (48_500_000_000, "48.5 GB")]
)
def test_size(count, text) -> None:
    """Bytes are in the unit that fits."""
    assert words.size(count) == text


def test_other_numbers() -> None:
    """Thousands have a comma; what is ago has one unit; a stopwatch has hours where there are some."""
    assert (words.number(18402), words.plural(1, "job"), words.plural(2000, "job")) == ("18,402", "1 job", "2,000 jobs")
    assert [words.ago(seconds) for seconds in (4, 199, 7300, 172801)] == ["4 s", "3 m", "2 h", "2 d"]
    assert [words.stopwatch(seconds) for seconds in (47.9, 784, 7390)] == ["0:47", "13:04", "2:03:10"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.03, "30 ms"),
        (0.3, "0.3 s"),
        (1.0, "1 s"),
        (30, "30 s"),
        (100, "2 m"),
        (1000, "17 m"),
        (30000, "8 h"),
        (math.inf, "longer"),
    ],
)
def test_bounds(seconds, text) -> None:
    """A bound of a histogram is not more exact than it is."""
    assert words.about(seconds) == text


def test_moments(monkeypatch) -> None:
    """A time of today is written without its day, one of this week with its weekday, another with its date."""
    now = 1_800_000_000.0  # Friday 2027-01-15, 08:00 UTC
    assert words.moment(now, now) == words.clock(now, "hms")
    assert words.moment(now - 10 * 86400, now).startswith("Jan 5, ")
    assert words.moment(now - 400 * 86400, now).startswith("Dec 11 2025")
    assert words.short_moment(now + 3 * 86400, now).startswith("Mon ")
    assert words.rfc3339(now + 0.5) == "2027-01-15T08:00:00.500Z"


def test_times_beyond_the_calendar() -> None:
    """What a document says may be any number: nothing fails of it."""
    assert words.rfc3339(1e300) == ""
    assert words.moment(1e300, 1.8e9)
    assert words.seconds_of("2027-01-15T08:00:00Z") == 1_800_000_000.0
    assert (words.seconds_of("x"), words.seconds_of(5), words.seconds_of(None)) == (None, None, None)


def test_zone() -> None:
    """The zone of the machine is named, with its distance from UTC unless it is none."""
    assert words.zone(1.8e9) == "UTC" or "UTC" in words.zone(1.8e9)
