"""What is reported of what a power cut left."""

from __future__ import annotations

from spoolrunner.telling.line_format import Kind
from spoolrunner.telling.recovered import SecondNameRemoved


def test_a_second_name() -> None:
    """The entry is one of trouble, and names what was removed and where the job is."""
    entry = SecondNameRemoved("x", "pending/x.json", "done/x.json").entry(1_800_000_000.0)
    assert (entry.kind, entry.id) == (Kind.TROUBLE, "x")
    assert entry.note == "pending/x.json was left by a power cut, and removed: the job is done/x.json"
