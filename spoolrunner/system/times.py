"""The two notations of time: RFC 3339 times and durations. `clock` has the way back, from a time to its text."""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import lru_cache

DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?[smhd]$"
MAX_DURATION = 3650 * 86400.0
"""Seconds; ten years. A longer one is a typing error, and leads to dates beyond the calendar."""
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@lru_cache(maxsize=256)  # the times of an attempt are read several times within a millisecond
def parse_time(text: str) -> float:
    """Return the seconds since 1970 of an RFC 3339 time; ValueError for any other text, or without an offset from UTC."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError(f"{text!r} is no RFC 3339 time; write 2026-11-23T17:45:01Z")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; write 2026-11-23T17:45:01Z")
    return moment.timestamp()


def parse_duration(value: object) -> float:
    """Return the seconds of a duration: a number of seconds, or a text like "90s", "5m", "2h", "7d"; else ValueError."""
    if isinstance(value, str) and re.fullmatch(DURATION_PATTERN, value):
        seconds = float(value[:-1]) * _UNITS[value[-1]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= MAX_DURATION else math.inf  # an integer may be too large for a float
    else:
        raise ValueError(f'{value!r} is no duration: write seconds as a number, or "90s", "5m", "2h", "7d"')
    if not 0 <= seconds <= MAX_DURATION:
        raise ValueError(f"{value!r} is out of range: a duration lies between 0 and 3650d")
    return seconds
