"""The outcome of a call: outcome, error, result and exit status, as they will stand in the record.

Makes it from what the user's code returned or raised; the verdict is made elsewhere. Light: every job's process imports it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import orjson

from spoolrunner.attempt import binding, callables
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool import output, record

_OWN = (os.path.join(os.path.dirname(__file__), "runner.py"), binding.__file__, callables.__file__)
"""Files of ours whose functions call the user's code."""


@dataclass(slots=True)
class CallOutcome:
    """How a call ended. `result` is the return value if it may be kept; `error` has `type`, `message` and `traceback`."""

    outcome: Outcome
    error: dict[str, str] | None = None
    result: Any = None
    exit_status: int | None = None


def of_exit(error: SystemExit, stopped: Outcome | None) -> CallOutcome:
    """Return the outcome of a call that ended by SystemExit; `stopped` is the outcome if it was to be ended, else None."""
    if error.code is None or error.code == 0:
        cancelled = stopped is Outcome.CANCELLED
        return CallOutcome(Outcome.CANCELLED if cancelled else Outcome.SUCCEEDED, exit_status=0)
    status = _exit_status(error.code)
    return CallOutcome(stopped or Outcome.FAILED, record.error("SystemExit", _text(error)), exit_status=status)


def _exit_status(code: object) -> int:
    """The exit status to be recorded: a plain integer of 32 bits, since True and larger ones make a record unreadable."""
    if not isinstance(code, int):
        return 1
    return int(code) if -(2**31) <= code < 2**31 else code & 0xFF  # the system keeps 8 bits of any


def of_exception(error: BaseException, stopped: Outcome | None) -> CallOutcome:
    """Return the outcome of a call that raised, and write the traceback into the job's output; `stopped` as for `of_exit`."""
    import traceback  # only a job that fails pays for it

    text = "".join(traceback.format_exception(type(error), error, _from_job_on(error.__traceback__)))
    output.flush()
    output.note("the attempt failed\n" + text.rstrip())
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return CallOutcome(stopped or Outcome.FAILED, record.error(name, _text(error), text))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:
        return f"(its text cannot be had: {type(another).__name__})"


def _from_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without our own frames at its beginning, or all of it when there are no others."""
    rest = trace
    while rest is not None and rest.tb_frame.f_code.co_filename in _OWN:
        rest = rest.tb_next
    return rest or trace


def kept(result: Any) -> Any:
    """Return the return value if it may stand in the document; else write why not into the job's output, and return None."""
    if result is None:
        return None
    try:
        jsontext.check_value(result, "result", 2)
    except JobFormatError as error:
        output.note(f"the return value was not kept: {error}")
        return None
    size = len(orjson.dumps(result))
    if size > jsontext.MAX_RESULT_BYTES:
        output.note(f"the return value was not kept: {size} bytes of JSON, more than {jsontext.MAX_RESULT_BYTES}")
        return None
    return result
