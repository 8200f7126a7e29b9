"""The dispatcher's own upkeep, in words."""

from __future__ import annotations

import pytest

from spoolrunner.telling.line_format import Kind
from spoolrunner.telling.upkeep import ConfigRefused, ConfigReloaded, Pruned


@pytest.mark.parametrize(
    ("event", "kind", "note"),
    [
        (
            ConfigReloaded("/c.json", ("timeout", "allowed_jobs")),
            Kind.DISPATCHER,
            "/c.json was read again; changed: timeout, allowed_jobs",
        ),
        (ConfigReloaded("/c.json", ()), Kind.DISPATCHER, "/c.json was read again; it says what it said before"),
        (
            ConfigRefused("/c.json", ("a: no", "b: no")),
            Kind.TROUBLE,
            "/c.json is not taken over, what was read before stays in force: a: no; b: no",
        ),
        (
            Pruned(3, 1, 2),
            Kind.DISPATCHER,
            "kept long enough and removed: 3 from done/, 1 from failed/; without a job: 2 logs and reasons",
        ),
    ],
)
def test_words(event, kind, note) -> None:
    """A refusal is trouble, so that the error log has it too; the rest is the dispatcher's affair."""
    entry = event.entry(5.0)
    assert entry[:3] == (kind, 5.0, "")
    assert entry.note == note
