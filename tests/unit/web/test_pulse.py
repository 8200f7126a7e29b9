"""When open pages look again."""

from __future__ import annotations

import pytest

from spoolrunner.web.pulse import LEAST, MOST, Pulse


class World:
    """What a pulse hears of."""

    def __init__(self) -> None:
        self.heard = 0


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pulse(world, clock) -> Pulse:
    return Pulse(lambda: world.heard, clock)


def test_version_by_changes(pulse, world) -> None:
    """The tag is another one after each change, be it in the spool or of the page's own, and else the same."""
    first = pulse.version()
    assert pulse.version() == first
    world.heard += 1
    second = pulse.version()
    pulse.touch()
    assert len({first, second, pulse.version()}) == 3


def test_version_by_time(pulse, clock) -> None:
    """Without any change it is another one every half minute, and every two seconds while jobs run."""
    idle = pulse.version()
    clock.advance(MOST - 1)
    assert pulse.version() == idle
    clock.advance(1)
    assert pulse.version() != idle
    pulse.is_busy = True
    running = pulse.version()
    clock.advance(2)
    assert pulse.version() != running


def test_pace(pulse) -> None:
    """One page looks twice a second; with many, or where a look is dear, each so seldom that a tenth of a core is enough."""
    pulse.streams = 1
    assert pulse.pace() == LEAST
    for _ in range(50):
        pulse.spent(0.02)
    assert pulse.pace() == LEAST
    pulse.streams = 100
    assert pulse.pace() == pytest.approx(21, rel=0.01)
    pulse.streams = 10_000
    assert pulse.pace() == MOST
