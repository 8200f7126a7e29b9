"""Which rule of recovery applies: by the document, the marker, and what the dispatcher knows."""

from __future__ import annotations

import pytest

from spoolrunner.protocol.states import RECOVERY_RULES, Outcome, Verdict
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.settling_rules import Known, Origin, choose, is_recorded
from spoolrunner.spool.traces import Marker

REJECT, START_FITS, CLAIM_FITS, FINAL_VERDICT, OTHERWISE = RECOVERY_RULES


def attempt(outcome: Outcome, verdict: Verdict) -> dict:
    return {"number": 1, "outcome": outcome.value, "verdict": verdict.value}


def left(kind: str, number: int, inode: int, size: int = 300) -> Marker:
    """A marker of that attempt of the file with this inode, whose size was that."""
    return Marker(kind, number, inode, size, 5)


STAMP = Stamp(7, 300, 5)
RETRIED = attempt(Outcome.FAILED, Verdict.RETRY)
DONE = attempt(Outcome.SUCCEEDED, Verdict.DONE)
GIVEN_UP = attempt(Outcome.FAILED, Verdict.FAILED)


@pytest.mark.parametrize(
    ("attempts", "marker", "rule"),
    [
        (None, left(START, 1, 7), REJECT),
        (None, None, REJECT),
        ([], left(START, 1, 7), START_FITS),
        ([RETRIED], left(START, 2, 7), START_FITS),
        ([DONE], left(START, 2, 7), START_FITS),
        ([DONE], left(CLAIM, 2, 7), CLAIM_FITS),
        ([GIVEN_UP], left(CLAIM, 2, 7), CLAIM_FITS),
        ([DONE], left(START, 1, 6), FINAL_VERDICT),
        ([GIVEN_UP], left(START, 1, 6), FINAL_VERDICT),
        ([DONE], None, FINAL_VERDICT),
        ([DONE], left(CLAIM, 2, 6), FINAL_VERDICT),
        ([DONE], left(START, 2, 6), FINAL_VERDICT),
        ([DONE], left(START, 3, 7), FINAL_VERDICT),
        ([RETRIED], left(START, 1, 6), OTHERWISE),
        ([RETRIED], None, OTHERWISE),
        ([], left(START, 1, 6), OTHERWISE),
        ([], left(START, 2, 7), OTHERWISE),
        ([], None, OTHERWISE),
    ],
)
def test_choose(attempts, marker, rule) -> None:
    """The first rule whose sign is seen is the one; a marker counts only if it fits."""
    assert choose(attempts, STAMP, marker, has_markers=False) is rule


@pytest.mark.parametrize(
    ("marker", "rule"),
    [(None, OTHERWISE), (left(START, 1, 6), FINAL_VERDICT), (left(START, 2, 6), OTHERWISE)],
    ids=["no marker", "of this attempt", "of another attempt"],
)
def test_choose_where_markers_survived(marker, rule) -> None:
    """A final verdict is obeyed only with the marker of its attempt, where no power cut can have taken that."""
    assert choose([DONE], STAMP, marker, has_markers=True) is rule


@pytest.mark.parametrize("has_markers", [True, False])
@pytest.mark.parametrize(("kind", "rule"), [(START, START_FITS), (CLAIM, CLAIM_FITS)])
def test_a_file_that_was_touched(kind, rule, has_markers) -> None:
    """A marker of a file with another size or time fits where markers survived; after a power cut it is another file's."""
    assert choose([], STAMP, left(kind, 1, 7, size=299), has_markers=has_markers) is (
        rule if has_markers else OTHERWISE
    )


@pytest.mark.parametrize(("keeps_inodes", "rule"), [(True, OTHERWISE), (False, START_FITS)])
def test_a_file_with_another_inode(keeps_inodes, rule) -> None:
    """Where the files were copied, a start marker fits without the inode; where they were not, it is another file's."""
    marker = left(START, 1, STAMP.inode + 1)
    assert choose([], STAMP, marker, has_markers=False, keeps_inodes=keeps_inodes) is rule
    assert choose([], STAMP, marker, has_markers=True, keeps_inodes=keeps_inodes) is OTHERWISE


@pytest.mark.parametrize(("number", "rule"), [(1, FINAL_VERDICT), (2, OTHERWISE), (None, OTHERWISE)])
def test_an_attempt_that_is_known_to_have_been_started(number, rule) -> None:
    """A final verdict of the attempt that we started was recorded here, whatever became of its marker."""
    assert choose([DONE], STAMP, None, has_markers=True, number=number) is rule


@pytest.mark.parametrize(
    ("known", "marker", "recorded"),
    [
        (Known(Origin.STARTED, number=1), None, True),
        (Known(Origin.STARTED, number=2), None, False),
        (Known(), left(START, 1, 6), True),
        (Known(), left(START, 2, 6), False),
        (Known(), left(CLAIM, 1, 6), False),
        (Known(), None, False),
    ],
)
def test_a_recorded_retry(known, marker, recorded) -> None:
    """A recorded retry is told from a start that came to nothing by the attempt's number, or by its start marker."""
    assert is_recorded([RETRIED], marker, known) is recorded


def test_looks() -> None:
    """What is known stays the same but for the looks, and without any is the same value."""
    known = Known(Origin.STARTED, number=3)
    assert known.after(0) is known
    assert known.after(2) == Known(Origin.STARTED, number=3, looks=2)
