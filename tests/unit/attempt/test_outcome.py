"""From what a call returned or raised to what is recorded of it."""

from __future__ import annotations

import sys
from enum import IntEnum

import pytest

from spoolrunner.attempt import binding, callables, outcome
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.outcome import CallOutcome
from spoolrunner.errors import NotAllowedError
from spoolrunner.protocol import document, jsontext
from spoolrunner.protocol.jsontext import MAX_TRACEBACK_BYTES
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool import record

NOW = "2026-11-23T17:45:01Z"


class Numbered(IntEnum):
    FIVE = 5


class UnstringedError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raised(error: BaseException) -> BaseException:
    """The error with a traceback, as a call leaves it."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize("code", [None, 0])
@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        (None, Outcome.SUCCEEDED),
        (Outcome.CANCELLED, Outcome.CANCELLED),
        (Outcome.TIMED_OUT, Outcome.SUCCEEDED),
    ],
)
def test_a_clean_exit(code, stopped, expected) -> None:
    """An exit with 0 is a success, also after the deadline, but not when a cancel was asked for."""
    assert outcome.of_exit(SystemExit(code), stopped) == CallOutcome(expected, exit_status=0)


@pytest.mark.parametrize(("code", "status", "message"), [(3, 3, "3"), (True, 1, "True"), ("sorry", 1, "sorry")])
@pytest.mark.parametrize("stopped", [None, Outcome.CANCELLED, Outcome.TIMED_OUT])
def test_an_exit_with_another_status(code, status, message, stopped) -> None:
    """Any other exit failed, unless we ended it; its status is the number, or 1 as an interpreter's would be."""
    error = {"type": "SystemExit", "message": message}
    assert outcome.of_exit(SystemExit(code), stopped) == CallOutcome(stopped or Outcome.FAILED, error, None, status)


@pytest.mark.parametrize("code", [True, -1, 255, 300, 2**31, 2**70, -(2**70), Numbered.FIVE, "", [], 1.5])
def test_a_status_can_be_recorded(code) -> None:
    """Whatever a job exits with, its record is one that our own check accepts."""
    made = outcome.of_exit(SystemExit(code), None)
    fields = record.attempt(1, made.outcome, NOW, 1.0, exit_status=made.exit_status, error=made.error)
    raw = {"job": "a", "method": "b", "attempts": [{**fields, "verdict": "retry"}]}
    assert document.parse(jsontext.encode(raw))[0].attempts[0].exit_status == made.exit_status
    assert type(made.exit_status) is int


def test_an_exception(capfd) -> None:
    """An exception is recorded with type, message and traceback, and stands in the job's output."""
    made = outcome.of_exception(raised(ValueError("no such thing")), None)
    assert made.outcome is Outcome.FAILED
    assert (made.error["type"], made.error["message"]) == ("ValueError", "no such thing")
    assert made.error["traceback"].startswith("Traceback (most recent call last):")
    assert made.error["traceback"].rstrip() in capfd.readouterr().err


@pytest.mark.parametrize("stopped", [Outcome.CANCELLED, Outcome.TIMED_OUT])
def test_an_exception_of_a_call_that_we_ended(stopped) -> None:
    """An exception after a cancel or the deadline has that outcome, and keeps its error."""
    made = outcome.of_exception(raised(KeyboardInterrupt()), stopped)
    assert (made.outcome, made.error["type"]) == (stopped, "KeyboardInterrupt")


def test_the_type_of_an_error_of_a_module() -> None:
    """The type of an error is named with its module, unless it is built in."""
    made = outcome.of_exception(raised(UnstringedError()), None)
    assert made.error["type"] == f"{__name__}.UnstringedError"


def test_an_error_without_a_text() -> None:
    """An error whose text raises is recorded with a text that says so."""
    made = outcome.of_exception(raised(UnstringedError()), None)
    assert made.error["message"] == "(its text cannot be had: RuntimeError)"


def test_our_own_frames_are_left_out() -> None:
    """The traceback begins in the user's code, not in ours, and is whole when there is none of his."""

    def fail() -> None:
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        Callee("fail", fail, None).call([])
    made = outcome.of_exception(caught.value.with_traceback(caught.tb.tb_next), None)
    assert binding.__file__ not in made.error["traceback"]
    assert "in fail" in made.error["traceback"]
    with pytest.raises(NotAllowedError) as caught:
        callables.resolve("sys", "no_such_function")
    made = outcome.of_exception(caught.value.with_traceback(caught.tb.tb_next), None)
    assert callables.__file__ in made.error["traceback"]


def test_a_long_error_is_cut() -> None:
    """The texts of an error are cut to their limit, with both ends kept."""
    made = outcome.of_exception(raised(ValueError("a" + "x" * 100_000 + "z")), None)
    text = made.error["message"]
    assert len(text.encode()) <= MAX_TRACEBACK_BYTES
    assert (text[0], text[-1], "… cut …" in text) == ("a", "z", True)


@pytest.mark.parametrize(
    ("result", "is_kept"),
    [
        *((None, True), (0, True), ([1, (2,)], True), ("x" * 65534, True), ("x" * 65535, False)),
        *((float("nan"), False), (object(), False), (2**64, False), ({1: 2}, False), ("\ud800", False)),
    ],
)
def test_results(capfd, result, is_kept) -> None:
    """A return value is kept if it is JSON of at most 64 KiB; otherwise the job's log says why not."""
    assert outcome.kept(result) == (result if is_kept else None)
    assert ("the return value was not kept" in capfd.readouterr().err) is not is_kept


def test_a_result_that_refers_to_itself() -> None:
    """A return value without an end is not kept, and no error of the recursion reaches the job."""
    endless: list[object] = []
    endless.append(endless)
    assert sys.getrecursionlimit() > 64
    assert outcome.kept(endless) is None
