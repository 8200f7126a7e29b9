"""When a schedule is due: cron expressions in a time zone, and fixed periods. Reads no clock.

    timing = parse_cron("0 3 * * *", "Europe/Berlin")
    timing.after(1_800_000_000)

A moment at which a schedule is due is a slot, in whole seconds since 1970. In nights in which the clock is set for daylight
saving time this does what Debian's cron does: a fixed time that does not exist is due once, at the next instant that does; one
that comes twice is due once; an expression with `*` or `*/n` in its minutes or hours follows the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import NamedTuple, Protocol

from spoolrunner.errors import nearest
from spoolrunner.system import times

EXTRA = "pip install 'spoolrunner[schedules]'"
"""What installs the packages that cron expressions need."""
NAMED_EXPRESSIONS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ADVICE = 'write minute hour day-of-month month day-of-week, as in "0 3 * * *", or one of ' + ", ".join(
    NAMED_EXPRESSIONS
)
_LONGEST = 200
"""Characters of a cron expression."""
_HOUR, _DAY = 3600, 86400
_WINDOWS = (2 * _HOUR, 2 * _DAY, 40 * _DAY, 400 * _DAY, 10 * 366 * _DAY)
"""Seconds before a moment in which the last slots are looked for, one window after the other."""
_SOME_DAY = 1_767_225_600
"""2026-01-01: an expression that is never due in the fifty years after it is never due."""
_UNITS = (("day", _DAY), ("hour", _HOUR), ("minute", 60), ("second", 1))


class Due(NamedTuple):
    """The slots of a time: the first one, the last one, and the last but one, which is None when there is one alone.

    `number` is how many there are, None where they are too many to be counted.
    """

    first: int
    last: int
    before_last: int | None
    number: int | None


class Timing(Protocol):
    """When a schedule is due. `text` tells one timing from another; `words` are for people."""

    @property
    def text(self) -> str:
        """The timing as the note of a schedule names it."""

    @property
    def words(self) -> str:
        """The timing in words."""

    @property
    def zone(self) -> tzinfo:
        """The time zone in which people read its slots."""

    def after(self, moment: int) -> int | None:
        """Return the first slot after `moment`; None when there is none."""

    def due(self, after: int, until: int) -> Due | None:
        """Return the slots after `after`, up to and with `until`; None when there are none."""


@dataclass(frozen=True)
class Every:
    """A fixed period in seconds. Its slots are the multiples of it, counted from 1970-01-01T00:00:00Z."""

    seconds: int

    @property
    def text(self) -> str:
        """The timing as the note of a schedule names it."""
        return f"every {self.seconds} s"

    @property
    def words(self) -> str:
        """The timing in words: `every 10 minutes`."""
        unit, size = next((unit, size) for unit, size in _UNITS if self.seconds % size == 0)
        number = self.seconds // size
        return f"every {unit}" if number == 1 else f"every {number} {unit}s"

    @property
    def zone(self) -> tzinfo:
        """The time zone in which people read its slots: UTC."""
        return UTC

    def after(self, moment: int) -> int:
        """Return the first slot after `moment`."""
        return (moment // self.seconds + 1) * self.seconds

    def due(self, after: int, until: int) -> Due | None:
        """Return the slots after `after`, up to and with `until`; None when there are none."""
        first, last = self.after(after), until // self.seconds * self.seconds
        if first > last:
            return None
        return Due(first, last, last - self.seconds if last > first else None, (last - first) // self.seconds + 1)


@dataclass(frozen=True)
class Cron:
    """A cron expression of five fields, in a time zone of the IANA database. Made by `parse_cron`, which checks both."""

    expression: str
    timezone: str

    @property
    def text(self) -> str:
        """The timing as the note of a schedule names it."""
        return f"{self.expression} {self.timezone}"

    @cached_property
    def words(self) -> str:
        """The timing in words: `At 03:00 every day, Europe/Berlin`."""
        from cronsim import CronSim

        return f"{CronSim(self._fields, datetime(2026, 1, 1, tzinfo=UTC)).explain()}, {self.timezone}"

    def after(self, moment: int) -> int | None:
        """Return the first slot after `moment`; None when there is none within fifty years."""
        return next(self._slots(moment), None)

    def due(self, after: int, until: int) -> Due | None:
        """Return the slots after `after`, up to and with `until`; None when there are none."""
        first = self.after(after)
        if first is None or first > until:
            return None
        # There may be a million between: the last ones are looked for shortly before the end.
        for seconds in (*_WINDOWS, until - after):
            begin = max(after, until - seconds)
            last, before_last, count = first, None, 0
            for slot in self._slots(begin):
                if slot > until:
                    break
                last, before_last, count = slot, last if count else None, count + 1
            if begin == after or count >= 2:
                break
        return Due(first, last, before_last, count if begin == after else None)

    @property
    def _fields(self) -> str:
        return NAMED_EXPRESSIONS.get(self.expression, self.expression)

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of the expression."""
        return _zone(self.timezone)

    def _slots(self, after: int) -> Iterator[int]:
        from cronsim import CronSim

        last = after
        try:
            for found in CronSim(self._fields, datetime.fromtimestamp(after, self.zone)):
                slot = int(found.timestamp())
                if slot > last:  # of a time that comes twice the first may be behind us
                    last = slot
                    yield slot
        except (OverflowError, ValueError):
            return  # the calendar ends with the year 9999


def missing_package() -> str:
    """Return what is not installed that cron expressions need, with what to do; empty when all is there."""
    from importlib.util import find_spec

    return "" if find_spec("cronsim") else f"a cron expression needs the package cronsim: {EXTRA}"


def parse_cron(expression: str, timezone: str) -> Cron:
    """Return the timing of a cron expression; ValueError says what is wrong with it. Needs the package cronsim."""
    from cronsim import CronSim, CronSimError

    fields = NAMED_EXPRESSIONS.get(expression, expression)
    shown = repr(expression if len(expression) <= _LONGEST else expression[:_LONGEST] + "…")
    if fields.startswith("@"):
        raise ValueError(f"{shown} is no cron expression{nearest(expression, NAMED_EXPRESSIONS)}; {_ADVICE}")
    if len(fields.split()) != 5 or len(fields) > _LONGEST:
        seconds = '; for seconds there is "every"' if len(fields.split()) == 6 else ""
        raise ValueError(f"{shown} has not five fields; {_ADVICE}{seconds}")
    try:
        CronSim(fields, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        problem = str(error)
        raise ValueError(f"{shown} is no cron expression: {problem[:1].lower()}{problem[1:]}; {_ADVICE}") from None
    if Cron(expression, "UTC").after(_SOME_DAY) is None:
        raise ValueError(f"{shown} is never due: there is no such day")
    return Cron(expression, timezone)


def parse_every(period: object) -> Every:
    """Return the timing of a period, a duration as in the other keys; ValueError when it is none of whole seconds."""
    seconds = times.parse_duration(period)
    if seconds < 1 or seconds != int(seconds):
        raise ValueError(f"{period!r} is no period: it must be whole seconds, at least one")
    return Every(int(seconds))


def zone_problem(name: str) -> str:
    """Return why `name` is no time zone of this machine, with the most similar name; empty when it is one."""
    from zoneinfo import available_timezones

    try:
        _zone(name)
    except (ValueError, OSError, KeyError):
        known = available_timezones()
        if not known:
            return f"{name!r}: there is no database of time zones here: {EXTRA}"
        return f"{name!r} is no time zone; write one as in Europe/Berlin{nearest(name, known)}"
    return ""


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    return UTC if name == "UTC" else ZoneInfo(name)
