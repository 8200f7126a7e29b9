"""When schedules are due: periods, cron expressions, and the nights in which the clock is set for daylight saving time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol import timing
from spoolrunner.protocol.timing import Cron, Due, Every, parse_cron, parse_every, zone_problem
from spoolrunner.system import times

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
SANTIAGO, CAIRO, KATHMANDU, TROLL = "America/Santiago", "Africa/Cairo", "Asia/Kathmandu", "Antarctica/Troll"
ZONES = ("UTC", BERLIN, NEW_YORK, LORD_HOWE, SANTIAGO, CAIRO, KATHMANDU, TROLL)


def at(text: str) -> int:
    """A moment in 2026, as `03-29T01:00`, in UTC."""
    return int(times.parse_time(f"2026-{text}:00Z"))


def shown(slot: int) -> str:
    return datetime.fromtimestamp(slot, UTC).strftime("%m-%dT%H:%M")


def slots(made: timing.Timing, begin: str, end: str) -> list[str]:
    """The slots after one moment, up to another."""
    found, moment = [], made.after(at(begin))
    while moment is not None and moment <= at(end):
        found.append(shown(moment))
        moment = made.after(moment)
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "begin", "end", "expected"),
    [
        # Berlin, 29 March: 02:00 is followed by 03:00, which is 01:00 UTC.
        ("30 2 * * *", BERLIN, "03-28T12:00", "03-30T12:00", ["03-29T01:00", "03-30T00:30"]),
        ("0 2 * * *", BERLIN, "03-28T12:00", "03-30T12:00", ["03-29T01:00", "03-30T00:00"]),
        ("0,30 2 * * *", BERLIN, "03-28T12:00", "03-29T12:00", ["03-29T01:00"]),
        ("0 2,3 * * *", BERLIN, "03-28T12:00", "03-29T12:00", ["03-29T01:00"]),
        ("30 1-3 * * *", BERLIN, "03-28T12:00", "03-29T12:00", ["03-29T00:30", "03-29T01:00", "03-29T01:30"]),
        ("0 3 * * *", BERLIN, "03-28T12:00", "03-30T12:00", ["03-29T01:00", "03-30T01:00"]),
        ("*/30 * * * *", BERLIN, "03-29T00:00", "03-29T01:30", ["03-29T00:30", "03-29T01:00", "03-29T01:30"]),
        ("30 * * * *", BERLIN, "03-29T00:00", "03-29T02:00", ["03-29T00:30", "03-29T01:30"]),
        ("15 */2 * * *", BERLIN, "03-28T23:00", "03-29T03:00", ["03-28T23:15", "03-29T02:15"]),
        ("30 2 29 3 *", BERLIN, "01-01T00:00", "12-31T00:00", ["03-29T01:00"]),
        ("30 2 * * SUN", BERLIN, "03-25T00:00", "04-05T12:00", ["03-29T01:00", "04-05T00:30"]),
        # Berlin, 25 October: 03:00 is followed by 02:00, which is 01:00 UTC.
        ("30 2 * * *", BERLIN, "10-24T12:00", "10-26T12:00", ["10-25T00:30", "10-26T01:30"]),
        ("0 2 * * *", BERLIN, "10-24T12:00", "10-25T12:00", ["10-25T00:00"]),
        ("0 3 * * *", BERLIN, "10-24T12:00", "10-25T12:00", ["10-25T02:00"]),
        ("30 1-3 * * *", BERLIN, "10-24T12:00", "10-25T12:00", ["10-24T23:30", "10-25T00:30", "10-25T02:30"]),
        ("*/30 2 * * *", BERLIN, "10-24T12:00", "10-25T12:00", ["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30"]),
        ("0 * * * *", BERLIN, "10-24T23:30", "10-25T02:30", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]),
        ("@hourly", BERLIN, "10-24T23:30", "10-25T02:30", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]),
        # New York, 8 March: 02:00 is followed by 03:00 (07:00 UTC); 1 November: 02:00 by 01:00 (06:00 UTC).
        ("30 2 * * *", NEW_YORK, "03-07T12:00", "03-09T12:00", ["03-08T07:00", "03-09T06:30"]),
        ("30 1 * * *", NEW_YORK, "10-31T12:00", "11-02T12:00", ["11-01T05:30", "11-02T06:30"]),
        ("*/30 1 * * *", NEW_YORK, "10-31T12:00", "11-01T12:00", ["11-01T05:00", "11-01T05:30", "11-01T06:00", "11-01T06:30"]),
        # Lord Howe Island, 4 October: 02:00 is followed by 02:30 (15:30 UTC); 5 April: 02:00 by 01:30 (15:00 UTC).
        ("15 2 * * *", LORD_HOWE, "10-03T00:00", "10-04T20:00", ["10-03T15:30", "10-04T15:15"]),
        ("0 2 * * *", LORD_HOWE, "10-03T00:00", "10-04T00:00", ["10-03T15:30"]),
        ("45 1 * * *", LORD_HOWE, "04-04T00:00", "04-05T20:00", ["04-04T14:45", "04-05T15:15"]),
        ("*/15 * * * *", LORD_HOWE, "04-04T14:40", "04-04T15:40", ["04-04T14:45", "04-04T15:00", "04-04T15:15", "04-04T15:30"]),
        # Santiago, 6 September: midnight is followed by 01:00 (04:00 UTC); 5 April: midnight by 23:00 (03:00 UTC).
        ("0 0 * * *", SANTIAGO, "09-05T12:00", "09-07T12:00", ["09-06T04:00", "09-07T03:00"]),
        ("@daily", SANTIAGO, "09-05T12:00", "09-06T12:00", ["09-06T04:00"]),
        ("*/30 * * * SUN", SANTIAGO, "09-05T12:00", "09-06T04:40", ["09-06T04:00", "09-06T04:30"]),
        ("30 23 * * *", SANTIAGO, "04-04T12:00", "04-06T12:00", ["04-05T02:30", "04-06T03:30"]),
        ("0 0 * * *", SANTIAGO, "04-04T12:00", "04-05T12:00", ["04-05T04:00"]),
        # Cairo, 24 April: midnight is followed by 01:00 (22:00 UTC the day before).
        ("0 0 * * *", CAIRO, "04-23T12:00", "04-24T23:00", ["04-23T22:00", "04-24T21:00"]),
        # Troll, 29 March: 01:00 is followed by 03:00 (01:00 UTC).
        ("30 1,2 * * *", TROLL, "03-28T12:00", "03-29T12:00", ["03-29T01:00"]),
        # Zones that set no clock.
        ("30 2 * * *", "UTC", "03-28T12:00", "03-30T12:00", ["03-29T02:30", "03-30T02:30"]),
        ("0 3 * * *", KATHMANDU, "03-28T12:00", "03-29T23:00", ["03-28T21:15", "03-29T21:15"]),
    ],
)  # fmt: skip
def test_the_nights_in_which_the_clock_is_set(expression, zone, begin, end, expected) -> None:
    """A fixed time that does not exist is due once, at the next instant; one that comes twice once; `*` follows the clock."""
    assert slots(parse_cron(expression, zone), begin, end) == expected


@pytest.mark.parametrize("begin", ["10-25T00:31", "10-25T00:45", "10-25T01:10", "10-25T01:29", "10-25T01:31"])
def test_what_was_due_in_the_first_of_two_hours_is_not_due_in_the_second(begin) -> None:
    """Asked in the middle of the doubled hour, a fixed time of it that is over comes on the next day, not again."""
    assert slots(parse_cron("30 2 * * *", BERLIN), begin, "10-26T12:00") == ["10-26T01:30"]


FIELDS = [
    st.sampled_from(["*", "*/7", "0", "30", "5,35", "10-20/5", "59"]),
    st.sampled_from(["*", "*/3", "0", "1", "2", "2,3", "23", "1-4"]),
    st.sampled_from(["*", "1", "15", "L", "29", "*/2"]),
    st.sampled_from(["*", "3", "10", "4,9,11", "2"]),
    st.sampled_from(["*", "SUN", "1-5", "MON#2", "5L", "0,6"]),
]
YEAR = st.integers(at("01-01T00:00"), at("12-31T23:00"))


@given(st.tuples(*FIELDS).map(" ".join), st.sampled_from(ZONES), YEAR, st.integers(0, 40 * 86400))
def test_the_slots_do_not_depend_on_where_one_begins_to_look(expression, zone, begin, seconds) -> None:
    """The slots of a time are the same, one after the other or from its end; each comes after the one before."""
    made = Cron(expression, zone)
    one_by_one, moment = [], made.after(begin)
    while moment is not None and moment <= begin + seconds:
        one_by_one.append(moment)
        moment = made.after(moment)
    assert all(first < second for first, second in pairwise(one_by_one))
    found = made.due(begin, begin + seconds)
    if not one_by_one:
        assert found is None
        return
    assert found is not None
    before_last = one_by_one[-2] if len(one_by_one) > 1 else None
    assert found[:3] == (one_by_one[0], one_by_one[-1], before_last)
    assert found.number in (None, len(one_by_one))


@given(st.integers(1, 200_000), st.integers(-(10**6), 10**10), st.integers(0, 10**7))
def test_a_period_is_counted_from_1970(seconds, begin, length) -> None:
    """The slots of a period are its multiples, whenever a dispatcher was started."""
    made = Every(seconds)
    assert made.after(begin) % seconds == 0
    assert begin < made.after(begin) <= begin + seconds
    found = made.due(begin, begin + length)
    expected = range(made.after(begin), begin + length + 1, seconds)
    if not expected:
        assert found is None
        return
    before_last = expected[-2] if len(expected) > 1 else None
    assert found == Due(expected[0], expected[-1], before_last, len(expected))


def test_ten_years_of_minutes_are_looked_at_in_no_time() -> None:
    """After years without a dispatcher the last slot is found without going through all; they are not counted."""
    made = parse_cron("* * * * *", BERLIN)
    end = at("06-01T00:00")
    assert made.due(end - 10 * 365 * 86400, end) == Due(end - 10 * 365 * 86400 + 60, end, end - 60, None)


@pytest.mark.parametrize(
    ("period", "words", "text"),
    [("10m", "every 10 minutes", "every 600 s"), (1, "every second", "every 1 s"), ("90s", "every 90 seconds", "every 90 s"),
     ("24h", "every day", "every 86400 s"), ("60m", "every hour", "every 3600 s")],
)  # fmt: skip
def test_a_period_in_words(period, words, text) -> None:
    """A period is named by the largest unit that divides it."""
    made = parse_every(period)
    assert (made.words, made.text) == (words, text)


def test_an_expression_in_words() -> None:
    """A cron expression is explained in words, with its zone."""
    assert parse_cron("0 3 * * 1-5", BERLIN).words == "At 03:00 on Monday through Friday, Europe/Berlin"
    assert parse_cron("@daily", "UTC").words == "At 00:00 every day, UTC"
    assert parse_cron("@daily", "UTC").text == "@daily UTC"


@pytest.mark.parametrize("period", [0, 0.5, "0s", "1.5s", -1, "10", "soon", True, None, "3651d"])
def test_what_is_no_period(period) -> None:
    """A period is a duration of whole seconds."""
    with pytest.raises(ValueError, match=r"duration|period"):
        parse_every(period)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("61 * * * *", "'61 * * * *' is no cron expression: bad minute; write minute hour"),
        ("* 24 * * *", "bad hour"),
        ("*/0 * * * *", "bad minute"),
        ("* * * * MOM", "bad day-of-week"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("* * * *", "has not five fields"),
        ("", "has not five fields"),
        ("* * * * * *", 'for seconds there is "every"'),
        ("9" * 5000 + " * * * *", "has not five fields"),
        ("@dayly", "did you mean '@daily'?"),
        ("@reboot", "'@reboot' is no cron expression"),
    ],
)
def test_what_is_no_expression(expression, problem) -> None:
    """An expression that means nothing is refused with the field that is wrong, and how one is written."""
    with pytest.raises(ValueError, match=r"is no cron expression|has not five fields") as caught:
        parse_cron(expression, "UTC")
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "name", ["Europe/Berlim", "Europe", "", "../etc/passwd", "/etc/passwd", "\0", "é", "a" * 300, "a/"]
)
def test_what_is_no_zone(name) -> None:
    """A name that the database has not is refused, whatever it leads to."""
    assert "is no time zone" in zone_problem(name)


def test_a_zone() -> None:
    """A name of the database is a zone; a similar one is suggested for another."""
    assert [zone_problem(name) for name in ZONES] == [""] * len(ZONES)
    assert "did you mean 'Europe/Berlin'?" in zone_problem("Europe/Berlim")


def test_a_database_that_is_not_there_is_named(monkeypatch) -> None:
    """Where the system has no database of zones, it is said what installs one."""
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert "pip install 'spoolrunner[schedules]'" in zone_problem("Europe/Nowhere")


def test_a_package_that_is_not_there_is_named(monkeypatch) -> None:
    """Without cronsim it is said what installs it."""
    assert timing.missing_package() == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'spoolrunner[schedules]'" in timing.missing_package()


def test_the_calendar_has_an_end() -> None:
    """Behind the year 9999 nothing is due, and nothing fails."""
    assert parse_cron("0 3 * * *", BERLIN).after(253_402_300_000) is None
    assert parse_cron("0 3 * * *", BERLIN).after(10**15) is None
