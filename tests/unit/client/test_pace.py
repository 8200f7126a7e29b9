"""How fast many jobs are moved: by what the dispatcher says of those that wait."""

from __future__ import annotations

import json

import pytest

from spoolrunner.client import pace as module
from spoolrunner.client.pace import LEAST, MOST, PATIENCE, Pace
from spoolrunner.protocol.states import State
from spoolrunner.system import clock as clock_module


@pytest.fixture
def dispatcher(spool, clock, monkeypatch):
    """A dispatcher that has looked at all but `unseen` of the files, and says so each second while somebody waits for it."""

    class Dispatcher:
        unseen = 0
        is_silent = False
        paused = 0.0

        def sleep(self, seconds: float) -> None:
            clock.advance(seconds)
            self.paused += seconds
            if not self.is_silent:
                count = sum(1 for _ in spool.names(State.PENDING))
                with open(spool.layout.status, "w", encoding="ascii") as stream:
                    json.dump({"updated_at": str(int(clock.monotonic())), "waiting": count - self.unseen}, stream)

    made = Dispatcher()
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    monkeypatch.setattr(clock, "sleep", made.sleep)
    monkeypatch.setattr(module, "dispatcher_of", lambda _layout: {"pid": 5})
    return made


def moved(pace: Pace, dispatcher, batch: int = 500) -> int:
    """How many jobs are moved before the next pause."""
    count, paused = 0, dispatcher.paused
    while dispatcher.paused == paused:
        pace.wait(batch)
        count += batch
    return count - batch


def test_as_fast_as_it_looks(spool, dispatcher) -> None:
    """While the dispatcher has looked at all at each word of it, more and more may come, up to a bound."""
    pace = Pace(spool.layout)
    portions = [moved(pace, dispatcher) for _ in range(4)]
    assert portions == [2 * LEAST, 4 * LEAST - 500, MOST - 500, MOST - 500]


def test_one_that_is_behind_gets_less(spool, drop, dispatcher) -> None:
    """While the dispatcher is behind, less may come, and it is waited for."""
    for number in range(5):
        drop(State.PENDING, str(number))
    pace = Pace(spool.layout)
    moved(pace, dispatcher)
    pace._most = 8  # as if ten thousand were eight
    pace._ahead = 8
    dispatcher.unseen = 5
    pace.wait(1)
    assert pace._most == LEAST
    assert pace._ahead <= LEAST


def test_one_that_says_nothing_stops_nobody(spool, dispatcher) -> None:
    """A dispatcher that says nothing new is waited for for some seconds, each time, and then the next portion is moved."""
    pace = Pace(spool.layout)
    dispatcher.is_silent = True
    moved(pace, dispatcher)
    assert dispatcher.paused == pytest.approx(PATIENCE, abs=0.1)


def test_without_a_dispatcher_nothing_is_waited_for(spool, dispatcher, monkeypatch) -> None:
    """Where no dispatcher serves the spool nobody is held up."""
    monkeypatch.setattr(module, "dispatcher_of", lambda _layout: None)
    pace = Pace(spool.layout)
    for _ in range(100):
        pace.wait(1000)
    assert dispatcher.paused == 0
