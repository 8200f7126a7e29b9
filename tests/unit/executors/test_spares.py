"""The processes that are forked ahead, as pipes without processes."""

from __future__ import annotations

import math
import os
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there is no fork", allow_module_level=True)

from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.executors.frames import WARM_UP
from spoolrunner.executors.spares import Spares
from spoolrunner.system import clock as clock_module


@pytest.fixture
def asked() -> list[int]:
    """How many were asked for, each time."""
    return []


@pytest.fixture
def inbox():
    """What listens to pipes."""
    return make_inbox()


@pytest.fixture
def spares(asked, inbox, clock, monkeypatch) -> Spares:
    """None yet, at a time that the test moves."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    return Spares(asked.append, inbox)


@pytest.fixture
def fill(spares):
    """Add those that are named, and return the ends at which they would read."""
    opened: list[int] = []

    def fill(*pids: int) -> list[int]:
        pairs = [os.pipe() for _ in pids]
        for theirs, _ in pairs:
            os.set_blocking(theirs, False)
        spares.add(pids, [ours for _, ours in pairs])
        opened.extend(theirs for theirs, _ in pairs)
        return [theirs for theirs, _ in pairs]

    yield fill
    spares.close()
    for end in opened:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def test_a_job_goes_to_the_one_that_has_waited_longest(spares, fill) -> None:
    """It gets the job, and the end of its pipe; it is none of them any more."""
    first, second = fill(11, 12)
    assert spares.give(b"job") == 11
    assert (os.read(first, 99), os.read(first, 99)) == (b"job", b"")
    assert spares.give(b"other") == 12
    assert os.read(second, 99) == b"other"
    assert (spares.give(b"third"), len(spares)) == (0, 0)


def test_one_that_was_killed_is_passed_over(spares, fill) -> None:
    """A process that is gone gets no job; without any other there is none."""
    first, last = fill(11, 12)
    os.close(first)
    assert spares.give(b"job") == 12
    assert os.read(last, 99) == b"job"


def test_a_large_job_follows_as_it_is_read(spares, fill, inbox) -> None:
    """What the pipe does not take at once is written while we wait for other things."""
    (end,) = fill(11)
    data = bytes(range(256)) * 2000
    assert spares.give(data) == 11
    found = b""
    while len(found) < len(data):
        found += os.read(end, 65536)
        inbox._listen_for(0.0)
    assert found == data
    assert os.read(end, 9) == b""
    assert len(inbox._ready) == 1, "only what wakes the inbox is listened to"


def test_a_large_job_of_one_that_is_gone(spares, fill, inbox) -> None:
    """When its process ends meanwhile, nothing is left to be written."""
    (end,) = fill(11)
    assert spares.give(bytes(1 << 20)) == 11
    os.close(end)
    inbox._listen_for(0.0)
    assert len(inbox._ready) == 1


def test_two_are_wanted_at_rest(spares, fill, asked, clock) -> None:
    """As many as are missing are asked for, once, until they come."""
    spares.ask_for_more()
    spares.ask_for_more()
    fill(11, 12)
    spares.ask_for_more()
    assert asked == [2]
    spares.give(b"job")
    clock.advance(0.2)
    spares.ask_for_more()
    assert asked == [2, 1]


def test_eight_more_are_wanted_at_work(spares, fill, asked, clock) -> None:
    """When two jobs came within a tenth of a second, eight are asked for as soon as fewer than three are left."""
    fill(11, 12, 13, 14)
    spares.give(b"job")
    clock.advance(0.05)
    spares.ask_for_more()
    assert asked == []
    spares.give(b"job")
    spares.ask_for_more()
    spares.ask_for_more()
    assert asked == [8]


def test_rest(spares, fill, clock) -> None:
    """When nothing happens for a moment the first two warm up, once, and the others are let go."""
    ends = fill(11, 12, 13, 14)
    now = clock.monotonic()
    assert spares.next_in(now) == pytest.approx(0.02)
    spares.settle(now)
    assert len(spares) == 4
    spares.settle(now + 0.02)
    assert [os.read(end, 9) for end in ends] == [WARM_UP, WARM_UP, b"", b""]
    assert (len(spares), spares.next_in(now + 1)) == (2, math.inf)
    spares.settle(now + 1)
    with pytest.raises(BlockingIOError):
        os.read(ends[0], 9)


def test_one_of_those_that_warm_up_was_killed(spares, fill, clock) -> None:
    """Its end is reported elsewhere."""
    first, second = fill(11, 12)
    os.close(first)
    spares.settle(clock.monotonic() + 1)
    assert os.read(second, 9) == WARM_UP


def test_the_end_of_one(spares, fill) -> None:
    """One that has ended is forgotten, and its pipe closed; one that is not known changes nothing."""
    ends = fill(11, 12)
    spares.forget(12)
    spares.forget(13)
    assert os.read(ends[1], 9) == b""
    assert len(spares) == 1


def test_those_that_come_too_late(spares, fill, asked) -> None:
    """After the end all are let go, those too that were on their way, and no more are asked for."""
    spares.ask_for_more()
    spares.close()
    (end,) = fill(11)
    spares.ask_for_more()
    assert (os.read(end, 9), len(spares), asked) == (b"", 0, [2])
