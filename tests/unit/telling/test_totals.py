"""The counts of status.json."""

from __future__ import annotations

from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.telling.events import Paused, Recorded, Refused, RetryPlanned, Started
from spoolrunner.telling.line_format import Who
from spoolrunner.telling.totals import Totals

AT = 1_800_000_000.0
WHO = Who("x", "app.Report", "build", 2, 4)


def test_totals() -> None:
    """Starts, outcomes, refusals and retries are counted, each under the word that status.json shows."""
    totals = Totals()
    for event in (
        Started(WHO),
        Recorded(WHO, Outcome.FAILED, Verdict.RETRY, 1.0),
        RetryPlanned(WHO, AT),
        Refused("y", Outcome.REJECTED, "no"),
        Recorded(WHO, Outcome.REJECTED, Verdict.FAILED, 1.0),
        Paused(),
    ):
        totals(event, AT)
    assert totals.counts() == {"failed": 1, "rejected": 2, "retries": 1, "started": 1}
