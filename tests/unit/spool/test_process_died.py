"""What is recorded for a process that died: why we ended it, if we did, and how it ended."""

from __future__ import annotations

import signal

import pytest

from spoolrunner.spool import process_died
from spoolrunner.spool.settling_rules import Known


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Known(), "the process is gone and left no record of its outcome"),
        (Known(exit_status=3), "the process ended with status 3 before it could record its outcome"),
        (Known(signal=signal.SIGTERM), "the process was ended by SIGTERM before it could record its outcome"),
        (
            Known(note="cancel asked for", exit_status=0),
            "cancel asked for; the process ended with status 0 before it could record its outcome",
        ),
    ],
)
def test_the_error_of_a_process_that_died(known, message) -> None:
    """The error says what is known, and has no traceback."""
    assert process_died.error(known) == {"type": "ProcessEnded", "message": message}
