"""What happened, and its wording: every line of the logs is made here, and nowhere else.

Pure. A line holds one event, in `key=value` form; whatever comes from a job is made printable first, so that no job can
forge a line or send escape sequences to a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spoolrunner.system.clock import format_time


class Kind(StrEnum):
    """The kinds of events; those that are failures also go to the error log."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRY = "retry"
    REFUSED = "refused"
    RELEASED = "released"
    ADOPTED = "adopted"
    RECOVERED = "recovered"
    ENDING = "ending"
    DISPATCHER = "dispatcher"
    TROUBLE = "trouble"


_TO_BE_QUOTED = frozenset(' "=\\')
FAILURES = frozenset({Kind.FAILED, Kind.REFUSED, Kind.TROUBLE})


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. Empty fields are left out of its line; `duration` is in seconds, `at` in seconds since 1970."""

    kind: Kind
    at: float
    id: str = ""
    job: str = ""
    method: str = ""
    attempt: int | None = None
    starts: int | None = None
    duration: float | None = None
    outcome: str = ""
    verdict: str = ""
    next_run_at: float | None = None
    note: str = ""
    traceback: str = ""


def line(event: Happening) -> str:
    """The event as one line, without its line break."""
    attempt = "" if event.attempt is None else f"{event.attempt}" + (f"/{event.starts}" if event.starts else "")
    said = f"{format_time(event.at)} {event.kind}"
    for key, value in (
        ("id", event.id),
        ("class", event.job),
        ("method", event.method),
        ("attempt", attempt),
        ("duration", "" if event.duration is None else f"{event.duration:.3f}s"),
        ("outcome", event.outcome),
        ("verdict", event.verdict),
        ("next_run_at", "" if event.next_run_at is None else format_time(event.next_run_at)),
        ("note", event.note),
    ):
        if value:
            said += f" {key}={_quoted(value)}"
    return said


def block(event: Happening) -> str:
    """The event's line and, indented below it, its traceback: an entry of the error log."""
    return "\n".join([line(event), *(f"    {printable(row)}" for row in event.traceback.splitlines())])


def printable(text: str) -> str:
    """`text` with every character that is not printable written as an escape: controls, direction marks, surrogates."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _quoted(value: str) -> str:
    value = printable(value)
    if _TO_BE_QUOTED.isdisjoint(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
