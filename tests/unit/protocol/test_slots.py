"""The slots of a schedule: their ids, and why one is skipped."""

from __future__ import annotations

import pytest

from spoolrunner.protocol.slots import (
    LONGEST_NAME,
    ON_TIME,
    Terms,
    lateness_problem,
    overlap_problem,
    slot_id,
    slot_time,
)
from spoolrunner.spool.ids import id_problem

SLOT = 1_795_744_800
ONCE = Terms(catch_up="once", catch_up_within=7200)


def test_the_id_of_a_slot() -> None:
    """The id of a slot's job is the schedule's name and the slot in UTC; the longest name makes an id that is allowed."""
    assert slot_time(SLOT) == "2026-11-27T02:00:00Z"
    assert slot_id("nightly", SLOT) == "nightly.20261127T020000Z"
    assert id_problem(slot_id("a" * LONGEST_NAME, SLOT)) is None


@pytest.mark.parametrize(
    ("late", "terms", "problem"),
    [
        (0, Terms(), ""),
        (ON_TIME, Terms(), ""),
        (ON_TIME + 1, Terms(), '"catch_up" is "skip"'),
        (7200, Terms(), 'it was missed by 2 h: no dispatcher worked at its time, or the clock was set; "catch_up" is "skip"'),
        (ON_TIME + 1, ONCE, ""),
        (7200, ONCE, ""),
        (7201, ONCE, 'that is more than "catch_up_within"'),
        (30, Terms(catch_up="once", catch_up_within=0), ""),
        (10 * 86400, Terms(), "it was missed by 10 d"),
        (200, Terms(), "it was missed by 3 m"),
    ],
)  # fmt: skip
def test_a_slot_that_is_late(late, terms, problem) -> None:
    """A slot that is a minute late at most is run; a later one as `catch_up` says, and the reason names the key."""
    found = lateness_problem(SLOT, SLOT + late, terms)
    assert problem in found
    assert bool(problem) is bool(found)


@pytest.mark.parametrize(
    ("waits", "runs", "overlap", "problem"),
    [
        (False, False, "skip", ""),
        (True, False, "skip", "x of an earlier slot still waits"),
        (False, True, "skip", "x of an earlier slot still runs"),
        (False, True, "queue", ""),
        (True, False, "queue", "x of an earlier slot still waits"),
        (False, False, "queue", ""),
    ],
)
def test_a_slot_while_an_earlier_one_is_not_over(waits, runs, overlap, problem) -> None:
    """With `skip` no slot is run beside the job of an earlier one; with `queue` one waits behind it, and no second."""
    assert overlap_problem("x", waits=waits, runs=runs, terms=Terms(overlap=overlap)) == problem
