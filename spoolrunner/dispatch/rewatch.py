"""File events that stopped are had again: a thread of the watch died, or there was none to be had."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from spoolrunner.telling.events import Event, Weakness
from spoolrunner.telling.troubles import EventsComeAgain

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between tries to have file events again, at first and at most."""


class Watching(Protocol):
    """What `watch.Watch` and `watch.CodeWatch` have in common."""

    @property
    def reason(self) -> str:
        """Why no events come; empty while they come, and when none are wanted."""

    def restart(self) -> None:
        """Begin anew."""


class Rewatch:
    """Begins to watch anew where file events stopped, or could not be had. A chore.

    `again` is called when they come again: what happened meanwhile was not noticed.
    """

    def __init__(self, watch: Watching, report: Callable[[Event], None], again: Callable[[], None]) -> None:
        self._watch = watch
        self._report = report
        self._again = again
        self._told = ""
        self._pause, self._at = FIRST_PAUSE, 0.0
        self._look_at = -math.inf
        """When it is to be looked at again (monotonic), after events were seen to come: a look asks all its threads."""

    def next_in(self, now: float) -> float:
        """Seconds until the next try; infinite while events come."""
        return max(0.0, self._at - now) if self._is_silent(now) else math.inf

    def work(self, now: float) -> None:
        """Say that none come, and try to have them again, if it is time."""
        if not self._is_silent(now) or now < self._at:
            return
        if self._watch.reason != self._told:
            self._told = self._watch.reason
            self._report(Weakness(self._told))
        self._watch.restart()
        if not self._watch.reason:
            self._told, self._pause, self._at = "", FIRST_PAUSE, 0.0
            self._report(EventsComeAgain())
            self._again()
        else:
            self._at = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _is_silent(self, now: float) -> bool:
        if now < self._look_at:
            return False
        is_silent = bool(self._watch.reason)
        if not is_silent:
            self._look_at = now + FIRST_PAUSE
        return is_silent
