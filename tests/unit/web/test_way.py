"""The way of a job and the sentence that tells how it stands."""

from __future__ import annotations

import pytest

from spoolrunner.client.look import Look
from spoolrunner.protocol.states import State
from spoolrunner.web import way
from spoolrunner.web.words import seconds_of

MADE = "2027-01-15T08:00:00Z"
NOW = 1_800_000_100.0


def attempt(begin: int, end: int, outcome: str = "failed", **more) -> dict:
    return {
        "outcome": outcome,
        "started_at": f"2027-01-15T08:00:{begin:02}Z",
        "ended_at": f"2027-01-15T08:00:{end:02}Z",
        **more,
    }


def job(state: State, *attempts: dict, **more) -> Look:
    return Look("a", state, {"created_at": MADE, "attempts": list(attempts)}, **more)


def test_two_attempts_and_the_end() -> None:
    """Each wait, each attempt and the last folder is a stay, with how long it was."""
    found = way.stays(job(State.FAILED, attempt(1, 11), attempt(30, 40)), None, None, NOW)
    assert [(stay.folder, stay.seconds, stay.has_failed) for stay in found] == [
        ("pending", 1.0, False),
        ("running", 10.0, True),
        ("pending", 19.0, False),
        ("running", 10.0, True),
        ("failed", 0.0, False),
    ]
    assert [stay.words for stay in found[:3]] == ["1.0 s", "1: 10 s", "again in 19 s"]
    assert way.sentence(found) == "2 attempts, and then in failed/ for 0 ms"


def test_one_that_waits_and_one_that_runs() -> None:
    """The last stay goes on until now."""
    waits = way.stays(job(State.PENDING), None, None, NOW)
    assert [(stay.folder, stay.words) for stay in waits] == [("pending", "waits for 1 m 40 s")]
    runs = way.stays(job(State.RUNNING), None, seconds_of("2027-01-15T08:00:40Z"), NOW)
    assert [(stay.folder, stay.words) for stay in runs] == [("pending", "40 s"), ("running", "1: 1 m so far")]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"created_at": 5, "attempts": "x"},
        {
            "created_at": MADE,
            "attempts": [{"started_at": "x"}, 5, {"started_at": MADE, "ended_at": "1970-01-01T00:00:00Z"}],
        },
    ],
)
def test_a_file_that_says_nonsense(raw) -> None:
    """A document that nobody has checked breaks no drawing."""
    for state in State:
        assert way.stays(Look("a", state, raw), None, None, NOW)


@pytest.mark.parametrize(
    ("found", "reasons", "said"),
    [
        (job(State.PENDING), [], "Nothing keeps it."),
        (job(State.PENDING), ["it is not due until x"], "Waits for its time."),
        (
            job(State.PENDING),
            ["it waits for b", "its group runs", "all 4 places"],
            "Waits for other jobs, its limit and a slot.",
        ),
        (job(State.PENDING), ["something new"], "Waits, for one reason."),
        (job(State.RUNNING, attempt(1, 2)), [], "Runs, at start 2."),
        (job(State.DONE, attempt(1, 2, "succeeded")), [], "Done."),
        (job(State.DONE, attempt(1, 2), attempt(3, 4, "succeeded")), [], "Done at start 2."),
        (
            job(State.FAILED, attempt(1, 2, error={"type": "TimeoutError"})),
            [],
            "Given up after 1 start: TimeoutError.",
        ),
        (job(State.FAILED, attempt(1, 2, "timed_out")), [], "Given up after 1 start: timed out."),
        (job(State.FAILED, reason={"outcome": "rejected"}), [], "Refused, and never run."),
        (job(State.FAILED, reason={"outcome": "expired"}), [], "Expired before it could start."),
        (Look("a", State.FAILED, None, "no JSON"), [], "This file cannot be read."),
    ],
)
def test_headlines(found, reasons, said) -> None:
    """A sentence says how it stands, whatever happened."""
    assert way.headline(found, None, reasons)[0] == said


def test_output_by_attempt() -> None:
    """What was printed is divided by the lines that begin attempts, the last one first; a cut beginning is kept."""
    text = "left over\n--- attempt 1 · T1 · pid 5\nfirst\n--- attempt 2 · T2 · pid 6\nsecond\nmore\n"
    assert way.output(text) == [(2, "T2 · pid 6", "second\nmore"), (1, "T1 · pid 5", "first"), (0, "", "left over")]
    assert way.output("") == []


def test_traceback() -> None:
    """Places are told from code; the error stands at the end, also where the traceback does not have it."""
    error = {
        "type": "ValueError",
        "message": "no",
        "traceback": "Traceback (most recent call last):\n  File x\n    f()\n",
    }
    assert way.shown_error(error) == [
        ("Traceback (most recent call last):", False),
        ("  File x", False),
        ("    f()", True),
        ("ValueError: no", True),
    ]
    assert way.shown_error({}) == []
