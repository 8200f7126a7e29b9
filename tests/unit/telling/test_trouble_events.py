"""Events of what goes wrong beside a job."""

from __future__ import annotations

import pytest

from spoolrunner.telling.line_format import Kind
from spoolrunner.telling.trouble_events import KeptOff, NotSwept


@pytest.mark.parametrize("event", [KeptOff("x", "Permission denied"), NotSwept("Permission denied")])
def test_each_is_a_line_of_trouble(event) -> None:
    """Each says what was refused, and goes to the error log too."""
    entry = event.entry(1_800_000_000.0)
    assert entry.kind is Kind.TROUBLE
    assert "Permission denied" in entry.note
