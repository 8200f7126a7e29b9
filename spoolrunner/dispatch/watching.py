"""Keeps file events coming: a watch that got none, or lost its threads, is made again."""

from __future__ import annotations

import math
from collections.abc import Callable

from spoolrunner.dispatch.surroundings import Watcher
from spoolrunner.telling.events import Event, Weakness

AGAIN = 60.0
"""Seconds between two tries to have file events where there are none: until then the folders are looked at once a second."""


class Watching:
    """The watch of one dispatcher, and what is to be said of it. A chore.

    While there are no events, the reason stands among `weaknesses`. `scan` is called when they come again: none tells of what
    was missed.
    """

    def __init__(
        self, watch: Watcher, weaknesses: list[str], report: Callable[[Event], None], scan: Callable[[], None]
    ) -> None:
        self._watch = watch
        self._weaknesses = weaknesses
        self._report = report
        self._scan = scan
        self._said = ""
        self._again_at = -math.inf

    def begin(self, now: float) -> None:
        """Start to watch; the reason why there are no events is reported with the other weaknesses."""
        self._watch.start()
        self._again_at = now + AGAIN
        self._note()

    def next_in(self, now: float) -> float:
        """Seconds until the next try; infinite while events come."""
        return math.inf if self._watch.has_events else max(0.0, self._again_at - now)

    def work(self, now: float) -> None:
        """Try again, if there are none and it is time."""
        if self._watch.has_events or now < self._again_at:
            return
        self._again_at = now + AGAIN
        before = self._said
        self._watch.restart()
        self._note()
        if self._watch.has_events:
            self._scan()
        elif self._said != before:
            self._report(Weakness(self._said))

    def _note(self) -> None:
        if self._said in self._weaknesses:
            self._weaknesses.remove(self._said)
        self._said = self._watch.reason
        if self._said:
            self._weaknesses.append(self._said)
