"""File events that come no more, or never came: tried again, and said meanwhile."""

from __future__ import annotations

import math

import pytest

from spoolrunner.dispatch.watching import AGAIN, Watching
from spoolrunner.telling.events import Weakness
from tests.unit.dispatch.conftest import StillWatch

NOW = 1_000.0


class SometimesWatch(StillWatch):
    """A watch that gets events when it is told so."""

    has_events = False

    def __init__(self) -> None:
        self.reason, self.why, self.tries = "", "", 0

    def start(self) -> None:
        self.tries += 1
        self.reason = self.why
        self.has_events = not self.why

    restart = start


@pytest.fixture
def watch() -> SometimesWatch:
    return SometimesWatch()


@pytest.fixture
def told() -> list:
    """What was called and reported."""
    return []


@pytest.fixture
def weaknesses() -> list[str]:
    return ["another one"]


@pytest.fixture
def watching(watch, told, weaknesses) -> Watching:
    return Watching(watch, weaknesses, told.append, lambda: told.append("scan"))


def test_events_that_come(watching, watch, told, weaknesses) -> None:
    """There is nothing to do and nothing to say."""
    watching.begin(NOW)
    watching.work(NOW)
    assert (watch.tries, told, weaknesses) == (1, [], ["another one"])
    assert watching.next_in(NOW) == math.inf


def test_events_that_do_not_come_at_first(watching, watch, told, weaknesses) -> None:
    """It is a weakness until they come, which is tried once a minute; what was missed is looked for then."""
    watch.why = "no threads"
    watching.begin(NOW)
    watching.work(NOW + AGAIN - 1)
    assert (watch.tries, weaknesses, watching.next_in(NOW + AGAIN - 1)) == (1, ["another one", "no threads"], 1.0)
    watching.work(NOW + AGAIN)
    assert (watch.tries, told) == (2, [])
    watch.why = ""
    watching.work(NOW + 2 * AGAIN)
    assert (watch.has_events, told, weaknesses) == (True, ["scan"], ["another one"])


def test_events_that_cease(watching, watch, told, weaknesses) -> None:
    """Where the threads have died the watch is made again at once, and if that fails it is reported why."""
    watching.begin(NOW)
    watch.has_events, watch.why = False, "no threads"
    watching.work(NOW + 2 * AGAIN)
    assert (watch.tries, told, weaknesses) == (2, [Weakness("no threads")], ["another one", "no threads"])
