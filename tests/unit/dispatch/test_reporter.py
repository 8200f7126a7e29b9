"""The one door for events: every listener is called, with the time."""

from __future__ import annotations

import threading

from spoolrunner.dispatch.reporter import Reporter, deaths_of_threads
from spoolrunner.telling.events import GoingOn
from spoolrunner.telling.troubles import ListenerFailed, ThreadDied


def test_every_listener_is_called_in_order(clock) -> None:
    """Each listener gets the event and the wall clock's time, in the order in which they were given."""
    heard = []
    reporter = Reporter(clock, [lambda event, at: heard.append((1, event, at)), lambda *both: heard.append((2, *both))])
    reporter.report(GoingOn())
    assert heard == [(1, GoingOn(), clock.wall()), (2, GoingOn(), clock.wall())]


def test_a_listener_that_fails_stops_nothing(clock) -> None:
    """The others hear every event, and once that it failed; it is asked again, and stands in the trouble."""
    heard, asked = [], []

    def broken(event, at) -> None:
        asked.append(event)
        raise ValueError("no room")

    reporter = Reporter(clock, [broken, lambda event, at: heard.append(event)])
    for _ in range(3):
        reporter.report(GoingOn())
    failed = ListenerFailed("broken", "ValueError: no room")
    assert heard == [failed, GoingOn(), GoingOn(), GoingOn()]
    assert asked == [GoingOn()] * 3
    assert reporter.trouble == ["broken, which is told of events, failed: ValueError: no room"]


def test_what_a_listener_says_of_itself(clock) -> None:
    """A listener that has a sentence of its own, as the one that prints, stands in the trouble for as long as it has it."""

    class Printer:
        trouble = "nothing is printed"

        def __call__(self, event, at) -> None: ...

    class Other(Printer):
        def trouble(self) -> None: ...

    printer = Printer()
    reporter = Reporter(clock, [printer, Other(), lambda event, at: None])
    assert reporter.trouble == ["nothing is printed"]
    printer.trouble = ""
    assert reporter.trouble == []


def test_listeners_that_fail_all(clock) -> None:
    """Where nobody is left to hear of it nothing is lost but the words."""

    def one(event, at) -> None:
        raise ValueError("1")

    def two(event, at) -> None:
        raise KeyError("2")

    reporter = Reporter(clock, [one, two])
    reporter.report(GoingOn())
    assert len(reporter.trouble) == 2


def test_a_thread_that_dies_is_named() -> None:
    """A thread that ends by an error while the dispatcher works is an event; afterwards Python reports as before."""
    heard, before = [], threading.excepthook

    def fails() -> None:
        raise RuntimeError("out of order")

    with deaths_of_threads(heard.append):
        thread = threading.Thread(target=fails, name="wait-5")
        thread.start()
        thread.join()
    assert heard == [ThreadDied("wait-5", "RuntimeError: out of order")]
    assert threading.excepthook is before
