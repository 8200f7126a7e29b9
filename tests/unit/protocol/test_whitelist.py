"""The whitelist: an exact job and method, or a refusal that names the nearest."""

from __future__ import annotations

import pytest

from spoolrunner.errors import NotAllowedError
from spoolrunner.protocol.whitelist import entry

TABLE = {"app.Report": {"build": "policy", "send": "other"}}


def test_entry() -> None:
    """An exact job and method give what the table holds for them."""
    assert entry(TABLE, "app.Report", "send") == "other"


@pytest.mark.parametrize(
    ("job", "method", "message"),
    [
        ("app.Reports", "build", "job 'app.Reports' is not in allowed_jobs (did you mean 'app.Report'?)"),
        ("app.report", "build", "job 'app.report' is not in allowed_jobs (did you mean 'app.Report'?)"),
        ("os", "system", "job 'os' is not in allowed_jobs"),
        ("app.Report ", "build", "job 'app.Report ' is not in allowed_jobs (did you mean 'app.Report'?)"),
        ("app", "Report.build", "job 'app' is not in allowed_jobs"),
        (["app.Report"], "build", "job ['app.Report'] is not in allowed_jobs (did you mean 'app.Report'?)"),
        ({}, "build", "job {} is not in allowed_jobs"),
        (None, "build", "job None is not in allowed_jobs"),
        (
            "app.Report",
            "bild",
            "method 'bild' is not listed under 'app.Report' in allowed_jobs (did you mean 'build'?)",
        ),
        ("app.Report", "__init__", "method '__init__' is not listed under 'app.Report' in allowed_jobs"),
        (
            "app.Report",
            ["build"],
            "method ['build'] is not listed under 'app.Report' in allowed_jobs (did you mean 'build'?)",
        ),
        ("app.Report", None, "method None is not listed under 'app.Report' in allowed_jobs"),
    ],
)
def test_entry_refuses(job, method, message) -> None:
    """Anything but an exact string of the table is refused, with the nearest entry."""
    with pytest.raises(NotAllowedError) as caught:
        entry(TABLE, job, method)
    assert str(caught.value) == message
