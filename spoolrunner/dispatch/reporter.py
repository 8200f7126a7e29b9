"""Passes each event to every listener, with its time. Decides nothing, and words nothing.

A listener is an observer: one that fails is named in the log, and keeps neither the others nor the dispatcher from their work.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Event, Listener
from spoolrunner.telling.troubles import ListenerFailed, ThreadDied


class Reporter:
    """The one door by which the dispatcher's rooms report what happens."""

    def __init__(self, clock: Clock, listeners: Iterable[Listener]) -> None:
        self._clock = clock
        self._listeners = list(listeners)
        self._failures: dict[tuple[str, str], ListenerFailed] = {}

    def report(self, event: Event) -> None:
        """Call every listener with the event and the time, in seconds since 1970."""
        at = self._clock.wall()
        for listener in self._listeners:
            try:
                listener(event, at)
            except Exception as error:
                self._name(listener, error, at)

    @property
    def trouble(self) -> list[str]:
        """A sentence for each way in which a listener has failed, and what each says of itself that has a `trouble`."""
        said = [getattr(listener, "trouble", "") for listener in self._listeners]
        return [event.entry(0.0).note for event in self._failures.values()] + [
            sentence for sentence in said if isinstance(sentence, str) and sentence
        ]

    def _name(self, failed: Listener, error: Exception, at: float) -> None:
        """Report to the other listeners, once for each kind of error, that this one failed."""
        name = getattr(failed, "__name__", type(failed).__name__)
        kind = (name, type(error).__name__)
        if kind in self._failures:
            return
        event = self._failures[kind] = ListenerFailed(name, f"{type(error).__name__}: {error}")
        for listener in self._listeners:
            if listener is not failed:
                with suppress(Exception):  # it is named when it fails to hear another event
                    listener(event, at)


@contextmanager
def deaths_of_threads(report: Callable[[Event], None]) -> Iterator[None]:
    """Report each thread that ends by an error while the block runs: none of ours may die unseen."""
    before = threading.excepthook

    def died(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread is not None else "unknown"
        report(
            ThreadDied(name, "".join(traceback.format_exception_only(arguments.exc_type, arguments.exc_value)).strip())
        )

    threading.excepthook = died
    try:
        yield
    finally:
        threading.excepthook = before
