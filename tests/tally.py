"""What the reliability suites tried and what they found, told at the end of pytest's output as a table."""

from __future__ import annotations

from dataclasses import dataclass, field

_HEADER = ("suite", "tried", "lost", "double", "beyond limit")


@dataclass
class Tally:
    """Counts by suite; a test adds to them before it asserts that the last three are nought."""

    _counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, suite: str, tried: int, *, lost: int = 0, double: int = 0, beyond: int = 0) -> None:
        """So many more trials of `suite`, of which so many lost a job, had one twice, or started one beyond its limit."""
        counts = self._counts.setdefault(suite, [0, 0, 0, 0])
        for index, more in enumerate((tried, lost, double, beyond)):
            counts[index] += more

    def lines(self) -> list[str]:
        """The table, in Markdown; nothing when nothing was counted."""
        if not self._counts:
            return []
        rows = [(suite, *(f"{count:,}" for count in counts)) for suite, counts in sorted(self._counts.items())]
        return [f"| {' | '.join(row)} |" for row in (_HEADER, ("---",) * len(_HEADER), *rows)]
