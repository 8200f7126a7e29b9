"""Drawings of the page as SVG text, each made from plain numbers. Colours come by class from page.css, there is no style.

    bars([3, 5, 4], "jobs done a minute, 4 on average")

Every drawing is an image with a sentence (`role=img`, `aria-label`), since its numbers cannot be read from it. `DECORATION` in
place of the sentence hides it from a screen reader: for one whose numbers stand beside it. Classes: `f` full, `u` paler, `t`
palest, `s` a line, `h` a line of the grid; the colour is that of the nearest pending, running, done or failed around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup
from markupsafe import escape as _escape

from spoolrunner.telling.line_format import printable

DECORATION = ""
"""The sentence of a drawing that says nothing which does not stand beside it."""


class Size(NamedTuple):
    """The size of a drawing in its own units. It is stretched to the width that page.css gives it."""

    width: int
    height: int
    quarters: bool = False
    """Whether the grid shows the quarters of the time."""


LANE = Size(600, 38, quarters=True)
"""A lane of the overview, a minute each 10 units."""
CHART = Size(1200, 120, quarters=True)
RULER = Size(1200, 40)
SPARK = Size(280, 18)
TAB = Size(210, 14)
_TICKS = 44
"""Marks of a tab at most."""
_STRIP = Size(480, 18)
Numbers = Sequence[float | None]
"""Values at equal distances of time, oldest first; None where nobody counted."""


def bars(lower: Numbers, sentence: str, upper: Numbers = (), *, most: float = 0.0, size: Size = LANE) -> Markup:
    """Return a bar for each value; with `upper` a paler one stands on it.

    `most` is the value that has the full height (0: the largest).
    """
    above = [value or 0.0 for value in upper] or [0.0] * len(lower)
    below = [value or 0.0 for value in lower]
    top = max(most, *(low + high for low, high in zip(below, above, strict=True)), 0.0) or 1.0
    step, scale = size.width / max(len(below), 1), size.height / top
    foot, head = [], []
    for place, (low, high) in enumerate(zip(below, above, strict=True)):
        x, width = place * step + step / 8, step * 3 / 4
        reach, rise = _visible(low * scale), _visible(high * scale)
        if low:
            foot.append(_box(x, size.height - reach, width, reach))
        if high:
            head.append(_box(x, max(size.height - reach - rise, 0.0), width, rise))
    return _image(sentence, size, _grid(size), _path("u", head), _path("f" if upper else "u", foot))


def area(values: Numbers, sentence: str, inner: Numbers = (), *, size: Size = LANE) -> Markup:
    """Return the values as a filled line, and `inner`, which is no greater, as a second line; a gap where nobody counted."""
    top = max((value for value in (*values, *inner) if value is not None), default=0.0) or 1.0
    drawn = []
    for run in _runs(values, top, size):
        drawn.append(
            f'<polygon class="t" points="{run[0][0]:g},{size.height} {_points(run)} {run[-1][0]:g},{size.height}"/>'
        )
        drawn.append(f'<polyline class="s" points="{_points(run)}"/>')
    drawn += [f'<polyline class="s" points="{_points(run)}"/>' for run in _runs(inner, top, size)]
    return _image(sentence, size, _grid(size), *drawn)


def sparkline(counted: Numbers, failed: Numbers, sentence: str, *, size: Size = SPARK) -> Markup:
    """Return small grey bars of what ended, and over the foot of each the red part of it that failed."""
    top = max((value for value in counted if value is not None), default=0.0) or 1.0
    step, scale = size.width / max(len(counted), 1), (size.height - 1) / top
    grey, red = [], []
    for place, (count, bad) in enumerate(zip(counted, failed, strict=True)):
        x, width = place * step + step / 8, step * 3 / 4
        if count:
            grey.append(_box(x, size.height - _visible(count * scale), width, _visible(count * scale)))
        if bad:
            reach = max(bad * scale, 2.5)
            red.append(_box(x, size.height - reach, width, reach))
    return _image(sentence, size, _path("u", grey), _group("failed", _path("f", red)))


class Span(NamedTuple):
    """Something that lasted: where it began and ended as parts of the time shown, from 0 to 1; equal for a moment."""

    begin: float
    end: float


def spans(lasted: Iterable[Span], sentence: str, *, size: Size = LANE) -> Markup:
    """Return what lasted as bars with firm ends, and each moment as a mark."""
    pale, firm, y = [], [], size.height / 2 - 7
    for span in lasted:
        begin, end = (min(max(part, 0.0), 1.0) * size.width for part in span)
        pale.append(_box(begin, y, end - begin, 14))
        firm += [_box(min(x, size.width - 1.5), y, 1.5, 14) for x in dict.fromkeys((begin, max(begin, end - 1.5)))]
    return _image(sentence, size, _grid(size), _path("t", pale), _path("f", firm))


def slots(parts: Sequence[float], places: int, sentence: str = DECORATION, *, size: Size = TAB) -> Markup:
    """Return a block for each place; of one that is taken the part is full that its job has done, from 0 to 1."""
    count = max(places, len(parts), 1)
    step = min(24.0, size.width / count)
    pale, full = [], []
    for place in range(count):
        width = step * 5 / 6
        pale.append(_box(place * step, 0, width, size.height))
        if place < len(parts):
            done = max(min(max(parts[place], 0.0), 1.0) * width, min(1.6, width))
            full.append(_box(place * step, 0, done, size.height))
    return _image(sentence, size, _path("t", pale), _path("f", full), keeps_shape=True)


def ticks(groups: Sequence[int], full: int, *, size: Size = TAB) -> Markup:
    """Return a mark for each file, in groups with a gap between, of which the first `full` are dark.

    Where there are too many, each mark stands for several, and one that is dark is always seen.
    """
    total = sum(groups)
    share = min(1.0, _TICKS / total) if total else 0.0
    shown = [max(1, round(count * share)) for count in groups if count]
    dark = full if share == 1.0 else min(max(round(full * share), 1), _TICKS) if full else 0
    firm: list[str] = []
    pale: list[str] = []
    x, place = 0.0, 0
    for count in shown:
        for _ in range(count):
            if x + 3 <= size.width:
                (firm if place < dark else pale).append(_box(x, 0, 3, size.height))
            x, place = x + 4.6, place + 1
        x += 4.6 if len(shown) > 1 else 0.0
    return _image(DECORATION, size, _path("t", pale), _path("f", firm), keeps_shape=True)


class Slot(NamedTuple):
    """A slot of a schedule: its place from -1 (the earliest shown) over 0 (now) to 1, and how it stands.

    `stands` is done, failed, running, pending (to come) or skipped.
    """

    place: float
    stands: str


def strip(shown: Sequence[Slot], sentence: str) -> Markup:
    """Return the slots of a schedule before and after now, each a mark; a skipped one is hollow."""
    width = max(min(4.0, 200.0 / max(len(shown), 1)), 1.2)
    marks: dict[str, list[str]] = {}
    for slot in shown:
        x = (slot.place + 1) / 2 * _STRIP.width - width / 2
        top = {"failed": 1, "pending": 5}.get(slot.stands, 3)
        marks.setdefault(slot.stands, []).append(_box(x, top, width, _STRIP.height - 2 * top))
    middle = _STRIP.height / 2
    drawn = [f'<path class="h" d="M0 {middle:g}H{_STRIP.width}"/>']
    for stands, boxes in marks.items():
        if stands == "skipped":
            drawn.append(_group("running", _path("s", boxes)))
        else:
            drawn.append(_group(stands, _path("u" if stands == "pending" else "f", boxes)))
    drawn.append(f'<path class="s" d="M{_STRIP.width // 2} -14V52"/>')
    return _image(sentence, _STRIP, *drawn)


class Part(NamedTuple):
    """A bar that leads somewhere: its value, the address, and the words of the link."""

    value: float
    address: str
    words: str


def ruler(parts: Sequence[Part], sentence: str, *, size: Size = RULER) -> Markup:
    """Return a bar for each part of the time, each a link to what lies in it; its whole height can be pressed."""
    top = max((part.value for part in parts), default=0.0) or 1.0
    step, drawn = size.width / max(len(parts), 1), []
    for place, part in enumerate(parts):
        if not part.value:
            continue
        reach = _visible(part.value / top * size.height)
        bar = _path("u", [_box(place * step + 1, size.height - reach, step - 2, reach)])
        room = f'<path fill="none" pointer-events="all" d="{_box(place * step, 0, step, size.height)}"/>'
        words = escape(part.words)
        drawn.append(f'<a href="{escape(part.address)}" aria-label="{words}"><title>{words}</title>{room}{bar}</a>')
    begin = f'<svg role="group" aria-label="{escape(sentence)}" class="ruler" viewBox="0 0 {size.width} {size.height}"'
    return Markup(f'{begin} preserveAspectRatio="none">{"".join(drawn)}</svg>')  # noqa: S704 -- all text in it is escaped


def escape(text: str) -> Markup:
    """Return a text as it may stand in a drawing: what is not printable is shown as an escape."""
    return _escape(printable(text))


def _image(sentence: str, size: Size, *drawn: str, keeps_shape: bool = False) -> Markup:
    told = f'role="img" aria-label="{escape(sentence)}"' if sentence else 'aria-hidden="true"'
    shape = "xMinYMid meet" if keeps_shape else "none"
    begin = f'<svg {told} viewBox="0 0 {size.width} {size.height}" preserveAspectRatio="{shape}">'
    return Markup(f"{begin}{''.join(drawn)}</svg>")  # noqa: S704 -- all text in it is escaped, the rest are numbers


def _visible(height: float) -> float:
    """The height of a bar, which is seen also where it is next to nothing."""
    return max(height, 1.0) if height else 0.0


def _grid(size: Size) -> str:
    if not size.quarters:
        return ""
    lines = "".join(f"M{size.width * part // 4} 0V{size.height}" for part in (1, 2, 3))
    return f'<path class="h" d="{lines}"/>'


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.4g} {y:.3g}h{width:.3g}v{height:.3g}h-{width:.3g}z"


def _path(kind: str, boxes: Sequence[str]) -> str:
    return f'<path class="{kind}" d="{"".join(boxes)}"/>' if boxes else ""


def _group(kind: str, inner: str) -> str:
    return f'<g class="{kind}">{inner}</g>' if inner else ""


def _runs(values: Numbers, top: float, size: Size) -> list[list[tuple[float, float]]]:
    """The points of each stretch in which somebody counted."""
    step = size.width / max(len(values), 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(((place + 0.5) * step, size.height - 1 - value / top * (size.height - 3)))
    return [run for run in runs if run]


def _points(run: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.4g},{y:.3g}" for x, y in run)
