"""Events of pauses, in words."""

from __future__ import annotations

from spoolrunner.telling.pauses import PartPaused, PartResumed, PauseOfNothing


def test_words() -> None:
    """Each says what it is of."""
    assert PartPaused("group mail").entry(0.0).note == "paused: group mail"
    assert PartResumed("app.A.b").entry(0.0).note == "resumed: app.A.b"
    assert PauseOfNothing("control/pause-x: nothing").entry(0.0).note == "control/pause-x: nothing"
