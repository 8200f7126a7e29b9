"""Counts of what happened since the dispatcher began, for status.json: starts, outcomes, retries."""

from __future__ import annotations

from collections import Counter

from spoolrunner.telling.events import Event, Recorded, Refused, RetryPlanned, Started


class Totals:
    """A listener that counts for status.json: starts, refusals and attempts by outcome, and retries."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, event: Event, at: float) -> None:  # noqa: ARG002 -- a listener is given the time too
        """Count the event, if it is one of those."""
        if isinstance(event, Started):
            self._counts["started"] += 1
        elif isinstance(event, (Recorded, Refused)):
            self._counts[event.outcome.value] += 1
        elif isinstance(event, RetryPlanned):
            self._counts["retries"] += 1

    def counts(self) -> dict[str, int]:
        """What was counted since the dispatcher began, by name."""
        return dict(sorted(self._counts.items()))
