"""One event as one line of text, and everything that makes such a line safe to print.

Pure. A line holds its fields in `key=value` form. Text that comes from a job is made printable first, so that no job can forge
a line or send escape sequences to a terminal. The words of the events are in `events`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
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
    SCHEDULED = "scheduled"
    SKIPPED = "skipped"
    ACTION = "action"
    DISPATCHER = "dispatcher"
    TROUBLE = "trouble"


_TO_BE_QUOTED = frozenset(' "=\\')
_PLAIN = re.compile(r"[A-Za-z0-9._~:/-]+").fullmatch
"""Of a text that needs no look at each of its characters."""
FAILURES = frozenset({Kind.FAILED, Kind.REFUSED, Kind.TROUBLE})
"""The kinds that go to the error log too."""


class Entry(NamedTuple):
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
    kind, at, job_id, job, method, attempt, starts, duration, outcome, verdict, next_run_at, note, _ = entry
    parts = [format_time(at), kind]
    if job_id:
        parts.append(f"id={_quoted(job_id)}")
    if job:
        parts.append(f"class={_quoted(job)}")
    if method:
        parts.append(f"method={_quoted(method)}")
    if attempt is not None:
        parts.append(f"attempt={attempt}/{starts}" if starts else f"attempt={attempt}")
    if duration is not None:
        parts.append(f"duration={duration:.3f}s")
    if outcome:
        parts.append(f"outcome={outcome}")
    if verdict:
        parts.append(f"verdict={verdict}")
    if next_run_at is not None:
        parts.append(f"next_run_at={format_time(next_run_at)}")
    if note:
        parts.append(f"note={_quoted(note)}")
    return " ".join(parts)


def block(entry: Entry) -> str:
    """The entry's line and, indented below it, its traceback: as the error log has it."""
    return "\n".join([line(entry), *(f"    {printable(row)}" for row in entry.traceback.splitlines())])


def printable(text: str) -> str:
    """`text` with every character that is not printable written as an escape: controls, direction marks, surrogates."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@lru_cache(maxsize=1024)  # the lines of a job have its id, class and method in common
def _quoted(value: str) -> str:
    if _PLAIN(value):
        return value
    value = printable(value)
    if _TO_BE_QUOTED.isdisjoint(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
