"""The one door for events: every listener is called, with the time."""

from __future__ import annotations

from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.telling.events import GoingOn


def test_every_listener_is_called_in_order(clock) -> None:
    """Each listener gets the event and the wall clock's time, in the order in which they were given."""
    heard = []
    reporter = Reporter(clock, [lambda event, at: heard.append((1, event, at)), lambda *both: heard.append((2, *both))])
    reporter.report(GoingOn())
    assert heard == [(1, GoingOn(), clock.wall()), (2, GoingOn(), clock.wall())]
