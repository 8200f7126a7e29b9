"""What an action came to, kept for the next page."""

from __future__ import annotations

from spoolrunner.web.notes import MOST, Note, Notes


def test_a_note_is_found_by_its_key_alone() -> None:
    """A key that nobody gave out finds nothing, so that no address can put words onto the page."""
    notes = Notes()
    key = notes.put(Note("done"))
    assert notes.get(key) == Note("done")
    assert notes.get("<b>done</b>") is None
    assert notes.get("") is None


def test_old_notes_go() -> None:
    """The oldest note makes room for a new one."""
    notes = Notes()
    first = notes.put(Note("first"))
    for _ in range(MOST):
        notes.put(Note("more"))
    assert notes.get(first) is None
