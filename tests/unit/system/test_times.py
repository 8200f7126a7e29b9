"""The two notations of time: RFC 3339 times and durations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.system import clock, times

MOMENT = datetime(2026, 11, 23, 17, 45, 1, 123456, tzinfo=UTC).timestamp()
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T17:45:01.123456Z",
        "2026-11-23T18:45:01.123456+01:00",
        "2026-11-23T12:15:01.123456-05:30",
        "2026-11-24T17:44:01.123456+23:59",
    ],
)
def test_parse_time_with_any_offset(text) -> None:
    """A time with any offset from UTC is the moment it names."""
    assert times.parse_time(text) == MOMENT


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-11-23", "2026-11-23T17:45:01", "2026-13-01T00:00:00Z", "1795455901"]
)
def test_parse_time_refuses(text) -> None:
    """A text that is no time, or has no offset from UTC, is a ValueError."""
    with pytest.raises(ValueError, match=r"offset|RFC 3339|month"):
        times.parse_time(text)


@pytest.mark.parametrize("text", ["2026-W47-1T00:00:00+00:00", "20261123T174501Z", "2026-11-23T17Z"])
def test_parse_time_takes_only_rfc_3339(text) -> None:
    """A time in another of ISO 8601's notations is no RFC 3339 time."""
    with pytest.raises(ValueError, match=r"."):
        times.parse_time(text)


@given(st.integers(0, 4_000_000_000_000_000))
def test_time_round_trip(microseconds) -> None:
    """Every microsecond from 1970 to 2096 is read back as it was written."""
    wall = microseconds / 1e6
    text = clock.format_time(wall)
    assert text.endswith("Z")
    assert times.parse_time(text) == pytest.approx(wall, abs=1e-6)
    assert clock.format_time(times.parse_time(text)) == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        ("0s", 0.0),
        ("90s", 90.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("7d", 604800.0),
        ("1.5h", 5400.0),
        ("3650d", times.MAX_DURATION),
    ],
)
def test_parse_duration(value, seconds) -> None:
    """A duration is a number of seconds, or a number with one of the units s, m, h and d."""
    assert times.parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "5",
        "m",
        "5 m",
        " 5m",
        "5m\n",
        "5M",
        "5w",
        "-5m",
        "+5m",
        ".5m",
        "5.m",
        "1h30m",
        "٣m",
        "1e3s",
        None,
        True,
        [],
        {},
    ],
)
def test_parse_duration_refuses_other_notations(value) -> None:
    """Whatever is not written like a duration is a ValueError that shows how to write one."""
    with pytest.raises(ValueError, match="is no duration"):
        times.parse_duration(value)


@pytest.mark.parametrize("value", [-1, -0.001, "3651d", times.MAX_DURATION + 1, float("inf"), float("nan")])
def test_parse_duration_range(value) -> None:
    """A duration that is negative, endless or longer than ten years is out of range."""
    with pytest.raises(ValueError, match="out of range"):
        times.parse_duration(value)


def test_parse_duration_of_a_huge_integer() -> None:
    """An integer too large for a float is a ValueError like every other duration that is out of range."""
    with pytest.raises(ValueError, match="out of range"):
        times.parse_duration(10**400)


@given(st.integers(0, 3650), st.sampled_from(sorted(UNITS)))
def test_durations_in_units(number, unit) -> None:
    """A number with a unit means that many of its seconds."""
    assert times.parse_duration(f"{number}{unit}") == number * UNITS[unit]


@given(st.one_of(st.text(), st.floats(), st.integers(-(2**63), 2**64), st.none(), st.binary()))
def test_parse_duration_never_surprises(value) -> None:
    """Anything at all is either seconds within the limits or a ValueError."""
    try:
        seconds = times.parse_duration(value)
    except ValueError:
        return
    assert 0 <= seconds <= times.MAX_DURATION
