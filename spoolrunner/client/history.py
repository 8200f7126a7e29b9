"""The history of a spool as values for charts: what happened in the last hour, day or month, by kind of job.

    history = History(settings.layout).of("day")
    [figures.ended.get("failed", 0) for figures in history.all]
    history.kinds["app.Report.build"][-1].started

The dispatcher writes it, a line a minute (`telling.minutes`). Minutes of which there is no line count as nothing happened.
"""

from __future__ import annotations

import threading
from typing import Any, Literal, NamedTuple

import orjson

from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, times
from spoolrunner.system.heldfiles import read_plain
from spoolrunner.telling.figures import BOUNDS, Figures, add_json, quantile
from spoolrunner.telling.minutes import MAX_BYTES, MINUTE, OTHER, day_of

__all__ = ["BOUNDS", "OTHER", "SPANS", "Figures", "Gauge", "History", "Span", "quantile"]
Name = Literal["hour", "day", "month"]
DAY = 86_400
SPANS: dict[str, tuple[int, int]] = {"hour": (MINUTE, 60), "day": (15 * MINUTE, 96), "month": (6 * 3600, 124)}
"""For each span, how many seconds a step has, and how many steps there are; the last one is under way."""
_LONGEST = 32 * DAY
_STEP = 15 * MINUTE
"""The step in which days that are over are remembered."""
_LATE = 600
"""Seconds after its end from which on a day is remembered: its last line is written when it is over."""
_MOST_BYTES = MAX_BYTES + (1 << 16)


class Gauge(NamedTuple):
    """How many jobs were due, waited and ran at the end of a minute; the most of a step. `state` is the last one in it."""

    due: int = 0
    waiting: int = 0
    running: int = 0
    state: str = ""


class Span(NamedTuple):
    """What happened from `begin` (seconds since 1970) on, in steps of `step` seconds: the lists have an entry for each.

    `all` has the figures of all kinds, `kinds` those of each, by JOB.METHOD or OTHER; the kinds with the most to say come
    first. `gauges` are None for steps of which nothing was written.
    """

    begin: float
    step: int
    all: list[Figures]
    kinds: dict[str, list[Figures]]
    gauges: list[Gauge | None]

    def total(self, kind: str | None = None) -> Figures:
        """Return the figures of the whole span: of all kinds, or of one."""
        total = Figures()
        for figures in self.all if kind is None else self.kinds.get(kind, []):
            total.add(figures)
        return total


class _Slot:
    """What the lines of one step say, added up."""

    __slots__ = ("gauge", "kinds")

    def __init__(self) -> None:
        self.kinds: dict[str, Figures] = {}
        self.gauge = Gauge()

    def add(self, other: _Slot) -> None:
        for kind, figures in other.kinds.items():
            self.kinds.setdefault(kind, Figures()).add(figures)
        self.meets(other.gauge)

    def meets(self, its: Gauge) -> None:
        mine = self.gauge
        due, waiting, running = map(max, mine[:3], its[:3])
        self.gauge = Gauge(due, waiting, running, its.state or mine.state)


_Slots = dict[int, _Slot]
"""By the second since 1970 at which the step begins."""


class History:
    """Reads the history of one spool, and remembers the days that are over. Any thread may ask it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._days: dict[str, _Slots] = {}

    def of(self, name: Name, now: float | None = None) -> Span:
        """Return the last hour in minutes, day in quarters of an hour, or month (31 days) in quarters of a day.

        It ends with the step that is under way at `now` (seconds since 1970), which is the present by default. OSError when a
        file cannot be read.
        """
        step, steps = SPANS[name]
        now = clock.SYSTEM.wall() if now is None else now
        end = (int(now) // step + 1) * step
        begin = end - step * steps
        slots: _Slots = {}
        with self._lock:
            self._days = {day: known for day, known in self._days.items() if day >= day_of(int(now) - _LONGEST)}
            for day in range(begin // DAY, (end - 1) // DAY + 1):
                for at, slot in self._day(day * DAY, step, is_over=(day + 1) * DAY + _LATE < now).items():
                    if begin <= at < end:
                        slots.setdefault(at // step * step, _Slot()).add(slot)
        return _span(begin, step, steps, slots)

    def _day(self, at: int, step: int, *, is_over: bool) -> _Slots:
        """What was written on the day that begins at that second, by minutes or, for longer steps, by quarters of an hour."""
        day = day_of(at)
        if step < _STEP:
            return self._read(day, step)
        known = self._days.get(day)
        if known is None:
            known = self._read(day, _STEP)
            if is_over:
                self._days[day] = known
        return known

    def _read(self, day: str, step: int) -> _Slots:
        slots: _Slots = {}
        for line in (read_plain(self._layout.minutes(day), _MOST_BYTES) or b"").splitlines():
            _add_line(slots, step, line)
        return slots


def _add_line(slots: _Slots, step: int, line: bytes) -> None:
    """Add what a line says to the step in which its minute is. What is no such line is passed over."""
    try:
        raw = orjson.loads(line)
        at, kinds = int(times.parse_time(raw["at"])), raw["kinds"].items()
    except (AttributeError, ValueError, KeyError, TypeError):
        return
    slot = slots.setdefault(at // step * step, _Slot())
    for kind, figures in kinds:
        total = slot.kinds.get(kind)
        if total is None:
            total = Figures()
        if add_json(total, figures):
            slot.kinds[kind] = total
    due, waiting, running = (_whole(raw.get(key)) for key in ("due", "waiting", "running"))
    slot.meets(Gauge(due, waiting, running, str(raw.get("state", ""))))


def _whole(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


def _span(begin: int, step: int, steps: int, slots: _Slots) -> Span:
    totals: dict[str, int] = {}
    for slot in slots.values():
        for kind, figures in slot.kinds.items():
            totals[kind] = totals.get(kind, 0) + figures.count
    kinds = {kind: [Figures() for _ in range(steps)] for kind in sorted(totals, key=lambda kind: (-totals[kind], kind))}
    everything = [Figures() for _ in range(steps)]
    gauges: list[Gauge | None] = [None] * steps
    for at, slot in slots.items():
        index = (at - begin) // step
        gauges[index] = slot.gauge
        for kind, figures in slot.kinds.items():
            kinds[kind][index].add(figures)
            everything[index].add(figures)
    return Span(float(begin), step, everything, kinds, gauges)
