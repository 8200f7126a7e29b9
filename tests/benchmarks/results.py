"""The figures of one run: every value of every round, and the ratios of values that were taken in the same round."""

from __future__ import annotations

from collections import defaultdict

from tests.benchmarks.measure import median


class Results:
    """Values by (metric, subject), one a round; None where a round has none. And who was left out, and why."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float | None]] = defaultdict(list)
        self.left_out: dict[str, str] = {}
        self.remarks: list[str] = []

    def add(self, metric: str, subject: str, value: float | None) -> None:
        """One more round."""
        self._values[metric, subject].append(value)

    def values(self, metric: str, subject: str) -> list[float]:
        """The values of all rounds that have one."""
        return [value for value in self._values.get((metric, subject), []) if value is not None]

    def median(self, metric: str, subject: str) -> float | None:
        """The median of the rounds, or None if it was not measured."""
        values = self.values(metric, subject)
        return median(values) if values else None

    def ratio(self, metric: str, subject: str, other: str, other_metric: str = "") -> float | None:
        """The median over the rounds of subject / other, each of one round; None if no round has both."""
        ours = self._values.get((metric, subject), [])
        theirs = self._values.get((other_metric or metric, other), [])
        pairs = [a / b for a, b in zip(ours, theirs, strict=False) if a is not None and b]
        return median(pairs) if pairs else None

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
