"""The job document: its fields, their types and rules, and the JSON Schema made from them.

Turns the bytes of a job file into a checked `Document`, or names each fault by its key, with what is needed instead. How many
bytes and levels there may be is checked in `jsontext`. A job file is rewritten from its raw form, so nothing in it gets lost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.faults import Fault, faults
from spoolrunner.protocol.names import GROUP_PATTERN, GROUP_RULE, ID_PATTERN, ID_RULE, is_group, is_id
from spoolrunner.protocol.policy import OVERRIDES
from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.system import times

Duration = (
    Annotated[float, Meta(ge=0, description="seconds")]
    | Annotated[str, Meta(pattern=times.DURATION_PATTERN, description='"90s", "5m", "2h" or "7d"')]
)
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset, as in 2026-11-23T17:45:01Z")]
Name = Annotated[str, Meta(min_length=1, max_length=500)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="letters, digits, _ and -")]
MIN_PRIORITY, MAX_PRIORITY = -1000, 1000
Priority = Annotated[int, Meta(ge=MIN_PRIORITY, le=MAX_PRIORITY)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Group = Annotated[str, Meta(pattern=GROUP_PATTERN, description="the key of limits and pauses")]
JobId = Annotated[str, Meta(pattern=ID_PATTERN)]


_TIMES = ("next_run_at", "expires_at", "created_at")
_MOST_TOLD = 300
"""Characters of an error that names a value."""
MAX_ATTEMPTS = 100_000
"""Attempts that a document holds. A job that has as many is not started again: each record must be one that can be read."""
_OURS = ("attempts", "retries", "result", "next_run_at", "replaces", "signature")
"""Keys that a record sets, which do not count as the producer's."""
_MAX_GROWTH = 4
"""How many times as long a value may be when it is written again: of `1e15` we make `1000000000000000.0`."""
_MAX_SMALL_BYTES = 16 << 10
"""Bytes that what is ours takes at most in a document, without attempts and result."""
_MAX_RESULT_BYTES = 256 << 10
"""Bytes of a result at most, however it is written; what a job returns is cut off far below."""


