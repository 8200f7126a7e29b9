"""What the steps of a dispatcher have in common: where it stands, what it remembers, when it has finished."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from tests.model.state import NOBODY, Dispatcher, Mine, State, set_dispatcher


class At(StrEnum):
    """The steps of a dispatcher, but for those that begin a piece of work."""

    PEEK = "peek at the marker"
    ALONE = "look whether it is alone"
    MARK_OPEN = "open the lock file to mark"
    MARK_LOCK = "lock to mark"
    MARK = "mark the claim"
    MARK_SYNC = "sync the mark"
    CLAIM = "claim"
    COMPARE = "compare"
    PUT_BACK = "put back"
    LAUNCH = "start"
    OPEN = "open the lock file to settle"
    LOCK = "lock to settle"
    HELD = "look who holds the lock"
    ADOPT = "adopt"
    READ = "read the lock file"
    TEST = "test"
    RESTORE = "restore the marker"
    CHOOSE = "choose"
    CHOOSE_KNOWN = "choose from memory"
    SYNC = "sync the record"
    REPLACE = "replace"
    SYNC_FOLDER = "sync running/"
    TELL_LOOK = "look whether on_failure was published"
    TELL_WRITE = "write on_failure"
    TELL = "publish on_failure"
    TELL_SYNC_FOLDER = "sync pending/ with on_failure"
    DROP_REQUEST = "drop the request of one that ran"
    MOVE = "move"
    DROP_REASON = "drop the reason"
    LOOK_ROUND = "look whether the lock is needed"
    DROP_LOCK = "drop the lock"
    SWEEP_LOCK = "lock to sweep"
    SWEEP_LOOK = "look whether the lock is needed, to sweep"
    SWEEP_DROP = "sweep the lock"
    GIVE_UP_LOCK = "lock to give up"
    GIVE_UP_MARK = "mark what is given up"
    GIVE_UP_SYNC = "sync what is given up"
    GIVE_UP_REPLACE = "replace what is given up"
    GIVE_UP_SYNC_FOLDER = "sync running/ with what is given up"
    GIVE_UP_OPEN = "open the lock file to give up"
    EXPLAIN = "explain"
    REFUSE = "refuse"
    CANCELLED = "drop the request of one that waited"


def is_there(state: State, index: int) -> Dispatcher:
    """The dispatcher that makes a step."""
    found = state.dispatchers[index]
    assert found is not None, "a step is made by a dispatcher that is there"
    return found


def to(state: State, index: int, at: At, **memory: Any) -> tuple[State, ...]:
    """The dispatcher goes on to that step, and remembers."""
    return (set_dispatcher(state, index, is_there(state, index)._replace(at=at, **memory)),)


def rest(state: State, index: int, mine: Mine | None = None, unresolved: bool | None = None) -> tuple[State, ...]:
    """The dispatcher has finished a piece of work: it forgets what it read, and closes what it opened."""
    was = is_there(state, index)
    left = was.unresolved if unresolved is None else unresolved
    rested = Dispatcher(
        None,
        was.has_markers,
        was.serves,
        was.keeps_inodes,
        heeds=was.heeds,
        unresolved=left,
        mine=mine,
        namespace=was.namespace,
    )
    return (set_dispatcher(state, index, rested),)


def drop_request(state: State) -> State:
    """`control/cancel-ID` is gone."""
    return state._replace(disk=state.disk._replace(cancel=NOBODY))


def set_reason(state: State, slot: int, age: int) -> State:
    """`failed/ID.reason`, or that of ID~2, is of that age, or gone."""
    first_one, second = state.disk.reasons
    reasons = (age, second) if slot == 0 else (first_one, age)
    return state._replace(disk=state.disk._replace(reasons=reasons))
