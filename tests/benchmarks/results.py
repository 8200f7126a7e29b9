"""The figures of one run: every value of every round, and the ratios of values that were taken in the same round."""

from __future__ import annotations

from collections import defaultdict

from tests.benchmarks.measure import Spread, median, spread


def on(place: str, metric: str) -> str:
    """The name of a metric that is measured on several places."""
    return f"{metric} on {place}"


class Results:
    """Values by (metric, subject), one a round; None where a round has none. And who was left out, and why."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float | None]] = defaultdict(list)
        self.left_out: dict[str, str] = {}
        self.remarks: list[str] = []
        self.loads: dict[str, float] = {}
        self.places: list[str] = []
        """Where drains were measured; `main` is where all else was."""
        self.main = ""

    def add(self, metric: str, subject: str, value: float | None) -> None:
        """One more round."""
        self._values[metric, subject].append(value)

    def note_load(self, part: str, load: float) -> None:
        """The highest load average of each part is kept."""
        self.loads[part] = max(load, self.loads.get(part, 0.0))

    def values(self, metric: str, subject: str) -> list[float]:
        """The values of all rounds that have one."""
        return [value for value in self._values.get((metric, subject), []) if value is not None]

    def median(self, metric: str, subject: str) -> float | None:
        """The median of the rounds, or None if it was not measured."""
        values = self.values(metric, subject)
        return median(values) if values else None

    def ratio(self, metric: str, subject: str, other: str, other_metric: str = "") -> Spread | None:
        """Subject / other, both of one round, over the rounds; None if no round has both."""
        ours = self._values.get((metric, subject), [])
        theirs = self._values.get((other_metric or metric, other), [])
        pairs = [a / b for a, b in zip(ours, theirs, strict=False) if a is not None and b]
        return spread(pairs) if pairs else None

    def spread(self, metric: str, subject: str) -> Spread | None:
        """Median and quartiles of the rounds, or None if it was not measured."""
        values = self.values(metric, subject)
        return spread(values) if values else None

    def subjects(self, metric: str) -> list[str]:
        """The subjects that have values of this metric, in the order in which they were first measured."""
        return [subject for found, subject in self._values if found == metric and self.values(metric, subject)]

    def has(self, metric: str) -> bool:
        """Whether anything was measured of this metric."""
        return bool(self.subjects(metric))

    def as_json(self) -> dict[str, dict[str, list[float | None]]]:
        """All values, for a file."""
        found: dict[str, dict[str, list[float | None]]] = {}
        for (metric, subject), values in self._values.items():
            found.setdefault(metric, {})[subject] = values
        return found