class ErrorInfo(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The error that an attempt raised."""

    type: str
    message: str = ""
    traceback: str = ""


class Attempt(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One start of the job and how it ended; written by the dispatcher."""

    number: Annotated[int, Meta(ge=1)]
    outcome: Outcome
    verdict: Verdict
    started_at: Time | None = None
    ended_at: Time | None = None
    exit_status: int | None = None
    signal: int | None = None
    error: ErrorInfo | None = None
    result_dropped: str | None = None
    no_retry: str | None = None
    pid: int | None = None
    host: str | None = None
    max_rss_kib: int | None = None
    cpu_s: float | None = None


class After(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The jobs that another one waits for: until all are done or, with "ended", until none waits or runs any more."""

    jobs: list[JobId]
    when: Literal["done", "ended"] = "done"


_NOTHING = After([])
_FileStamp = Annotated[list[int], Meta(min_length=3, max_length=3)]


def _text(description: str) -> Meta:
    return Meta(description=description)


class Document(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename=None):
    """A job file. A producer needs `job` and `method`; the dispatcher adds `attempts`, `retries` and `result`."""

    job: Annotated[Name, _text("a key of allowed_jobs: the dotted path of a class or of a module")]
    method: Annotated[Name, _text("a method of that class, or function of that module, listed under that key")]
    params: Annotated[list[Any] | dict[str, Any], _text("array: by position; object: by name")] = []
    priority: Annotated[Priority | None, _text("higher first")] = None
    delay: Annotated[Duration | None, _text("not before the file's mtime plus this")] = None
    next_run_at: Annotated[Time | None, _text("not before this time")] = None
    max_retries: Annotated[Count | None, _text("retries after the first start")] = None
    timeout: Annotated[Duration | None, _text("longest time an attempt may take")] = None
    expires_at: Annotated[Time | None, _text("no first start after this time")] = None
    after: Annotated[
        list[JobId] | After | None, _text("ids of jobs: not before all of them are done or, with when: ended, over")
    ] = None
    group: Annotated[Group | None, _text("the group whose limits and pauses it is under")] = None
    meta: Annotated[dict[str, Any], _text("free data, carried along untouched")] = {}
    created_at: Annotated[Time | None, _text("when it was enqueued")] = None
    key: Annotated[
        Key | None, _text("which publication it is, where an id is used again: random, written by enqueue")
    ] = None
    signature: Annotated[
        str | None, _text("who made the file, where the operator asks for it: HMAC-SHA256, in hexadecimal")
    ] = None
    attempts: Annotated[
        list[Attempt], Meta(max_length=MAX_ATTEMPTS, description="written by the dispatcher: one object a start")
    ] = []
    retries: Annotated[Count | None, _text("written by the dispatcher, for reading only")] = None
    result: Annotated[Any, _text("written by the dispatcher: the return value")] = None
    replaces: Annotated[
        list[_FileStamp], _text("written by the dispatcher: inode, size and time of each file that this one replaced")
    ] = []


class _Large(msgspec.Struct):
    """The parts of a large document that may be ours, as they are written; the others are passed over."""

    attempts: msgspec.Raw = msgspec.Raw(b"[]")
    result: msgspec.Raw = msgspec.Raw()


_parts_of_large = msgspec.json.Decoder(_Large)
_history = msgspec.json.Decoder(Annotated[list[Attempt], Meta(max_length=MAX_ATTEMPTS)])


def parse(data: bytes) -> tuple[Document, dict[str, Any]]:
    """Return the checked document in `data` and its raw form; JobFormatError with every fault in it.

    Of one that is larger than a producer may write, the first fault alone: the dispatcher waits for this.
    """
    if len(data) > jsontext.MAX_PRODUCER_BYTES:
        _check_large(data)
        raw = jsontext.decode(data, flat="attempts")
    else:
        raw = jsontext.decode(data)
    if len(data) * _MAX_GROWTH > jsontext.MAX_PRODUCER_BYTES:
        size = jsontext.written_bytes({key: value for key, value in raw.items() if key not in _OURS})
        if size > jsontext.MAX_PRODUCER_BYTES:
            raise JobFormatError("", f"{size} bytes, with its numbers written out in full; {_MOST}")
    return check(raw), raw


_MOST = f"a job document has at most {jsontext.MAX_PRODUCER_BYTES}"


def _check_large(data: bytes) -> None:
    """Raise JobFormatError unless a large document is so for its history, which is read without making objects of the rest."""
    if len(data) > jsontext.MAX_BYTES:
        raise JobFormatError("", f"more than {jsontext.MAX_BYTES} bytes")
    try:
        parts = _parts_of_large.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise JobFormatError("", f"not valid UTF-8 JSON of a job: {str(error)[:_MOST_TOLD]}") from None
    history, result = len(bytes(parts.attempts)), len(bytes(parts.result))
    rest = len(data) - history - result
    has_run = history > len("[]")
    if rest > jsontext.MAX_PRODUCER_BYTES + (_MAX_SMALL_BYTES if has_run else 0):
        raise JobFormatError("", f"{rest} bytes{' beside its attempts and result' if has_run else ''}; {_MOST}")
    if result > _MAX_RESULT_BYTES:
        raise JobFormatError("result", f"{result} bytes; a result has at most {_MAX_RESULT_BYTES}")
    try:
        _history.decode(parts.attempts)
    except msgspec.ValidationError as error:
        raise JobFormatError("attempts", str(error)[:_MOST_TOLD]) from None


def check(raw: dict[str, Any]) -> Document:
    """Return `raw` as a checked Document; JobFormatError names every faulty key."""
    try:
        checked = msgspec.convert(raw, Document)
    except msgspec.ValidationError:
        found = [_worded(fault, raw) for fault in faults(raw, Document)]
        raise JobFormatError(found[0].key, "; ".join([found[0].problem, *map(str, found[1:])])) from None
    _check_names(checked)
    for key in ("delay", "timeout"):
        value = getattr(checked, key)
        if value is not None:
            try:
                seconds = times.parse_duration(value)
            except ValueError as error:
                raise JobFormatError(key, str(error)) from None
            if key == "timeout" and seconds == 0:
                raise JobFormatError(key, "must be more than 0 seconds")
    for index, attempt in enumerate(checked.attempts):
        if attempt.number != index + 1:
            raise JobFormatError(
                f"attempts[{index}].number", f"is {attempt.number}; attempts count from 1 without a gap"
            )
    return checked


def _check_names(checked: Document) -> None:
    """Raise JobFormatError for a name that ends with a line break, which the patterns of a schema let pass."""
    if checked.group is not None and not is_group(checked.group):
        raise JobFormatError("group", _no_group(checked.group))
    for index, name in enumerate(dependencies(checked).jobs):
        if not is_id(name):
            raise JobFormatError(f"after[{index}]", _no_id(name))


def _no_group(name: object) -> str:
    return f"{str(name)[:_MOST_TOLD]!r} is no group, which is {GROUP_RULE}"


def _no_id(name: object) -> str:
    return f"{str(name)[:_MOST_TOLD]!r} is no id, which is {ID_RULE}"


def _worded(fault: Fault, raw: dict[str, Any]) -> Fault:
    """The fault in words that say how a time or a name is written, if it is one of those."""
    value = raw.get(fault.key)
    if fault.key == "group" and isinstance(value, str):
        return Fault(fault.key, _no_group(value))
    if fault.key == "after.when":
        return Fault(fault.key, 'write "done" or "ended"')
    if fault.key == "after":
        return Fault(fault.key, 'write an array of ids, or {"jobs": [...], "when": "done" or "ended"}')
    if fault.key.startswith("after") and ID_PATTERN in fault.problem:
        return Fault(fault.key, f"no id, which is {ID_RULE}")
    if fault.key not in _TIMES or value is None:
        return fault
    try:
        times.parse_time(str(value))
    except ValueError as error:
        return Fault(fault.key, str(error)[:_MOST_TOLD])
    return fault


def attempt_problem(raw: dict[str, Any]) -> str:
    """Return why `raw` cannot stand among the attempts of a document, or "" when it can."""
    try:
        msgspec.convert(raw, Attempt)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def dependencies(checked: Document) -> After:
    """Return the jobs that the document waits for; none when it has no `after`."""
    given = checked.after
    if given is None:
        return _NOTHING
    return given if isinstance(given, After) else After(given)


def overrides(checked: Document) -> dict[str, Any]:
    """Return what the document asks for in place of its method's policy, for `policy.job_policy`."""
    return {key: getattr(checked, key) for key in OVERRIDES}


def due_at(checked: Document, mtime: float, came_at: float, now: float) -> float:
    """Return when the job may run, in seconds since 1970: its `next_run_at`, or its file's mtime plus `delay`, the later one.

    It is never due before `came_at`, when its file came to lie there: all other times are the producer's word, and a job that
    is said to wait since 1970 would be ahead of all others. Without a time of its own it is due `now` at the latest.
    """
    moments = [min(came_at, now)]
    if checked.next_run_at is not None:
        moments.append(checked.next_run_at.timestamp())
    if checked.delay is not None:
        moments.append(mtime + times.parse_duration(checked.delay))
    return max(moments)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a job file."""
    made = msgspec.json.schema(Document)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "spoolrunner job", **made}
