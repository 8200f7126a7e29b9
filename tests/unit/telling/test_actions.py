"""The words of an action."""

from __future__ import annotations

import pytest

from spoolrunner.telling.actions import Acted
from spoolrunner.telling.line_format import FAILURES, Kind, line


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (Acted("web", "spoolrunner pause"), "web: spoolrunner pause"),
        (Acted("uid 7", "spoolrunner cancel x", 1, "x"), "uid 7: spoolrunner cancel x; 1 job"),
        (Acted("web", "spoolrunner retry --all", 27), "web: spoolrunner retry --all; 27 jobs"),
        (Acted("web", "spoolrunner stop", problem="no"), "web: spoolrunner stop; not done: no"),
    ],
)
def test_an_action(event, note) -> None:
    """It says who, the command that does the same, with how many jobs, and why it was not done."""
    entry = event.entry(0.0)
    assert (entry.kind, entry.note, entry.id) == (Kind.ACTION, note, event.id)
    assert entry.kind not in FAILURES


def test_nothing_of_it_can_forge_a_line() -> None:
    """What somebody typed is printable, on one line."""
    text = line(Acted("web", "spoolrunner retry --match 'a\n2027-01-15T08:00:00Z completed id=y'").entry(0.0))
    assert "\n" not in text
    assert text.startswith("1970-01-01T00:00:00.000000Z action note=")
