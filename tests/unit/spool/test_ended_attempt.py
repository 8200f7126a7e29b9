"""An attempt that is over, as it is recorded: what its process left of it, or how that died without leaving anything."""

from __future__ import annotations

import signal
import socket

import pytest

from spoolrunner.protocol.jsontext import MAX_DEPTH
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool import ended_attempt
from spoolrunner.spool.lock_lines import START
from spoolrunner.spool.settling_rules import Known, Usage
from spoolrunner.spool.traces import LeftOutcome, Marker

NOW = 1_800_000_000.0
STARTED, ENDED, LATER = (f"2027-01-15T{time}.000000Z" for time in ("07:59:00", "07:59:30", "08:00:00"))
MARKER = Marker(START, 2, 77, 300, 5, 123, "then", STARTED, 5.0)
BASE = {"number": 2, "started_at": STARTED, "host": socket.gethostname(), "pid": 123}
ERROR = {"type": "ValueError", "message": "no", "traceback": "Traceback"}


def made_of(left: LeftOutcome | None, marker: Marker = MARKER, **known) -> tuple[dict, object]:
    return ended_attempt.made_of(marker, left, Known(**known), NOW)


def test_what_it_left() -> None:
    """An attempt that left its outcome is recorded with that, with its own end, and with what its process used."""
    made, result = made_of(LeftOutcome("succeeded", ENDED, result='{"a":[1]}'), usage=Usage(0.25, 4096))
    assert made == {
        **BASE,
        "outcome": "succeeded",
        "ended_at": ENDED,
        "exit_status": 0,
        "cpu_s": 0.25,
        "max_rss_kib": 4096,
    }
    assert result == {"a": [1]}


def test_an_error_that_it_left() -> None:
    """The error is the one that the process left, and not how the process ended."""
    left = LeftOutcome("failed", ENDED, error=ERROR, exit_status=3)
    made, result = made_of(left, signal=15, exit_status=9)
    assert made == {**BASE, "outcome": "failed", "ended_at": ENDED, "exit_status": 3, "error": ERROR}
    assert result is None


def test_what_it_left_goes_before_why_we_ended_it() -> None:
    """A job that came to its end before our signal did is recorded as it ended, not as we would have ended it."""
    made, _ = made_of(LeftOutcome("succeeded", ENDED), outcome=Outcome.TIMED_OUT, note="ran too long", signal=15)
    assert made == {**BASE, "outcome": "succeeded", "ended_at": ENDED, "exit_status": 0}


@pytest.mark.parametrize("outcome", [None, Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.INTERRUPTED])
def test_nothing_was_left(outcome) -> None:
    """A process that died without an outcome crashed, unless we ended it; its end is when that is recorded."""
    made, result = made_of(None, outcome=outcome, signal=9, usage=Usage(1.5))
    error = {"type": "ProcessEnded", "message": "the process was ended by SIGKILL before it could leave its outcome"}
    if outcome is Outcome.CANCELLED:
        error = {"type": "Cancelled", "message": "by request"}
    assert made == {
        **BASE,
        "outcome": (outcome or Outcome.CRASHED).value,
        "ended_at": LATER,
        "signal": 9,
        "cpu_s": 1.5,
        "error": error,
    }
    assert result is None


def test_one_that_never_began() -> None:
    """An attempt without a process or a start has no pid, and begins when it is recorded."""
    made, _ = made_of(None, Marker(START, 1, 77))
    assert (made["started_at"], made["ended_at"]) == (LATER, LATER)
    assert "pid" not in made


@pytest.mark.parametrize(
    ("text", "result"),
    [("3", 3), ("0", 0), ("false", False), ("null", None), ('""', ""), ('"\\u00e9"', "é"), ("[]", [])],
)
def test_results(text, result) -> None:
    """A result is the value of its JSON text; null is none."""
    made, found = made_of(LeftOutcome("succeeded", ENDED, result=text))
    assert (found, type(found)) == (result, type(result))
    assert "result_dropped" not in made


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1", "not valid UTF-8 JSON"),
        ("", "not valid UTF-8 JSON"),
        ("NaN", "not valid UTF-8 JSON"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper than"),
        ("[12345678901234567890123]", "beyond 64 bits"),
        (str(2**64), "beyond 64 bits"),
    ],
)
def test_results_that_cannot_be_kept(text, why) -> None:
    """A result that could not stand in a document is dropped, with a word why; the job has succeeded all the same."""
    made, result = made_of(LeftOutcome("succeeded", ENDED, result=text))
    assert result is None
    assert made["outcome"] == "succeeded"
    assert why in made["result_dropped"]


def test_a_result_that_its_process_dropped() -> None:
    """Why the job's process did not keep the return value stands in the attempt."""
    made, result = made_of(LeftOutcome("succeeded", ENDED, result_dropped="set is no JSON"))
    assert (made["result_dropped"], result) == ("set is no JSON", None)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Known(), "the process is gone and left no outcome"),
        (Known(exit_status=3), "the process ended with status 3 before it could leave its outcome"),
        (Known(signal=signal.SIGTERM), "the process was ended by SIGTERM before it could leave its outcome"),
        (
            Known(note="cancel asked for", exit_status=0),
            "cancel asked for; the process ended with status 0 before it could leave its outcome",
        ),
    ],
)
def test_the_error_of_a_process_that_died(known, message) -> None:
    """The error says what is known, and has no traceback."""
    assert ended_attempt.error(known) == {"type": "ProcessEnded", "message": message}
