"""Drawings from plain numbers: what is drawn, that it can be read aloud, and that nothing in it can be markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from spoolrunner.web import drawings
from spoolrunner.web.drawings import (
    LANE,
    TAB,
    Part,
    Size,
    Slot,
    Span,
    area,
    bars,
    ruler,
    slots,
    spans,
    sparkline,
    strip,
    ticks,
)

EVIL = "\"><script>alert('x')</script>&"
SQUARE = Size(100, 100)


def boxes(svg: str, kind: str) -> list[tuple[float, float, float, float]]:
    """The x, y, width and height of every box of that class."""
    paths = [one.get("d") for one in ET.fromstring(svg).iter("path") if one.get("class") == kind]
    found = [re.findall(r"M(\S+) (\S+)h(\S+)v(\S+)h", path) for path in paths]
    return [tuple(map(float, box)) for path in found for box in path]


def test_bars() -> None:
    """The largest value has the full height, the others their part of it; none leaves no bar, next to nothing a visible one."""
    assert boxes(bars([2, 1, 0, None, 0.001], "x", size=SQUARE), "u") == [
        (2.5, 0, 15, 100),
        (22.5, 50, 15, 50),
        (82.5, 99, 15, 1),
    ]


def test_bars_of_a_known_height() -> None:
    """The full height can be a number of its own, as that of the slots."""
    assert boxes(bars([3], "x", most=6, size=SQUARE), "u") == [(12.5, 50, 75, 50)]


def test_bars_on_bars() -> None:
    """Of two rows the upper stands on the lower, and both together have the full height."""
    drawn = bars([1, 0], "x", [3, 1], size=SQUARE)
    assert boxes(drawn, "f") == [(6.25, 75, 37.5, 25)]
    assert boxes(drawn, "u") == [(6.25, 0, 37.5, 75), (56.25, 75, 37.5, 25)]


def test_area() -> None:
    """A line goes through all values, and where nobody counted it is broken."""
    drawn = ET.fromstring(area([0, 4, None, 2], "x", [0, 2, None, None], size=SQUARE))
    lines = [one.get("points") for one in drawn.iter("polyline")]
    assert lines == ["12.5,99 37.5,2", "87.5,50.5", "12.5,99 37.5,50.5"]
    assert next(drawn.iter("polygon")).get("points") == "12.5,100 12.5,99 37.5,2 37.5,100"


def test_sparkline() -> None:
    """What failed is drawn over the foot of what ended, in red, and is seen even when it is little."""
    drawn = sparkline([100, 50], [1, 0], "x", size=Size(100, 101))
    assert boxes(drawn, "u") == [(6.25, 1, 37.5, 100), (56.25, 51, 37.5, 50)]
    assert boxes(drawn, "f") == [(6.25, 98.5, 37.5, 2.5)]
    assert '<g class="failed"><path class="f"' in drawn


def test_spans() -> None:
    """What lasted has two firm ends, a moment one; what is out of the time shown ends at its border."""
    drawn = spans([Span(0.5, 2.0), Span(0.25, 0.25)], "x", size=SQUARE)
    assert boxes(drawn, "t") == [(50, 43, 50, 14), (25, 43, 0, 14)]
    assert [box[0] for box in boxes(drawn, "f")] == [50, 98.5, 25]


def test_slots() -> None:
    """Each place is a block, and so far full as its job has come; more jobs than places are drawn too."""
    drawn = slots([0.5, 7, 0.0], 2)
    assert [box[0] for box in boxes(drawn, "t")] == [0, 24, 48]
    assert [box[2] for box in boxes(drawn, "f")] == [10, 20, 1.6]
    assert max(box[0] + box[2] for box in boxes(slots([], 500), "t")) <= TAB.width


@pytest.mark.parametrize(
    ("groups", "full", "dark", "pale"),
    [([], 0, 0, 0), ([5], 2, 2, 3), ([1000], 1, 1, 43), ([1000], 500, 22, 22), ([19, 4, 2, 1, 1], 27, 27, 0)],
)
def test_ticks(groups: list[int], full: int, dark: int, pale: int) -> None:
    """A mark is a file as long as there is room; of more the share is drawn, and one that is due is always seen."""
    drawn = ticks(groups, full)
    assert (len(boxes(drawn, "f")), len(boxes(drawn, "t"))) == (dark, pale)


def test_ticks_in_the_room_that_there_is() -> None:
    """A hundred kinds of error do not leave the drawing."""
    assert max(box[0] + box[2] for box in boxes(ticks([9] * 100, 900), "f")) <= TAB.width


def test_strip() -> None:
    """Slots stand by their time, what is to come paler, what was skipped hollow, what failed higher."""
    drawn = strip([Slot(-1, "done"), Slot(-0.5, "failed"), Slot(-0.25, "skipped"), Slot(0.5, "pending")], "x")
    assert boxes(drawn, "f") == [(-2, 3, 4, 12), (118, 1, 4, 16)]
    assert (boxes(drawn, "u"), boxes(drawn, "s")) == ([(358, 5, 4, 8)], [(178, 3, 4, 12)])


def test_ruler() -> None:
    """Each bar is a link over its whole height; an hour without files is none."""
    drawn = ruler([Part(2, "?from=a&b", "12:00, 2 files"), Part(0, "?", "13:00, none")], "files by hour", size=SQUARE)
    links = list(ET.fromstring(drawn).iter("a"))
    assert [(link.get("href"), link.get("aria-label")) for link in links] == [("?from=a&b", "12:00, 2 files")]
    room = next(ET.fromstring(drawn).iter("path"))
    assert (room.get("d"), room.get("pointer-events")) == ("M0 0h50v100h-50z", "all")


ALL = {
    "bars": lambda text: bars([1], text),
    "area": lambda text: area([1], text),
    "sparkline": lambda text: sparkline([1], [1], text),
    "spans": lambda text: spans([Span(0, 1)], text),
    "slots": lambda text: slots([1], 1, text),
    "strip": lambda text: strip([Slot(0, "done")], text),
    "ruler": lambda text: ruler([Part(1, text, text)], text),
}


@pytest.mark.parametrize("name", ALL)
def test_text_is_text(name: str) -> None:
    """A sentence is read aloud as it is, whatever stands in it; there is no script, no style and no element of it."""
    drawn = ET.fromstring(ALL[name](EVIL))
    assert drawn.get("aria-label") == EVIL
    assert {one.tag for one in drawn.iter()} <= {"svg", "path", "polygon", "polyline", "g", "a", "title"}
    assert all(
        "style" not in one.attrib and not any(key.startswith("on") for key in one.attrib) for one in drawn.iter()
    )


@pytest.mark.parametrize("name", ["bars", "area", "sparkline", "spans", "slots", "strip"])
def test_role(name: str) -> None:
    """A drawing is an image with a sentence; without one it is hidden, since its numbers stand beside it."""
    assert ET.fromstring(ALL[name]("words")).get("role") == "img"
    assert ET.fromstring(ALL[name](drawings.DECORATION)).get("aria-hidden") == "true"


def test_nothing_to_draw() -> None:
    """Of no numbers there is an empty drawing, and no error."""
    for drawn in (
        bars([], "x"),
        area([], "x"),
        area([None], "x"),
        sparkline([], [], "x"),
        spans([], "x"),
        strip([], "x"),
    ):
        assert ET.fromstring(drawn).get("viewBox")


def test_bytes() -> None:
    """An hour of minutes in all lanes is some kilobytes: a page is to stay below 60."""
    values = [float(number * 7 % 13) for number in range(60)]
    assert len(bars(values, "x", values)) < 3_500
    assert len(area(values, "x", values)) < 3_500
    assert LANE.width / 60 == 10
