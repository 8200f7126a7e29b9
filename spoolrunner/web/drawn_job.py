"""Drawings of one job: its way through the folders, and the jobs that it waits for or that wait for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from spoolrunner.web.drawings import escape

_FOLDERS = ("pending", "running", "done", "failed")
_LEFT, _RIGHT, _FIRST, _APART = 92.0, 1010.0, 30, 38
"""Where the bars begin and end at most, the height of the first folder, and how far one is below the other."""
_AXIS = 172
_BAR = 16
_LEAST = 9.0
"""The width of the shortest stay."""
_LETTER = 6.2
"""The width of a letter of a label at most, for what fits."""
_CLOCK = 66.0
"""The width of a time at the axis."""
_SHOWN = 16
"""Stays at most; of more the middle is left out."""
_MONO = 7.4
_NAME = 26
"""Letters of a name at most; of a longer one the middle is left out."""
_BOX = 28
_LEAST_ROOM = 460.0
"""The width in which relatives stand at least, so that two are not drawn larger than twenty."""


class Stay(NamedTuple):
    """A time that a job lay in one folder.

    `seconds` is how long, `at` its begin as the axis shows it, `words` what stands over it. `has_failed` is for an attempt that
    did not succeed.
    """

    folder: str
    seconds: float
    at: str
    words: str
    has_failed: bool = False


def way(stays: Sequence[Stay], sentence: str) -> Markup:
    """Return the way of a job: a bar a stay, a dotted line a move, a red end a failed attempt.

    The last stay is where it lies now. Widths go by the root of the time, so that a pause of an hour leaves room for a second.
    """
    shown, left_out = _bounded(stays)
    widths = _widths([stay.seconds for stay in shown[:-1]] + ([] if not shown else [_last_width(shown[-1])]))
    drawn, x, told_until = [_names()], _LEFT, 0.0
    for place, (stay, width) in enumerate(zip(shown, widths, strict=True)):
        is_last = place == len(shown) - 1
        drawn.append(_stay(stay, x, width, is_last=is_last, is_cut=left_out > 0 and place == _SHOWN // 2))
        if x >= told_until:
            drawn.append(f'<text class="q" x="{x:.1f}" y="{_AXIS}">{escape(stay.at)}</text>')
            told_until = x + _CLOCK
        x += width
        if not is_last:
            drawn.append(f'<path class="s e" d="M{x:.1f} {_height(stay)}V{_height(shown[place + 1])}"/>')
    if left_out:
        sentence = f"{sentence}; {left_out} stays in the middle are not drawn"
    return _svg(sentence, 1160, _AXIS + 6, "".join(drawn))


class Relative(NamedTuple):
    """A job in a drawing: its name, the folder where it lies (empty: nowhere), its address, and how far it is, from 0 to 1."""

    name: str
    folder: str
    address: str
    progress: float = 0.0


def relations(before: Sequence[Relative], own: Relative, behind: Sequence[Relative], sentence: str) -> Markup:
    """Return what a job waits for at its left and what waits for it at its right, joined by lines; each is a link."""
    left, right = _width(before), _width(behind)
    middle, own_width = max(len(before), len(behind), 1), _width([own])
    height = middle * 34 + 10
    centre = height / 2
    own_x = left + 50 if before else 0.0
    right_x = own_x + own_width + 35
    lines = [_curve(left, y, own_x, centre) for y in _rows(len(before), height)]
    lines += [_curve(own_x + own_width, centre, right_x, y) for y in _rows(len(behind), height)]
    drawn = [f'<path class="s e" d="{"".join(lines)}"/>' if lines else ""]
    drawn += [_node(one, 0.0, y, left) for one, y in zip(before, _rows(len(before), height), strict=True)]
    drawn.append(_node(own, own_x, centre, own_width, is_own=True))
    drawn += [_node(one, right_x, y, right) for one, y in zip(behind, _rows(len(behind), height), strict=True)]
    return _svg(sentence, max(right_x + right + 2, _LEAST_ROOM), height, "".join(drawn), "dep", role="group")


def _svg(sentence: str, width: float, height: float, drawn: str, kind: str = "way", role: str = "img") -> Markup:
    begin = f'<svg class="{kind}" role="{role}" aria-label="{escape(sentence)}" viewBox="0 0 {width:g} {height:g}">'
    return Markup(f"{begin}{drawn}</svg>")  # noqa: S704 -- all text in it is escaped, the rest are numbers


def _bounded(stays: Sequence[Stay]) -> tuple[list[Stay], int]:
    if len(stays) <= _SHOWN:
        return list(stays), 0
    half = _SHOWN // 2
    return [*stays[:half], *stays[-half:]], len(stays) - 2 * half


def _widths(seconds: Sequence[float]) -> list[float]:
    """How wide each stay is drawn: by the root of its time, at least _LEAST, together no wider than the room."""
    if not seconds:
        return []
    roots = [math.sqrt(max(length, 0.0)) for length in seconds]
    room = _RIGHT - _LEFT - _LEAST * len(seconds)
    total = sum(roots) or 1.0
    return [_LEAST + root / total * room for root in roots]


def _last_width(stay: Stay) -> float:
    """The seconds by which the last stay is drawn: one that is over only shows that it lies there."""
    return stay.seconds if stay.folder in ("pending", "running") else 0.0


def _height(stay: Stay) -> int:
    return _FIRST + _APART * _FOLDERS.index(stay.folder)


def _names() -> str:
    drawn = []
    for place, folder in enumerate(_FOLDERS):
        y = _FIRST + _APART * place
        name = f'<text class="m" x="0" y="{y + 4}">{folder}/</text>'
        drawn.append(f'<path class="h" d="M{_LEFT:g} {y}H1160"/><g class="{folder}">{name}</g>')
    return "".join(drawn)


def _stay(stay: Stay, x: float, width: float, *, is_last: bool, is_cut: bool) -> str:
    y, rest = _height(stay), stay.folder in ("done", "failed")
    words = f"… {stay.words}" if is_cut else stay.words
    if is_last and rest:
        beside = f'<text x="{x + 24:.1f}" y="{y + 4}">{escape(words)}</text>'
        return f'<g class="{stay.folder}">{_file(x, y)}</g>{beside}'
    kind = "f" if stay.folder == "running" else "t"
    bar = f'<rect class="{kind}" x="{x + 1:.1f}" y="{y - 8}" width="{width - 2:.1f}" height="{_BAR}" rx="2"/>'
    drawn = f'<g class="{stay.folder}">{bar}{_file(x + width, y) if is_last else ""}</g>'
    if stay.has_failed:
        drawn += (
            f'<g class="failed"><rect class="f" x="{x + width - 5:.1f}" y="{y - 8}" width="4" height="{_BAR}"/></g>'
        )
    if is_last or len(words) * _LETTER <= width:
        drawn += f'<text x="{x + 2:.1f}" y="{y - 13}">{escape(words)}</text>'
    return drawn


def _file(x: float, y: int) -> str:
    return f'<path class="f" d="M{x:.1f} {y - 10}h11l6 6v14h-17z"/>'


def _rows(count: int, height: float) -> list[float]:
    return [(place + 0.5) * height / count for place in range(count)]


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (x + to_x) / 2
    return f"M{x:g} {y:g}C{half:g} {y:g} {half:g} {to_y:g} {to_x:g} {to_y:g}"


def _width(shown: Sequence[Relative]) -> float:
    return max((len(_short(one)) for one in shown), default=0) * _MONO + (18 if shown else 0)


def _short(one: Relative) -> str:
    name = one.name if len(one.name) <= _NAME else f"{one.name[: _NAME - 10]}…{one.name[-9:]}"
    return f"{one.folder}/{name}" if one.folder in ("done", "failed") else name


def _node(one: Relative, x: float, centre: float, width: float, *, is_own: bool = False) -> str:
    y = centre - _BOX / 2
    box = f'<rect class="{"f" if is_own else "t"}" x="{x:g}" y="{y:g}" width="{width:g}" height="{_BOX}" rx="3"/>'
    if one.progress > 0:
        box += f'<rect class="f" x="{x:g}" y="{y + _BOX - 3:g}" width="{width * min(one.progress, 1.0):g}" height="3"/>'
    text = (
        f'<text class="{"i mono" if is_own else "mono"}" x="{x + 9:g}" y="{centre + 4:g}">{escape(_short(one))}</text>'
    )
    drawn = f'<g class="{escape(one.folder)}">{box}</g>{text}'
    return drawn if is_own else f'<a href="{escape(one.address)}">{drawn}</a>'
