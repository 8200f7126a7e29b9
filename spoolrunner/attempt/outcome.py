"""The outcome of a call: from what the user's code returned or raised to what its process leaves of it.

An outcome is bounded and plain: whatever the value or the exception is, its text can be written. Light: every job's process
imports it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.attempt import binding, callables
from spoolrunner.spool import output
from spoolrunner.spool.lock_lines import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

MAX_RESULT_BYTES = 64 << 10
"""Bytes of a return value as JSON."""
MAX_TEXT_BYTES = 16 << 10
"""Bytes of the message and of the traceback of an error; longer ones are cut in the middle."""
_CUT = "\n  … cut …\n"
_OWN = (os.path.join(os.path.dirname(__file__), "runner.py"), binding.__file__, callables.__file__)
"""Files of ours whose functions call the user's code."""
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class CallOutcome:
    """How a call ended: a value of `protocol.states.Outcome`, and the fields of the outcome line, each a JSON text."""

    __slots__ = ("fields", "outcome")

    def __init__(self, outcome: str, fields: dict[str, str] | None = None) -> None:
        self.outcome = outcome
        self.fields = fields or {}


_SUCCEEDED = CallOutcome("succeeded")


def of_return(result: object) -> CallOutcome:
    """Return the outcome of a call that returned `result`. A value that cannot be kept is dropped, with a word why."""
    if result is None:
        return _SUCCEEDED
    text, problem = _as_json(result)
    if problem:
        output.note(f"the return value was not kept: {problem}")
        return CallOutcome("succeeded", {"result_dropped": quoted(_cut(problem))})
    return CallOutcome("succeeded", {"result": quoted(text)})


def of_exit(error: SystemExit, stopped: str | None) -> CallOutcome:
    """Return the outcome of a call that ended by SystemExit; `stopped` is the outcome if it was to be ended, else None."""
    if error.code is None or error.code == 0:
        return CallOutcome("cancelled" if stopped == "cancelled" else "succeeded")
    made = failure(stopped or "failed", "SystemExit", _text(error))
    made.fields["exit_status"] = str(_exit_status(error.code))
    return made


def of_exception(error: BaseException, stopped: str | None) -> CallOutcome:
    """Return the outcome of a call that raised, and write the traceback into the job's output; `stopped` as for `of_exit`."""
    text = _traceback(error)
    output.flush()
    output.note("the attempt failed\n" + text.rstrip())
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return failure(stopped or "failed", name, _text(error), text)


def failure(outcome: str, kind: str, message: str, traceback: str = "") -> CallOutcome:
    """Return an outcome with an error. Long texts are cut in the middle, since both ends are the most useful."""
    parts = {"type": kind, "message": message, "traceback": traceback}
    error = ",".join(f'"{name}":{quoted(_cut(text))}' for name, text in parts.items() if text or name == "type")
    return CallOutcome(outcome, {"error": f"{{{error}}}"})


def _as_json(result: object) -> tuple[str, str]:
    """Return the value as JSON and "", or "" and why it is none."""
    if type(result) is bool:
        return ("true" if result else "false"), ""
    if type(result) is int and _INT_MIN <= result <= _INT_MAX:
        return str(result), ""
    if type(result) is str and len(result) < MAX_RESULT_BYTES // 8 and result.isascii():
        return quoted(result), ""
    import json  # paid by jobs that return more than that

    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except Exception as error:  # what its own methods raise is as good a reason as that it is no JSON
        return "", f"{type(result).__name__} is no JSON: {_text(error)}"
    if size > MAX_RESULT_BYTES:
        return "", f"{size} bytes of JSON, more than {MAX_RESULT_BYTES}"
    return text, ""


def _exit_status(code: object) -> int:
    """The exit status to be recorded: a plain integer of 32 bits, since True and larger ones make a record unreadable."""
    if not isinstance(code, int):
        return 1
    return int(code) if -(2**31) <= code < 2**31 else code & 0xFF  # the system keeps 8 bits of any


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as another:  # an exit too: it is the error that is to be told
        return f"(its text cannot be had: {type(another).__name__})"


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_BYTES // 4:
        return text  # a character takes at most 4 bytes
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_TEXT_BYTES:
        return text
    half = (MAX_TEXT_BYTES - len(_CUT.encode())) // 2
    return data[:half].decode("utf-8", "ignore") + _CUT + data[-half:].decode("utf-8", "ignore")


def _traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, from the job's own code on. By the interpreter itself: nothing is imported."""
    BaseException.with_traceback(error, _from_job_on(error.__traceback__))
    if sys.version_info >= (
        3,
        13,
    ):  # there the interpreter itself imports this, and adds colours where FORCE_COLOR is set
        import traceback

        return "".join(traceback.format_exception(error))
    import io

    kept, text = sys.stderr, io.StringIO()
    sys.stderr = text
    try:
        sys.__excepthook__(type(error), error, error.__traceback__)
    finally:
        sys.stderr = kept
    return text.getvalue()


def _from_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without our own frames at its beginning, or all of it when there are no others."""
    rest = trace
    while rest is not None and rest.tb_frame.f_code.co_filename in _OWN:
        rest = rest.tb_next
    return rest or trace
