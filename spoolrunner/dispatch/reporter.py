"""Passes each event to every listener, with its time. Decides nothing, and words nothing."""

from __future__ import annotations

from collections.abc import Iterable

from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Event, Listener


class Reporter:
    """The one door by which the dispatcher's rooms report what happens."""

    def __init__(self, clock: Clock, listeners: Iterable[Listener]) -> None:
        self._clock = clock
        self._listeners = list(listeners)

    def report(self, event: Event) -> None:
        """Call every listener with the event and the time, in seconds since 1970."""
        at = self._clock.wall()
        for listener in self._listeners:
            listener(event, at)
