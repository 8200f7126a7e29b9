"""The charts of the overview, from the history as values."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from spoolrunner.client.history import Figures, Gauge, Span
from spoolrunner.web.lanes import Chart, chart

NOW = 1_800_003_600.0


def figures(**given) -> Figures:
    made = Figures()
    for name, value in given.items():
        setattr(made, name, value)
    return made


def hour(**minutes: tuple[Figures, Gauge | None]) -> Span:
    """An hour of which a few minutes, `m7` for the seventh, are given."""
    everything, gauges = [Figures() for _ in range(60)], [None] * 60
    for name, (one, gauge) in minutes.items():
        everything[int(name[1:])], gauges[int(name[1:])] = one, gauge
    return Span(NOW - 3600, 60, everything, {}, gauges)


def lanes(span: Span, places: int | None = 4) -> dict[str, object]:
    return {lane.name: lane for lane in chart("hour", span, places, 3, NOW).lanes}


def said(lane) -> str:
    return ET.fromstring(lane.drawing).get("aria-label")


def test_numbers() -> None:
    """Each number beside a lane is that of the whole span, and leads to the files that it counts."""
    busy = figures(
        started=6, ended={"succeeded": 2, "failed": 3, "cancelled": 1}, retried=2, waited=[4, 0, 0, 0, 0, 2, *[0] * 10]
    )
    found = lanes(
        hour(m7=(busy, Gauge(9, 20, 2, "running")), m8=(figures(ended={"succeeded": 4}), Gauge(0, 0, 4, "running")))
    )
    assert {name: (lane.number, lane.address) for name, lane in found.items()} == {
        "pending/": ("3", "pending/"),
        "wait": ("10 ms", ""),
        "running/": ("2 %", "running/"),
        "done/": ("6", "done/?newer=1h"),
        "failed/": ("2", "failed/?newer=1h"),
        "control/": ("0", ""),
    }
    assert found["pending/"].beside == "due, 9 at most"
    assert found["wait"].beside.endswith("95 % less than 3.0 s")
    assert found["failed/"].beside == "for good, 2 tried again"
    assert found["done/"].beside == "in the hour, 6.0 an hour"


def test_quiet() -> None:
    """Of an hour in which nothing happened there are empty lanes and words, and no error."""
    found = lanes(hour(), places=None)
    assert found["wait"].number == "none"
    assert (found["done/"].number, found["failed/"].number, found["running/"].number) == ("0", "0", "0.0")
    assert said(found["wait"]) == "No job was started in the last hour"


def test_when_nothing_was_started() -> None:
    """Times in which the dispatcher took no job are drawn, and said with their length."""
    found = lanes(hour(m10=(Figures(), Gauge(5, 5, 0, "paused")), m11=(Figures(), Gauge(5, 5, 0, "paused"))))
    assert (found["control/"].number, said(found["control/"])) == ("1", "paused for 2 m")


@pytest.mark.parametrize("name", ["hour", "day", "month"])
def test_axis(name) -> None:
    """The axis has the quarters of the time, and ends now."""
    made: Chart = chart(name, hour(), 1, 0, NOW)
    assert made.axis == [NOW - 3600, NOW - 2700, NOW - 1800, NOW - 900, NOW]
