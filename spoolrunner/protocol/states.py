"""The protocol as data: the states, the words for what happened, and which move is legal when.

Owns the tables of the protocol, which docs/internals.md shows and tests compare. Knows no files and no time. Whoever
renames a job file asks `transition` first and takes the target from its answer: a move which is not in the table cannot
be made by accident.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a job's file lies. The value is the name of the folder, and the folder is the state."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Outcome(StrEnum):
    """How an attempt ended or, for the last four, why a job never ran (`cancelled` is both)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DEPENDENCY_FAILED = "dependency_failed"


LEFT_BY_JOBS = frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.REJECTED})
"""The outcomes that a job's process can leave of itself."""


class Verdict(StrEnum):
    """What follows from an outcome."""

    DONE = "done"
    RETRY = "retry"
    FAILED = "failed"


FINAL = frozenset({Verdict.DONE, Verdict.FAILED})


class Event(StrEnum):
    """What makes a job move."""

    PUBLISH = "publish"
    CLAIM = "claim"
    REFUSE = "unreadable, not allowed, expired, cancelled, dependency failed"
    OUTCOME = "outcome known"
    VERDICT_DONE = "verdict done"
    VERDICT_RETRY = "verdict retry"
    VERDICT_FAILED = "verdict failed"
    RELEASE = "release"
    UNREADABLE = "unreadable"
    HAND_RETRY = "retry, by hand or by command"
    MEND = "mended by command"
    EDIT = "edited by command"


class Transition(NamedTuple):
    """One row: from `source` on `event` to `target`; `commit` is the one call that makes it true."""

    source: State | None
    event: Event
    target: State
    commit: str
    counted: str


TRANSITIONS = (
    Transition(None, Event.PUBLISH, State.PENDING, "rename or link from tmp/, refusing a taken name", "no"),
    Transition(State.PENDING, Event.CLAIM, State.RUNNING, "rename", "no"),
    Transition(State.PENDING, Event.REFUSE, State.FAILED, "rename (ID.reason first)", "no"),
    Transition(State.RUNNING, Event.OUTCOME, State.RUNNING, "rename(tmp, running)", "yes, here"),
    Transition(State.RUNNING, Event.VERDICT_DONE, State.DONE, "rename", "-"),
    Transition(State.RUNNING, Event.VERDICT_RETRY, State.PENDING, "rename", "-"),
    Transition(State.RUNNING, Event.VERDICT_FAILED, State.FAILED, "rename", "-"),
    Transition(State.RUNNING, Event.RELEASE, State.PENDING, "rename", "no"),
    Transition(State.RUNNING, Event.UNREADABLE, State.FAILED, "rename (ID.reason first)", "no"),
    Transition(State.FAILED, Event.HAND_RETRY, State.PENDING, "rename", "history kept, retry budget fresh"),
    Transition(State.DONE, Event.HAND_RETRY, State.PENDING, "rename", "history kept, retry budget fresh"),
    Transition(State.FAILED, Event.MEND, State.FAILED, "rename(tmp, failed)", "no"),
    Transition(State.PENDING, Event.EDIT, State.PENDING, "exchange(tmp, pending)", "no"),
)

MOVES = frozenset((t.source, t.target) for t in TRANSITIONS if t.source is not None and t.source is not t.target)
_ROWS = {(row.source, row.event): row for row in TRANSITIONS}


def transition(source: State | None, event: Event) -> Transition:
    """Return the row of the table for `event` in state `source` (None: not in the spool yet); ValueError when it has none."""
    row = _ROWS.get((source, event))
    if row is None:
        where = "outside the spool" if source is None else f"in {source}/"
        raise ValueError(f"no transition: the table has no event {event.value!r} for a job {where}")
    return row


EVENT_OF = {
    Verdict.DONE: Event.VERDICT_DONE,
    Verdict.RETRY: Event.VERDICT_RETRY,
    Verdict.FAILED: Event.VERDICT_FAILED,
}
"""The event that a verdict is for the file in running/."""
DESTINATION = {verdict: transition(State.RUNNING, event).target for verdict, event in EVENT_OF.items()}


class Remedy(StrEnum):
    """What settling does with a file in running/ whose process is gone."""

    RECORD = "record the outcome, then move to where the verdict says"
    RELEASE = "release to pending/"
    FINISH = "move to where the last verdict says"
    REJECT = "write ID.reason, then move to failed/"


class RecoveryRule(NamedTuple):
    """One rule: when `sign` is seen, apply `remedy`. The first that holds is the one."""

    number: int
    sign: str
    remedy: Remedy


RECOVERY_RULES = (
    RecoveryRule(0, "the document cannot be read", Remedy.REJECT),
    RecoveryRule(1, "a start marker fits", Remedy.RECORD),
    RecoveryRule(2, "a claim marker fits", Remedy.RELEASE),
    RecoveryRule(3, "the last verdict is final, and was recorded here as far as markers tell", Remedy.FINISH),
    RecoveryRule(4, "otherwise: a recorded retry, or never started", Remedy.RELEASE),
)

MAX_RELEASES = 5
"""Releases without a start marker before a job counts as crashed: it never reaches its first line."""

MAX_INTERRUPTIONS = 5
"""Interrupted attempts that are not counted, a job; one that is always running when we stop must end some time."""
