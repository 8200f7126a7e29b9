"""What a job that is over came to. The results of jobs in a spool are in test_job."""

from __future__ import annotations

import pytest

from spoolrunner.client.look import Look
from spoolrunner.client.result import failure, problem_of, result_of
from spoolrunner.errors import ResultDroppedError
from spoolrunner.protocol.states import State

SUCCEEDED = {"number": 1, "outcome": "succeeded"}


def test_a_result() -> None:
    """A result is what the document holds; a false one and none at all are results too."""
    for value in (False, 0, "", [], {}):
        assert result_of("x", Look("x", State.DONE, {"result": value, "attempts": [SUCCEEDED]})) == value
    assert result_of("x", Look("x", State.DONE, {"attempts": [SUCCEEDED]})) is None


def test_no_result() -> None:
    """A value that was not kept is an error with the reason."""
    dropped = {**SUCCEEDED, "result_dropped": "it is too large"}
    with pytest.raises(ResultDroppedError, match="'x' is done, and its result was not kept: it is too large"):
        result_of("x", Look("x", State.DONE, {"attempts": [dropped]}))


def test_a_failure() -> None:
    """A failure has the outcome and the error of the last attempt, or the reason of a refusal."""
    attempt = {"outcome": "failed", "error": {"type": "ValueError", "message": "no", "traceback": "line"}}
    found = failure("x", Look("x", State.FAILED, {"attempts": [attempt]}))
    assert (found.outcome, found.type, found.message, found.traceback) == ("failed", "ValueError", "no", "line")
    reason = {"outcome": "expired", "what": "too late"}
    found = failure("x", Look("x", State.FAILED, {"attempts": [attempt]}, reason=reason))
    assert (found.outcome, found.type, found.message) == ("expired", "", "too late")
    assert failure("x", None).outcome == ""
    assert failure("x", Look("x", State.FAILED, None, "no JSON")).message == "no JSON"


def test_a_problem() -> None:
    """A job that is done has none; one that failed or was taken away has a sentence."""
    assert problem_of("x", Look("x", State.DONE, {})) == ""
    assert problem_of("x", Look("x", State.FAILED, {})) == "job 'x' lies in failed/"
    assert "taken away" in problem_of("x", None)
