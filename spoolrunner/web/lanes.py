"""The charts of the overview: what happened in the last hour, day or month, a lane for each folder, on one axis of time.

Values of the history in, lanes with drawings and words out. Each number beside a lane leads to the files that it counts.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from spoolrunner.client.history import SPANS, Figures, Span, quantile
from spoolrunner.protocol.states import Outcome
from spoolrunner.telling.minutes import SERVING
from spoolrunner.web import drawings, words

NAMES = tuple(SPANS)
"""The spans of time that can be shown: hour, day, month."""
_NEWER = {"hour": "1h", "day": "1d", "month": "31d"}
_HALF, _MOST = 0.5, 0.95
_NOTHING = "none"


class Lane(NamedTuple):
    """One lane: its class and name, what it shows, the drawing, the number, its address ("" for none), and words beside."""

    tone: str
    name: str
    about: str
    drawing: Markup
    number: str
    address: str
    beside: str


class Chart(NamedTuple):
    """The lanes, and the moments at the quarters of their axis, in seconds since 1970; the last one is now."""

    name: str
    lanes: list[Lane]
    axis: list[float]


def chart(name: str, span: Span, places: int | None, due: int, now: float) -> Chart:
    """Return the chart of a span. `places` is how many jobs may run at a time, None where nobody says; `due` wait now."""
    lanes = [
        _due(name, span, due),
        _waits(name, span),
        _running(name, span, places),
        _done(name, span),
        _failed(name, span),
    ]
    lanes.append(_control(span))
    quarter = (now - span.begin) / 4
    return Chart(name, lanes, [span.begin + quarter * part for part in range(5)])


def _due(name: str, span: Span, due: int) -> Lane:
    values = [0.0 if gauge is None else float(gauge.due) for gauge in span.gauges]
    most = max(values, default=0.0)
    told = f"Due jobs in the last {name}: {words.number(most)} at most, {words.number(due)} now"
    beside = f"due, {words.number(most)} at most"
    return Lane(
        "pending", "pending/", "due and not started", drawings.area(values, told), words.number(due), "pending/", beside
    )


def _waits(name: str, span: Span) -> Lane:
    half, most = (_quantile(span.total().waited, share) for share in (_HALF, _MOST))
    rows = [[_quantile(figures.waited, share) for figures in span.all] for share in (_MOST, _HALF)]
    upper, lower = ([value or 0.0 for value in row] for row in rows)
    if half is None or most is None:
        return Lane(
            "",
            "wait",
            "from due to start",
            drawings.area(upper, f"No job was started in the last {name}"),
            _NOTHING,
            "",
            "",
        )
    told = f"From due to start: half of the jobs waited less than {words.duration(half)}, 95 % less than {words.duration(most)}"
    beside = f"half waited less; 95 % less than {words.duration(most)}"
    return Lane(
        "", "wait", "95 % and half of the jobs", drawings.area(upper, told, lower), words.duration(half), "", beside
    )


def _running(name: str, span: Span, places: int | None) -> Lane:
    values = [0.0 if gauge is None else float(gauge.running) for gauge in span.gauges]
    mean = sum(values) / len(values) if values else 0.0
    if not places:
        told = f"Jobs that ran in the last {name}: {mean:.1f} on average"
        return Lane(
            "running", "running/", "at a time", drawings.bars(values, told), f"{mean:.1f}", "running/", "on average"
        )
    used = f"{100 * mean / places:.0f} %"
    told = f"Slots in use in the last {name}: {used} of {places} on average"
    about = f"{words.plural(places, 'slot')}, in use"
    return Lane(
        "running", "running/", about, drawings.bars(values, told, most=places), used, "running/", "of the slots in use"
    )


def _done(name: str, span: Span) -> Lane:
    values = [float(figures.ended.get(Outcome.SUCCEEDED, 0)) for figures in span.all]
    total = sum(values)
    best = f"{words.number(max(values, default=0.0))} in the best {_step(span)}"
    told = f"Jobs done in the last {name}: {words.number(total)}; {best}"
    beside = f"in the {name}, {_rate(total, span)}"
    address = f"done/?newer={_NEWER[name]}"
    return Lane(
        "done", "done/", f"in each {_step(span)}", drawings.bars(values, told), words.number(total), address, beside
    )


def _failed(name: str, span: Span) -> Lane:
    for_good = [float(failed_for_good(figures)) for figures in span.all]
    again = [float(figures.retried) for figures in span.all]
    told = (
        f"Failures in the last {name}: {words.number(sum(for_good))} for good, {words.number(sum(again))} tried again"
    )
    beside = f"for good, {words.number(sum(again))} tried again"
    drawing = drawings.bars(for_good, told, again)
    return Lane(
        "failed",
        "failed/",
        "pale: tried again",
        drawing,
        words.number(sum(for_good)),
        f"failed/?newer={_NEWER[name]}",
        beside,
    )


def _control(span: Span) -> Lane:
    """When the dispatcher started nothing, and in which state it was then."""
    states = [SERVING if gauge is None else gauge.state for gauge in span.gauges]
    count, at, stays, told = len(states), 0, [], []
    for state, run in groupby(states):
        length = len(list(run))
        if state not in (SERVING, ""):
            stays.append(drawings.Span(at / count, (at + length) / count))
            told.append(f"{state} for {words.duration(length * span.step)}")
        at += length
    said = "; ".join(told) or "The dispatcher took jobs whenever it ran"
    return Lane(
        "",
        "control/",
        "paused, blocked, stopping",
        drawings.spans(stays, said),
        str(len(stays)),
        "",
        told[-1] if told else "never",
    )


def failed_for_good(figures: Figures) -> int:
    """Return how many of the attempts that did not succeed were the last of their job."""
    ended = sum(count for outcome, count in figures.ended.items() if outcome != Outcome.SUCCEEDED)
    return max(0, ended - figures.retried)


def _quantile(histogram: list[int], share: float) -> float | None:
    """A quantile in seconds; beyond the last bound it is that bound, so that it can be drawn."""
    found = quantile(histogram, share)
    return None if found is None else min(found, 100_000.0)


def _step(span: Span) -> str:
    return {60: "minute", 900: "quarter of an hour", 21_600: "quarter of a day"}.get(
        span.step, words.duration(span.step)
    )


def _rate(total: float, span: Span) -> str:
    minutes = span.step * len(span.all) / 60
    a_minute = total / minutes
    return f"{a_minute:.0f} a minute" if a_minute >= 1 else f"{a_minute * 60:.1f} an hour"
