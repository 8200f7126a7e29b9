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
MIN_PRIORITY, MAX_PRIORITY = -1000, 1000
Priority = Annotated[int, Meta(ge=MIN_PRIORITY, le=MAX_PRIORITY)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Group = Annotated[str, Meta(pattern=GROUP_PATTERN, description="the key of limits and pauses")]
JobId = Annotated[str, Meta(pattern=ID_PATTERN)]


_TIMES = ("next_run_at", "expires_at", "created_at")
_MOST_TOLD = 300
"""Characters of an error that names a value."""


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
    signature: Annotated[
        str | None, _text("who made the file, where the operator asks for it: HMAC-SHA256, in hexadecimal")
    ] = None
    attempts: Annotated[list[Attempt], _text("written by the dispatcher: one object a start")] = []
    retries: Annotated[Count | None, _text("written by the dispatcher, for reading only")] = None
    result: Annotated[Any, _text("written by the dispatcher: the return value")] = None
    replaces: Annotated[
        list[_FileStamp], _text("written by the dispatcher: inode, size and time of each file that a record replaced")
    ] = []


def parse(data: bytes) -> tuple[Document, dict[str, Any]]:
    """Return the checked document in `data` and its raw form; JobFormatError with every fault in it."""
    raw = jsontext.decode(data)
    return check(raw), raw


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


def due_at(checked: Document, mtime: float, now: float) -> float:
    """Return when the job may run, in seconds since 1970: its `next_run_at`, or its file's mtime plus `delay`, the later one.

    Without both it is due since its mtime, or since `now` when that is earlier: a producer's clock may be ahead of ours.
    """
    moments = [] if checked.next_run_at is None else [checked.next_run_at.timestamp()]
    if checked.delay is not None:
        moments.append(mtime + times.parse_duration(checked.delay))
    return max(moments, default=min(mtime, now))


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a job file."""
    made = msgspec.json.schema(Document)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "spoolrunner job", **made}
