"""Long work in slices: how long one is, and how long it is rested."""

from __future__ import annotations

import math
from collections.abc import Generator

import pytest

from spoolrunner.dispatch.divided import Slices


@pytest.fixture
def done() -> list:
    """The steps that were done."""
    return []


@pytest.fixture
def steps(clock, done):
    """So many steps, each of which takes a second."""

    def make(count: int) -> Generator[int, None, None]:
        for number in range(count):
            clock.advance(1.0)
            done.append(number)
            yield number

    return make


def test_a_slice_and_the_rest_after_it(clock, steps, done) -> None:
    """A slice ends at the first step by which it has its length; then it is rested so that the share is kept."""
    slices = Slices(clock, 1.5, 0.1)
    assert (slices.is_under_way, slices.next_in(clock.monotonic())) == (False, math.inf)
    slices.begin(steps(5))
    assert slices.next_in(clock.monotonic()) == 0
    slices.work(clock.monotonic())
    assert (len(done), slices.is_under_way) == (2, True)
    assert slices.next_in(clock.monotonic()) == pytest.approx(18.0)
    clock.advance(17.9)
    slices.work(clock.monotonic())
    assert len(done) == 2
    clock.advance(0.1)
    slices.work(clock.monotonic())
    clock.advance(18.0)
    slices.work(clock.monotonic())
    assert (len(done), slices.is_under_way, slices.next_in(clock.monotonic())) == (5, False, math.inf)


def test_the_next_work_waits_for_its_share_too(clock, steps, done) -> None:
    """The rest after the last slice is kept when another work begins at once."""
    slices = Slices(clock, 9.0, 0.5)
    slices.begin(steps(2))
    slices.work(clock.monotonic())
    slices.begin(steps(1))
    assert slices.next_in(clock.monotonic()) == pytest.approx(2.0)


def test_an_end_and_an_error(clock, steps) -> None:
    """What is ended is left undone, and an error leaves the rest to the next time."""
    slices = Slices(clock, 1.0, 1.0)
    slices.begin(left := steps(5))
    slices.end()
    assert list(left) == []
    slices.end()
    assert not slices.is_under_way

    def failing() -> Generator[int, None, None]:
        yield 1
        raise OSError(30, "no")

    slices.begin(failing())
    with pytest.raises(OSError, match="no"):
        slices.work(clock.monotonic())
    assert not slices.is_under_way
