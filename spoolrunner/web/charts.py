"""The history as drawings: the lanes of the overview, folder by folder on one axis of time, and the sparklines of the kinds."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from spoolrunner.client.history import Figures, Gauge, Span, quantile
from spoolrunner.protocol.states import Outcome
from spoolrunner.web import drawings, words
from spoolrunner.web.frame import Looked

SPANS = {
    "hour": "the last hour, by minutes",
    "day": "the last day, by quarters of an hour",
    "month": "the last 31 days, by quarters of a day",
}
"""The spans that can be chosen, in words."""
_STEP = {"hour": "a minute", "day": "in a quarter of an hour", "month": "in six hours"}
_NOT_FAILED = frozenset({Outcome.SUCCEEDED, Outcome.INTERRUPTED})
_QUARTERS = (0.0, 0.25, 0.5, 0.75)
_HOURS = 24


class Lane(NamedTuple):
    """One lane: whose it is (`colour` is the class), what is drawn, the drawing, a number with its link, and words for it."""

    name: str
    colour: str
    what: str
    drawing: Markup
    number: str
    address: str
    words: Markup


class Kind(NamedTuple):
    """What one kind did: done and failed in the last hour, the rate of failures, the last 24 hours drawn, how long it takes."""

    done: int
    failed: int
    rate: float | None
    drawing: Markup
    half: str
    most: str


def lanes(span: Span, looked: Looked, name: str) -> list[Lane]:
    """Return the lanes of a span; empty where nothing was written in all of it."""
    total = span.total()
    if not total.count and not any(gauge is not None for gauge in span.gauges):
        return []
    return [
        _pending(span, looked),
        _wait(span, total),
        _running(span, looked),
        _done(span, total, name),
        _failed(span, total, name),
        _control(span, looked),
    ]


def axis(span: Span) -> list[float]:
    """Return the moments that are written under the lanes, in seconds since 1970: the begin and each quarter."""
    length = span.step * len(span.all)
    return [span.begin + length * part for part in _QUARTERS]


def kinds(hour: Span, day: Span) -> dict[str, Kind]:
    """Return what each kind did, by JOB.METHOD."""
    return {name: _kind(hour, day, name) for name in {**hour.kinds, **day.kinds}}


def usual(day: Span) -> dict[str, str]:
    """Return how long half of the runs of each kind take at most, in words: `0.3 s`."""
    found = {name: quantile(day.total(name).ran, 0.5) for name in day.kinds}
    return {name: words.about(seconds) for name, seconds in found.items() if seconds is not None}


def failed_of(figures: Figures) -> int:
    """Return how many failed for good."""
    bad = sum(count for outcome, count in figures.ended.items() if outcome not in _NOT_FAILED)
    return max(0, bad - figures.retried)


def _kind(hour: Span, day: Span, name: str) -> Kind:
    now, whole = hour.total(name), day.total(name)
    done, failed = now.ended.get(Outcome.SUCCEEDED, 0), failed_of(now)
    steps = day.kinds.get(name, [])
    by_hour = _by_hour([sum(one.ended.values()) for one in steps])
    bad = _by_hour([failed_of(one) for one in steps])
    sentence = f"ends of {name} in each of the last 24 hours: {sum(by_hour)}, {sum(bad)} of them failed for good"
    half, most = quantile(whole.ran, 0.5), quantile(whole.ran, 0.95)
    return Kind(
        done,
        failed,
        failed / (done + failed) if done + failed else None,
        drawings.sparkline(by_hour, bad, sentence),
        "" if half is None else words.about(half),
        "" if most is None else words.about(most),
    )


def _by_hour(steps: list[int]) -> list[int]:
    size = max(1, len(steps) // _HOURS)
    return [sum(steps[begin : begin + size]) for begin in range(0, len(steps), size)]


def _pending(span: Span, looked: Looked) -> Lane:
    due = [None if gauge is None else float(gauge.due) for gauge in span.gauges]
    most = int(max((value for value in due if value is not None), default=0))
    drawing = drawings.area(due, f"Jobs that were due and not started: {most} at most")
    told = Markup("due, {} at most").format(words.number(most))
    return Lane("pending/", "pending", "due and not started", drawing, words.number(looked.due), "pending/", told)


def _wait(span: Span, total: Figures) -> Lane:
    most = [quantile(figures.waited, 0.95) for figures in span.all]
    half = [quantile(figures.waited, 0.5) for figures in span.all]
    usual_wait, longest = quantile(total.waited, 0.5), quantile(total.waited, 0.95)
    told_half = "none" if usual_wait is None else f"< {words.about(usual_wait)}"
    told_most = "" if longest is None else f"half of the jobs; 95 % < {words.about(longest)}"
    sentence = f"Time from due to start: half of the jobs {told_half}; {told_most or 'nothing was started'}"
    drawing = drawings.area(_finite(most), sentence, _finite(half))
    return Lane("wait", "", "95 % and half of the jobs", drawing, told_half, "", Markup("{}").format(told_most))


def _running(span: Span, looked: Looked) -> Lane:
    counts = [None if gauge is None else float(gauge.running) for gauge in span.gauges]
    known = [count for count in counts if count is not None]
    places = looked.places
    mean = sum(known) / len(known) if known else 0.0
    share = f"{mean / places * 100:.0f} %" if places else f"{mean:.1f}"
    told = "of the slots in use" if places else "jobs at a time"
    bars = drawings.bars(counts, f"Jobs that ran at a time: {share} {told} on average", most=float(places or 0))
    what = f"{words.plural(places, 'slot')}, busy or free" if places else "jobs at a time"
    return Lane("running/", "running", what, bars, share, "running/", Markup("{}").format(told))


def _done(span: Span, total: Figures, name: str) -> Lane:
    counts = [figures.ended.get(Outcome.SUCCEEDED, 0) for figures in span.all]
    done = total.ended.get(Outcome.SUCCEEDED, 0)
    mean = done / len(counts)
    told = Markup("in the {}, {} {}").format(name, f"{mean:.0f}" if mean >= 2 else f"{mean:.1f}", _STEP[name])
    drawing = drawings.bars(counts, f"Jobs done {_STEP[name]}: {words.number(done)} in all")
    address = f"done/?newer={_ages(name)}"
    return Lane("done/", "done", _STEP[name], drawing, words.number(done), address, told)


def _failed(span: Span, total: Figures, name: str) -> Lane:
    failed = failed_of(total)
    good = [failed_of(figures) for figures in span.all]
    again = [figures.retried for figures in span.all]
    sentence = f"Failures {_STEP[name]}: {words.number(failed)} for good, {words.number(total.retried)} tried again"
    drawing = drawings.bars(good, sentence, again)
    told = Markup("for good, {} tried again").format(words.number(total.retried))
    address = f"failed/?newer={_ages(name)}"
    return Lane("failed/", "failed", "pale: tried again", drawing, words.number(failed), address, told)


def _control(span: Span, looked: Looked) -> Lane:
    lies = len(looked.seen.pauses) + looked.seen.paused
    lasted = _lasted(span.gauges)
    names = {state: count for state, _, _ in lasted for count in [sum(1 for one in lasted if one[0] == state)]}
    told = ", ".join(f"{state} {count} {'time' if count == 1 else 'times'}" for state, count in names.items())
    steps = len(span.gauges)
    shown = [drawings.Span(begin / steps, end / steps) for _, begin, end in lasted]
    drawing = drawings.spans(shown, f"When no job was started: {told or 'never'}")
    words_told = Markup("now; {}").format(told) if told else Markup("now, none in this time")
    return Lane("control/", "", "paused, blocked", drawing, str(lies), "#control", words_told)


def _lasted(gauges: list[Gauge | None]) -> list[tuple[str, int, int]]:
    """The times in which the dispatcher started nothing: in which state, from which step to which."""
    found: list[tuple[str, int, int]] = []
    for step, gauge in enumerate(gauges):
        state = "" if gauge is None or gauge.state == "running" else gauge.state
        if not state:
            continue
        if found and found[-1][0] == state and found[-1][2] == step:
            found[-1] = (state, found[-1][1], step + 1)
        else:
            found.append((state, step, step + 1))
    return found


def _finite(values: list[float | None]) -> list[float | None]:
    """The values with the last bound of a histogram in place of what is beyond it."""
    return [None if value is None else min(value, 100_000.0) for value in values]


def _ages(name: str) -> str:
    return {"hour": "1h", "day": "1d", "month": "31d"}[name]
