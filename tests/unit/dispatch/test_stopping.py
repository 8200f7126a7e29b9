"""A graceful stop: time first, then the interruption; a second stop does not wait."""

from __future__ import annotations

import math

import pytest

from spoolrunner.dispatch.stopping import HURRY_GRACE, Stopping
from spoolrunner.telling.events import DispatcherStopping


@pytest.fixture
def stopping(rooms, begin) -> Stopping:
    begin("x")
    return Stopping(rooms)


def interrupted(rooms) -> bool:
    (attempt,) = rooms.running.all()
    return attempt.termination is not None


def test_nothing_was_asked_for(stopping, rooms, clock) -> None:
    """Without a stop nothing is interrupted, however late it is."""
    clock.advance(1e6)
    stopping.work(clock.monotonic())
    assert (stopping.next_in(clock.monotonic()), interrupted(rooms)) == (math.inf, False)


def test_the_first_stop_gives_time(stopping, rooms, clock, events) -> None:
    """The jobs have stop_grace, and are interrupted when that is over."""
    stopping.begin()
    assert events[-1] == DispatcherStopping(1, 30.0)
    assert stopping.next_in(clock.monotonic()) == 30.0
    clock.advance(29.9)
    stopping.work(clock.monotonic())
    assert not interrupted(rooms)
    clock.advance(0.1)
    stopping.work(clock.monotonic())
    assert interrupted(rooms)
    assert stopping.next_in(clock.monotonic()) == math.inf


def test_the_second_stop_hurries(stopping, rooms, clock) -> None:
    """The jobs are interrupted at once, and the kill is not far."""
    stopping.begin()
    stopping.hurry()
    (attempt,) = rooms.running.all()
    assert attempt.termination is not None
    assert attempt.termination.kill_at == clock.monotonic() + HURRY_GRACE
