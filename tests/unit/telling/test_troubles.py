"""What goes wrong around the dispatcher, in words."""

from __future__ import annotations

import pytest

from spoolrunner.telling.line_format import Kind
from spoolrunner.telling.troubles import KeptOff, ListenerFailed, NotSwept, ThreadDied


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (ListenerFailed("hook", "ValueError: x"), "hook, which is told of events, failed: ValueError: x"),
        (ThreadDied("wait-5", "OSError: x"), "the thread wait-5 died: OSError: x"),
    ],
)
def test_words(event, note) -> None:
    """Each is trouble, so that the error log has it too."""
    assert event.entry(5.0)[:3] == (Kind.TROUBLE, 5.0, "")
    assert event.entry(5.0).note == note


@pytest.mark.parametrize("event", [KeptOff("x", "Permission denied"), NotSwept("Permission denied")])
def test_each_is_a_line_of_trouble(event) -> None:
    """Each says what was refused, and goes to the error log too."""
    entry = event.entry(1_800_000_000.0)
    assert entry.kind is Kind.TROUBLE
    assert "Permission denied" in entry.note
