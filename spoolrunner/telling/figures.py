"""What happened in a span of time, as numbers: starts, ends by outcome, how long jobs waited and ran. As values and as JSON."""

from __future__ import annotations

from typing import Any

BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0, 100000.0)
"""Seconds: number i of a histogram counts what took less than BOUNDS[i] and not less than the one before; one more the rest."""
_NAMES = (*(f"{bound:g}" for bound in BOUNDS), "more")
_PLACES = {name: place for place, name in enumerate(_NAMES)}


class Figures:
    """Numbers that can be added up. `waited` and `ran` are histograms by BOUNDS, `waited_s` and `ran_s` sums in seconds.

    `ended` counts the attempts that were recorded, and jobs that were refused, by outcome; `retried` is how many of these
    are to be tried again.
    """

    __slots__ = ("ended", "ran", "ran_s", "retried", "started", "waited", "waited_s")

    def __init__(self) -> None:
        self.started = 0
        self.retried = 0
        self.ended: dict[str, int] = {}
        self.waited = [0] * len(_NAMES)
        self.ran = [0] * len(_NAMES)
        self.waited_s = 0.0
        self.ran_s = 0.0

    @property
    def count(self) -> int:
        """How many starts and ends it has."""
        return self.started + sum(self.ended.values())

    def add(self, other: Figures) -> None:
        """Add what the other one has."""
        self.started += other.started
        self.retried += other.retried
        for outcome, count in other.ended.items():
            self.ended[outcome] = self.ended.get(outcome, 0) + count
        self.waited = [mine + its for mine, its in zip(self.waited, other.waited, strict=True)]
        self.ran = [mine + its for mine, its in zip(self.ran, other.ran, strict=True)]
        self.waited_s += other.waited_s
        self.ran_s += other.ran_s

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, without what is zero. A histogram has its bounds in seconds as keys: less than that."""
        made = {
            "started": self.started,
            "ended": {str(outcome): count for outcome, count in self.ended.items()},
            "retried": self.retried,
            "waited": _named(self.waited),
            "waited_s": round(self.waited_s, 3),
            "ran": _named(self.ran),
            "ran_s": round(self.ran_s, 3),
        }
        return {key: value for key, value in made.items() if value}


def add_json(figures: Figures, raw: object) -> bool:
    """Add what `as_json` has written; False for what it does not write, and then nothing is added."""
    if not isinstance(raw, dict):
        return False
    try:
        started, retried = _whole(raw.get("started", 0)), _whole(raw.get("retried", 0))
        ended = [(outcome, _whole(count)) for outcome, count in raw.get("ended", {}).items()]
        waited = [(_PLACES[name], _whole(count)) for name, count in raw.get("waited", {}).items()]
        ran = [(_PLACES[name], _whole(count)) for name, count in raw.get("ran", {}).items()]
        waited_s, ran_s = float(raw.get("waited_s", 0)), float(raw.get("ran_s", 0))
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    figures.started += started
    figures.retried += retried
    figures.waited_s += waited_s
    figures.ran_s += ran_s
    for outcome, count in ended:
        figures.ended[outcome] = figures.ended.get(outcome, 0) + count
    for place, count in waited:
        figures.waited[place] += count
    for place, count in ran:
        figures.ran[place] += count
    return True


def quantile(histogram: list[int], share: float) -> float | None:
    """Return a number of seconds below which that share of what a histogram counts lies; None when it counts nothing.

    It is the bound of the histogram, so the true one may be three times smaller; infinite beyond the last.
    """
    wanted, seen = share * sum(histogram), 0
    for count, bound in zip(histogram, (*BOUNDS, float("inf")), strict=True):
        seen += count
        if seen and seen >= wanted:
            return bound
    return None


def _named(histogram: list[int]) -> dict[str, int]:
    return {name: count for name, count in zip(_NAMES, histogram, strict=True) if count}


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value
