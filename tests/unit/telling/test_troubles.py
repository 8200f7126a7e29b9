"""What goes wrong around the dispatcher, in words."""

from __future__ import annotations

import pytest

from spoolrunner.telling.line_format import Kind
from spoolrunner.telling.troubles import ConfigChanged, ListenerFailed, ThreadDied


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (ListenerFailed("hook", "ValueError: x"), "hook, which is told of events, failed: ValueError: x"),
        (ThreadDied("wait-5", "OSError: x"), "the thread wait-5 died: OSError: x"),
        (
            ConfigChanged("/c.json"),
            "/c.json was changed since the dispatcher started; it goes by what it read then: restart it",
        ),
    ],
)
def test_words(event, note) -> None:
    """Each is trouble, so that the error log has it too."""
    assert event.entry(5.0)[:3] == (Kind.TROUBLE, 5.0, "")
    assert event.entry(5.0).note == note
