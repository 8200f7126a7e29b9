"""The verdict on what was found, in words."""

from __future__ import annotations

import pytest

from spoolrunner.client.overview import Overview
from spoolrunner.web.frame import Looked
from spoolrunner.web.surveys import Failures, Waiting
from spoolrunner.web.verdict import Condition, judge

NONE = {"pending": 0, "running": 0, "done": 0, "failed": 0}


def looked(*, is_counting: bool = False, paused: bool = False, **counts: int) -> Looked:
    known = {**NONE, **counts}
    seen = Overview("", None, "/spool", {"state": "running"}, known, 0, [], [], {}, None, paused, [], [], [], [])
    return Looked(seen, {}, Waiting(), Failures(), is_counting)


@pytest.mark.parametrize(
    ("found", "condition", "headline"),
    [
        (looked(), Condition.EMPTY, "All is well, and nothing to do."),
        (looked(done=1), Condition.WELL, "Running well."),
        (looked(is_counting=True), Condition.WELL, "Running well."),
        (looked(paused=True, pending=2), Condition.PAUSED, "Paused."),
    ],
)
def test_condition(found, condition, headline) -> None:
    """A spool is empty when that was counted."""
    verdict = judge(found, [], 0.0)
    assert (verdict.condition, verdict.headline) == (condition, headline)


def test_gone() -> None:
    """Without the folders there is nothing to judge."""
    assert judge(None, [], 0.0).condition is Condition.GONE


@pytest.mark.parametrize("counts", [{}, {"failed": 3, "pending": 2}])
def test_no_number_while_it_is_counted(counts) -> None:
    """What was counted so far is no count."""
    assert (
        judge(looked(is_counting=True, **counts), [], 0.0).behind
        == "it is still being counted what lies in the folders."
    )
    assert "<a" not in judge(looked(is_counting=True, paused=True, **counts), [], 0.0).behind
