"""One event as one line of text, and everything that makes such a line safe to print.

Pure. A line holds its fields in `key=value` form. Text that comes from a job is made printable first, so that no job can forge
a line or send escape sequences to a terminal. The words of the events are in `events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from spoolrunner.system.clock import format_time


class Kind(StrEnum):
    """The word a line begins with, behind its time."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRY = "retry"
    REFUSED = "refused"
    RELEASED = "released"
    ADOPTED = "adopted"
    ENDING = "ending"
    DISPATCHER = "dispatcher"
    TROUBLE = "trouble"


_TO_BE_QUOTED = frozenset(' "=\\')
FAILURES = frozenset({Kind.FAILED, Kind.REFUSED, Kind.TROUBLE})
"""The kinds that go to the error log too."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of a line. Empty ones are left out; `duration` is in seconds, `at` in seconds since 1970."""

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


class Who(NamedTuple):
    """Which attempt of which job. `starts` is the number of the last attempt there may be, None where that is not known."""

    id: str
    job: str
    method: str
    attempt: int
    starts: int | None

    def entry(self, kind: Kind, at: float, **others: Any) -> Entry:
        """An entry about this attempt."""
        return Entry(kind, at, self.id, self.job, self.method, self.attempt, self.starts, **others)


def line(entry: Entry) -> str:
    """The entry as one line, without its line break."""
    attempt = "" if entry.attempt is None else f"{entry.attempt}" + (f"/{entry.starts}" if entry.starts else "")
    text = f"{format_time(entry.at)} {entry.kind}"
    for key, value in (
        ("id", entry.id),
        ("class", entry.job),
        ("method", entry.method),
        ("attempt", attempt),
        ("duration", "" if entry.duration is None else f"{entry.duration:.3f}s"),
        ("outcome", entry.outcome),
        ("verdict", entry.verdict),
        ("next_run_at", "" if entry.next_run_at is None else format_time(entry.next_run_at)),
        ("note", entry.note),
    ):
        if value:
            text += f" {key}={_quoted(value)}"
    return text


def block(entry: Entry) -> str:
    """The entry's line and, indented below it, its traceback: as the error log has it."""
    return "\n".join([line(entry), *(f"    {printable(row)}" for row in entry.traceback.splitlines())])


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
