"""How often the jobs of each group started lately: a sliding window of starts for each group that has a rate.

Pure: times are monotonic, and given. What an earlier dispatcher started is noted here too (`read_back`).
"""

from __future__ import annotations

from bisect import insort
from collections import deque

from spoolrunner.protocol.groups import Rate


class Rates:
    """The starts of each group within its window.

    `is_known` is False while the starts before this dispatcher are still being read: until then nobody can say who may start.
    """

    def __init__(self) -> None:
        self._starts: dict[str, deque[float]] = {}
        self.is_known = True

    def __len__(self) -> int:
        return len(self._starts)

    def note(self, group: str, rate: Rate, at: float) -> None:
        """A job of that group started at that time, perhaps earlier than others that are known."""
        starts = self._starts.get(group)
        if starts is None:
            starts = self._starts[group] = deque()
        if not starts or starts[-1] <= at:
            starts.append(at)
        else:
            insort(starts, at)
        while len(starts) > rate.starts:
            starts.popleft()  # only the last ones decide when the next may start

    def free_at(self, group: str, rate: Rate) -> float:
        """Return when the next job of that group may start; minus infinity when at any time."""
        starts = self._starts.get(group)
        return float("-inf") if starts is None or len(starts) < rate.starts else starts[0] + rate.seconds

    def forget_before(self, at: float) -> None:
        """Forget the groups that had no start since then."""
        for group in [group for group, starts in self._starts.items() if not starts or starts[-1] < at]:
            del self._starts[group]
