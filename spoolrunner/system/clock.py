"""The only reader of the time, and how a time is written.

Wall time is in seconds since 1970 in UTC, as a float; it can jump. Monotonic time never jumps: it measures intervals, and all
processes of one boot of the machine share it. Code that needs the time is given a `Clock`, so that a test can set it.
Light: every job's process imports it.
"""

from __future__ import annotations

import sys
import time


class Clock:
    """The clocks of the machine."""

    wall = staticmethod(time.time)
    """Return the seconds since 1970, UTC."""
    monotonic = staticmethod(time.monotonic)
    """Return the seconds since some moment in the past; a later call never returns less."""

    work = staticmethod(time.thread_time)
    """Return the seconds for which this thread has had a core, so that what it does can be weighed on a busy machine."""

    def text(self) -> str:
        """Return the time by the wall clock as RFC 3339: what `format_time` makes of `wall`, without a float on the way."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        known, text = _last_second
        return f"{text if known == seconds else _to_the_second(seconds)}.{nanoseconds // 1000:06}Z"

    def sleep(self, seconds: float) -> None:
        """Wait for that many seconds. Use it only where there is no event to wait for."""
        time.sleep(seconds)


SYSTEM = Clock()


def since_boot() -> float:
    """Return the seconds since the machine was started, sleep included, as Linux counts them; 0.0 on other systems."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return 0.0


def format_time(wall: float) -> str:
    """Write a wall time (seconds since 1970) as RFC 3339 in UTC with microseconds: `2026-11-23T17:45:01.123456Z`."""
    seconds = int(wall // 1)
    microseconds = round((wall - seconds) * 1e6)
    if microseconds == 1_000_000:
        seconds, microseconds = seconds + 1, 0
    return f"{_to_the_second(seconds)}.{microseconds:06}Z"


def this_second() -> tuple[int, str]:
    """Return the current second and its text, for another process that is about to write times: see `know_second`."""
    second = int(time.time())
    return second, _to_the_second(second)


def know_second(known: tuple[int, str]) -> None:
    """Take over the text of a second: a process that writes times of just that second need not go through the calendar."""
    global _last_second  # noqa: PLW0603 -- as below
    _last_second = known


_last_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def _to_the_second(wall: int) -> str:
    global _last_second  # noqa: PLW0603 -- most times are written within the second of the last one
    if _last_second[0] != wall:
        year, month, day, hour, minute, second, *_ = time.gmtime(wall)
        _last_second = wall, f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return _last_second[1]
