"""The processes that are forked ahead, as pipes without processes."""

from __future__ import annotations

import os
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there is no fork", allow_module_level=True)

from spoolrunner.executors import spares as module
from spoolrunner.executors.spares import Spares, message, wait
from tests.conftest import FakeClock


@pytest.fixture
def spares(monkeypatch) -> Spares:
    """None yet, at a time that the test moves."""
    monkeypatch.setattr(module, "SYSTEM", FakeClock())
    return Spares()


@pytest.fixture
def fill(spares):
    """Add as many as are named, and return the ends at which they would read."""
    opened: list[int] = []

    def fill(*pids: int) -> list[int]:
        ends = []
        for pid in pids:
            theirs, ours = os.pipe()
            os.set_blocking(theirs, False)
            spares.add(pid, ours)
            ends.append(theirs)
        opened.extend(ends)
        return ends

    yield fill
    spares.shut()
    for end in opened:
        try:
            os.close(end)
        except OSError:
            continue  # the test, or `wait`, has closed it


def test_a_job_goes_to_one_of_them(spares, fill) -> None:
    """The last one that was forked gets it, whole, and is none of them any more."""
    _, last = fill(11, 12)
    assert spares.use(b"x" * 10_000) == 12
    os.set_blocking(last, True)
    assert wait(last) == b"x" * 10_000
    assert spares.pids() == [11]


def test_one_that_was_killed_is_passed_over(spares, fill) -> None:
    """A process that is gone gets no job; without any other there is none."""
    first, last = fill(11, 12)
    os.close(last)
    assert spares.use(b"x") == 11
    os.set_blocking(first, True)
    assert wait(first) == b"x"
    assert spares.use(b"x") == 0


def test_more_are_wanted_while_they_are_used_at_once(spares) -> None:
    """Two at rest; eight when the last ones were used up within a tenth of a second."""
    assert spares.wanted() == 2
    module.SYSTEM.advance(0.05)
    assert spares.wanted() == 8
    module.SYSTEM.advance(0.2)
    assert spares.wanted() == 2


def test_rest(spares, fill) -> None:
    """When nothing happens the next two warm up, once, and the others are let go."""
    ends = fill(11, 12, 13, 14)
    assert not spares.have_settled
    spares.settle()
    assert spares.have_settled
    assert spares.leaving == [11, 12]
    assert [os.read(end, 9) for end in ends[:2]] == [b"", b""]
    assert [wait(end) for end in ends[2:]] == [b"", b""]
    spares.settle()
    with pytest.raises(BlockingIOError):
        os.read(ends[3], 9)


def test_a_job_that_comes_right_behind_the_word_to_warm_up(spares, fill) -> None:
    """Both may be read at once: the job is what counts."""
    (end,) = fill(11)
    spares.settle()
    assert spares.use(b"x") == 11
    os.set_blocking(end, True)
    assert wait(end) == b"x"


def test_the_end_of_one(spares, fill) -> None:
    """One that has ended is forgotten, whether it was let go or waits; its pipe is closed."""
    ends = fill(11, 12)
    spares.forget(12)
    assert os.read(ends[1], 9) == b""
    assert len(spares) == 1
    spares.dismiss()
    assert (len(spares), spares.pids()) == (0, [11])
    spares.forget(11)
    assert spares.pids() == []


def test_a_message() -> None:
    """What is written is the job's length and its bytes."""
    assert message(b"abc") == b"j\x03\x00\x00\x00abc"
