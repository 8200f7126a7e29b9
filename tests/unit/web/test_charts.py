"""The history as lanes and sparklines."""

from __future__ import annotations

from spoolrunner.client.history import Figures, Gauge, Span
from spoolrunner.client.overview import Overview
from spoolrunner.web import charts
from spoolrunner.web.frame import Looked
from spoolrunner.web.surveys import Failures, Waiting


def figures(**ended: int) -> Figures:
    made = Figures()
    made.started = sum(ended.values())
    made.ended = dict(ended)
    return made


def span(steps: list[Figures], gauges: list[Gauge | None] | None = None, step: int = 60) -> Span:
    return Span(1.8e9, step, steps, {"app.Report.build": steps}, gauges or [None] * len(steps))


def looked(**status) -> Looked:
    counts = {"pending": 0, "running": 0, "done": 0, "failed": 0}
    seen = Overview("", None, "/spool", {"state": "running"}, counts, 7, [], [], {}, None, False, ["mail"], [], [], [])
    return Looked(seen, status, Waiting(), Failures())


def test_no_history_no_lanes() -> None:
    """Where nothing was written there is nothing to be drawn."""
    assert charts.lanes(span([Figures()] * 60), looked(), "hour") == []


def test_lanes() -> None:
    """Each lane has its number, which leads to the files that it counts."""
    failed = figures(failed=5, succeeded=10)
    failed.retried = 3
    failed.waited[2] = 10
    gauges: list[Gauge | None] = [None] * 59 + [Gauge(due=9, waiting=20, running=2, state="paused")]
    found = {
        lane.name: lane
        for lane in charts.lanes(span([Figures()] * 59 + [failed], gauges), looked(concurrency=4), "hour")
    }
    assert list(found) == ["pending/", "wait", "running/", "done/", "failed/", "control/"]
    assert (found["pending/"].number, found["pending/"].words) == ("7", "due, 9 at most")
    assert (found["wait"].number, found["running/"].number) == ("< 0.1 s", "50 %")
    assert (found["done/"].number, found["done/"].address) == ("10", "done/?newer=1h")
    assert (found["failed/"].number, found["failed/"].words) == ("2", "for good, 3 tried again")
    assert (found["control/"].number, found["control/"].words) == ("1", "now; paused 1 time")
    assert all("aria-label" in lane.drawing and "style" not in lane.drawing for lane in found.values())


def test_kinds() -> None:
    """A kind has its numbers of the hour, and how long it takes by those of the day."""
    hour = figures(succeeded=3, failed=1)
    hour.ran[4] = 4
    found = charts.kinds(span([hour]), span([hour] * 96, step=900))["app.Report.build"]
    assert (found.done, found.failed, found.rate, found.half, found.most) == (3, 1, 0.25, "1 s", "1 s")
    assert charts.usual(span([hour])) == {"app.Report.build": "1 s"}


def test_a_wait_beyond_all_bounds() -> None:
    """A wait longer than the histogram knows is drawn at its end, and said without a number that it has not."""
    long = figures(succeeded=1)
    long.waited[-1] = 1
    lanes = charts.lanes(span([long] * 60), looked(), "hour")
    assert "inf" not in "".join(str(lane) for lane in lanes)
