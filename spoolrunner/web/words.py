"""How the page writes numbers, times and durations. Pure; all texts are plain, and escaped where they are shown."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from spoolrunner.system.times import parse_time

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: float) -> str:
    """Return a number with a comma between thousands: `18,402`."""
    return f"{value:,.0f}"


def size(count: float) -> str:
    """Return bytes in the unit that fits: `48.5 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError(count)


def duration(seconds: float) -> str:
    """Return how long something took: `20 ms`, `4.1 s`, `48 s`, `2 m 10 s`, `3 d 4 h`."""
    if not math.isfinite(seconds):
        return "for ever"
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, below, name, small in ((_MINUTE, 1, "m", "s"), (_HOUR, _MINUTE, "h", "m"), (_DAY, _HOUR, "d", "h")):
        if whole < unit * (_DAY // _HOUR if name == "h" else 60) or name == "d":
            if whole < unit:
                break
            first, rest = divmod(whole, unit)
            rest //= below
            return f"{first} {name} {rest} {small}" if rest else f"{first} {name}"
    return f"{whole} s"


def about(seconds: float) -> str:
    """Return a bound of a histogram in one unit: `30 ms`, `0.3 s`, `10 s`, `17 m`, `3 h`."""
    if not math.isfinite(seconds):
        return "longer"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:g} s"


def ago(seconds: float) -> str:
    """Return how long something is ago, in one unit: `4 s`, `3 m`, `2 h`, `5 d`."""
    seconds = max(0.0, seconds)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"


def stopwatch(seconds: float) -> str:
    """Return a running time as a stopwatch shows it: `0:47`, `13:04`, `2:03:10`."""
    whole = int(max(0.0, seconds))
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


FORMS = {"hm": "%H:%M", "hms": "%H:%M:%S", "ms": "%H:%M:%S", "day": "%b {day}", "dhm": "%b {day}, %H:%M"}
"""How times are written: hours and minutes, with seconds, with milliseconds, the day alone, the day and the time."""


def clock(wall: float, form: str) -> str:
    """Return a time in the zone of this machine, in one of FORMS."""
    at = _local(wall)
    text = f"{at:{FORMS[form].format(day=at.day)}}"
    return f"{text}.{at.microsecond // 1000:03}" if form == "ms" else text


def is_today(wall: float, now: float) -> bool:
    """Return whether a time is of the day of now, in the zone of this machine."""
    return _local(wall).date() == _local(now).date()


def moment(wall: float, now: float) -> str:
    """Return a time in the zone of this machine: the time alone when it is of today, with the day else."""
    at, today = _local(wall), _local(now)
    if at.date() == today.date():
        return f"{at:%H:%M:%S}"
    day = f"{at:%b} {at.day}"
    return f"{day}, {at:%H:%M}" if at.year == today.year else f"{day} {at.year}, {at:%H:%M}"


def short_moment(wall: float, now: float) -> str:
    """Return a time to come or gone in as few letters as it takes: `12:00`, `Mon 07:00`, `Dec 1, 03:30`."""
    at, today = _local(wall), _local(now)
    days = (at.date() - today.date()).days
    if days == 0:
        return f"{at:%H:%M}"
    if -6 <= days <= 6:
        return f"{at:%a %H:%M}"
    return f"{at:%b} {at.day}, {at:%H:%M}" if at.year == today.year else f"{at:%b} {at.day} {at.year}"


def rfc3339(wall: float) -> str:
    """Return a time in UTC, to the millisecond, as an attribute `datetime` has it."""
    try:
        return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return ""


def zone(now: float) -> str:
    """Return the name of the zone of this machine and how far it is from UTC: `CET (UTC+01:00)`, or `UTC` alone."""
    name, offset = _local(now).tzname() or "", f"{_local(now):%z}"
    if name == "UTC" or offset == "+0000":
        return "UTC"
    return f"{name} (UTC{offset[:3]}:{offset[3:5]})"


def seconds_of(text: Any) -> float | None:
    """Return a time of a document in seconds since 1970; None where it is none."""
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


def quoted(name: str) -> str:
    """Return a name as it stands in an address."""
    return quote(name, safe="")


def plural(count: int, word: str, words: str = "") -> str:
    """Return a number with its word: `1 job`, `2 jobs`."""
    return f"{number(count)} {word if count == 1 else words or word + 's'}"


def _local(wall: float) -> datetime:
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone()
    except (OverflowError, OSError, ValueError):  # a time of a document may be beyond the calendar
        return datetime.fromtimestamp(0, UTC).astimezone()
