"""The outcome of a call: from what the user's code returned or raised to what its process leaves of it.

An outcome is bounded and plain: whatever the value or the exception is, its text can be written. Light: every job's process
imports it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.attempt import binding, callables, compiled, returned
from spoolrunner.attempt.returned import NotKeptError, NotRunError, type_name
from spoolrunner.spool.lock_lines import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAX_TEXT_BYTES = 16 << 10
"""Bytes of the message and of the traceback of an error; longer ones are cut in the middle."""
_CUT = "\n  … cut …\n"
_OWN = (
    *(os.path.join(os.path.dirname(__file__), name) for name in ("runner.py", "hooks.py")),
    *(m.__file__ for m in (binding, callables, compiled)),
)
"""Files of ours whose functions call the user's code."""
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_NEVER_CAME = "(its text cannot be had: asking for it did not end)"
_UNWRITTEN = '"it could not be written: the job had limited the size of its files"'
_HEAP_TYPE = 1 << 9
"""Of a type's flags: it was made by a class statement, and not by the interpreter itself."""
_MOST_IN_CHAIN = 50
_MOST_BASES, _LONGEST_NAME = 32, 500
_RETRY, _LONGEST_PAUSE = "spoolrunner.Retry", 3650 * 86400.0
"""The name that `protocol.asked.Retry` has, and seconds: what neither is imported nor asked for by a job that raises none."""
_PLAIN = (str, bytes, int, float, bool, type(None))
_QUALNAME = type.__dict__["__qualname__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_MRO = type.__dict__["__mro__"].__get__
_FLAGS = type.__dict__["__flags__"].__get__
_ARGS = BaseException.__dict__["args"].__get__
_ATTRIBUTES = BaseException.__dict__["__dict__"].__get__
_TRACEBACK = BaseException.__dict__["__traceback__"].__get__
_CONTEXT = BaseException.__dict__["__context__"].__get__
_CAUSE = BaseException.__dict__["__cause__"].__get__


class CallOutcome:
    """How a call ended: a value of `protocol.states.Outcome`, and the fields of the outcome line, each a JSON text.

    `note` is to be said in the job's output, once the line is written.
    """

    __slots__ = ("fields", "note", "outcome")

    def __init__(self, outcome: str, fields: dict[str, str] | None = None, note: str = "") -> None:
        self.outcome = outcome
        self.fields = fields or {}
        self.note = note


SUCCEEDED = CallOutcome("succeeded")
"""The outcome of a call that returned None."""


def of_return(result: object, leave: Callable[[CallOutcome], None]) -> CallOutcome:
    """Return the outcome of a call that returned `result`. A value that cannot be kept is dropped, with a word why.

    `leave` is called with what is to count if the value's own methods, which come next, hang or end the process.
    """
    if result is None:
        return SUCCEEDED
    kind = type(result)
    if kind is bool:
        return CallOutcome("succeeded", {"result": '"true"' if result else '"false"'})
    name = type_name(kind)
    try:
        text = returned.json_text(result, lambda: leave(dropped(f"{name} is no JSON: {_NEVER_CAME}")))
    except NotRunError as error:
        return failure("failed", "NotRunError", str(error))
    except NotKeptError as error:
        why = str(error)
        return dropped(why if why.startswith("more than") else f"{name} is no JSON: {why}")
    except BaseException as error:  # what its own methods raise, an exit too, is as good a reason as that it is no JSON
        return dropped(f"{name} is no JSON: {_text(error)}")
    return CallOutcome("succeeded", {"result": quoted(text)})


def dropped(why: str) -> CallOutcome:
    """Return the outcome of a call that succeeded, and whose value is not kept for that reason."""
    why = _cut(why)
    return CallOutcome("succeeded", {"result_dropped": quoted(why)}, f"the return value was not kept: {why}")


def of_error(
    error: BaseException, stopped: str | None, leave: Callable[[CallOutcome], None], *, is_early: bool = False
) -> CallOutcome:
    """Return the outcome of a call that raised or exited; `stopped` is the outcome if it was to be ended, else None.

    `leave` is called with what is to count if the error's own methods, which come next, hang or end the process. `is_early`:
    it came before the call, from the job's module or class, so that an exit with 0 is a failure too.
    """
    is_exit = issubclass(type(error), SystemExit)
    if is_exit and not is_early:
        code = code_of(error)
        if code is None or _number(code) == 0:
            return CallOutcome("cancelled" if stopped == "cancelled" else "succeeded")
    bare = _bare(error, stopped, _NEVER_CAME)
    if not _is_plain(error):
        leave(bare)
    try:
        made = of_exit(error, stopped, is_early=is_early) if is_exit else of_exception(error, stopped)
    except BaseException as another:
        return _bare(error, stopped, f"(its text cannot be had: {type_name(type(another))})")
    made.fields |= _of_next(error)
    return made


def of_exit(error: BaseException, stopped: str | None, *, is_early: bool = False) -> CallOutcome:
    """Return the outcome of a call that ended by SystemExit, and did not succeed by that; arguments as for `of_error`."""
    text = _text(error)
    if is_early:
        text = f"exited before the call, so that nothing was run: {text or 'without a status'}"
    made = failure(stopped or "failed", "SystemExit", text)
    made.fields["exit_status"] = str(exit_status(code_of(error)))
    return made


def of_exception(error: BaseException, stopped: str | None) -> CallOutcome:
    """Return the outcome of a call that raised, with the traceback for the job's output; `stopped` as for `of_error`."""
    text = _traceback(error)
    made = failure(stopped or "failed", class_name(type(error)), _text(error), text)
    made.note = "the attempt failed\n" + text.rstrip()
    return made


def _bare(error: BaseException, stopped: str | None, message: str) -> CallOutcome:
    """Return the outcome without asking the error for anything."""
    made = failure(stopped or "failed", class_name(type(error)), message)
    if issubclass(type(error), SystemExit):
        made.fields["exit_status"] = str(exit_status(code_of(error)))
    made.fields |= _of_next(error)
    return made


def _of_next(error: BaseException) -> dict[str, str]:
    """Return what the error says of the next attempt, as fields: the classes that its own is derived from, and a pause."""
    names = [class_name(kind)[:_LONGEST_NAME] for kind in _MRO(type(error))[:_MOST_BASES] if kind is not object]
    fields = {"bases": f"[{','.join([quoted(name) for name in names[1:]])}]"}
    if _RETRY in names:
        after = _ATTRIBUTES(error).get("after")
        if type(after) is float and 0 <= after <= _LONGEST_PAUSE:
            fields["after"] = repr(after)
    return fields


def shortened(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields of an outcome without what may be long: for a place that holds little."""
    short = {name: text for name, text in fields.items() if name not in ("result", "error", "result_dropped")}
    if "error" in fields:
        kind = fields["error"].partition(',"message"')[0].partition(',"traceback"')[0].removesuffix("}")
        short["error"] = f'{kind},"message":{_UNWRITTEN}}}'
    elif "result" in fields or "result_dropped" in fields:
        short["result_dropped"] = _UNWRITTEN
    return short


def class_name(kind: type) -> str:
    """Return the name by which a class of exceptions is told, whatever its metaclass says: the dotted path of one of users."""
    module = _MODULE(kind)
    name: str = _QUALNAME(kind)
    return name if module == "builtins" or type(module) is not str else f"{module}.{name}"


def _is_plain(error: BaseException) -> bool:
    """Whether neither the error nor what it holds has code of its own that would run when it is written."""
    kind = type(error)
    if _FLAGS(kind) & _HEAP_TYPE or kind is AttributeError:  # Python asks its object what it has, for a suggestion
        return False
    if _CONTEXT(error) is not None or _CAUSE(error) is not None or vars(error):
        return False
    return all(type(part) in _PLAIN or (type(part) is tuple and _all_plain(part)) for part in _ARGS(error))


def failure(outcome: str, kind: str, message: str, traceback: str = "") -> CallOutcome:
    """Return an outcome with an error. Long texts are cut in the middle, since both ends are the most useful."""
    parts = {"type": kind, "message": message, "traceback": traceback}
    error = ",".join(f'"{name}":{quoted(_cut(text))}' for name, text in parts.items() if text or name == "type")
    return CallOutcome(outcome, {"error": f"{{{error}}}"})


def code_of(error: BaseException) -> object:
    """Return the code of an exit; a class may have made anything of it."""
    try:
        return error.code  # type: ignore[attr-defined]
    except BaseException:
        return 1  # as that of an interpreter that cannot make anything of it


def _number(code: object) -> int | None:
    return int.__index__(code) if issubclass(type(code), int) else None  # type: ignore[arg-type]


def exit_status(code: object) -> int:
    """Return the exit status of that code: a plain integer of 32 bits, since True and larger ones make a record unreadable."""
    number = 0 if code is None else _number(code)
    if number is None:
        return 1
    if -(2**31) <= number < 2**31:
        return number
    return number & 0xFF if -(2**63) <= number < 2**63 else 255  # the system keeps 8 bits of any, Python 64


def _text(error: BaseException) -> str:
    try:
        return str.__str__(str(error))
    except BaseException as another:  # an exit too: it is the error that is to be told
        return f"(its text cannot be had: {type_name(type(another))})"


def _all_plain(parts: tuple[object, ...]) -> bool:
    return all(type(part) in _PLAIN for part in parts)


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_BYTES // 4:
        return text  # a character takes at most 4 bytes
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_TEXT_BYTES:
        return text
    half = (MAX_TEXT_BYTES - len(_CUT.encode())) // 2
    return data[:half].decode("utf-8", "ignore") + _CUT + data[-half:].decode("utf-8", "ignore")


class _Ends:
    """A stream that keeps the beginning and the end of what is written, so that no error can fill the memory."""

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self) -> None:
        self._first = self._last = ""
        self._is_cut = False

    def write(self, text: str) -> None:
        """Take a piece of the text."""
        room = MAX_TEXT_BYTES - len(self._first)
        self._first += text[:room]
        rest = text[room:]
        if rest:
            self._is_cut = self._is_cut or len(self._last) + len(rest) > MAX_TEXT_BYTES
            self._last = (self._last + rest[-MAX_TEXT_BYTES:])[-MAX_TEXT_BYTES:]

    def flush(self) -> None:
        """Do nothing: there is nothing behind it."""

    def text(self) -> str:
        """Return what was kept: all of it, or both ends."""
        return self._first + (_CUT if self._is_cut else "") + self._last


def _traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, from the job's own code on. By the interpreter itself: nothing is imported."""
    BaseException.with_traceback(error, _from_job_on(_TRACEBACK(error)))
    _shorten_chain(error)
    made = _Ends()
    if sys.version_info >= (
        3,
        13,
    ):  # there the interpreter itself imports this, and adds colours where they are asked for
        import traceback

        for text in traceback.TracebackException.from_exception(error, compact=True).format():
            made.write(text)
        return made.text()
    kept = sys.stderr
    sys.stderr = made
    try:
        sys.__excepthook__(type(error), error, _TRACEBACK(error))
    finally:
        sys.stderr = kept
    return made.text()


def _shorten_chain(error: BaseException) -> None:
    """Cut what an error came from after so many errors: of a chain that is too long Python would print nothing at all."""
    one: BaseException | None = error
    for _ in range(_MOST_IN_CHAIN):
        if one is None:
            return
        cause = _CAUSE(one)
        one = _CONTEXT(one) if cause is None else cause
    if one is not None:
        BaseException.__setattr__(one, "__cause__", None)
        BaseException.__setattr__(one, "__context__", None)


def _from_job_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without our own frames at its beginning, or all of it when there are no others."""
    rest = trace
    while rest is not None and rest.tb_frame.f_code.co_filename in _OWN:
        rest = rest.tb_next
    return rest or trace
