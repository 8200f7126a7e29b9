"""How a dispatcher claims a waiting job and starts its process: `spoolrunner.dispatch.starting`."""

from __future__ import annotations

from tests.model.dispatcher import At, is_there, rest, to
from tests.model.rules import Rule
from tests.model.runner import first
from tests.model.state import (
    CLAIM,
    FINAL,
    PENDING,
    RUNNING,
    START,
    File,
    Marker,
    Mine,
    State,
    move,
    open_lock,
    set_runner,
    set_story,
    stamp,
    sync_lock,
)
from tests.model.steps import RENAME, Model, Step, append, free_target, rename, try_lock


def _look(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, file = is_there(state, index), state.disk.places[PENDING]
    is_new = dispatcher.fresh or dispatcher.heeds or not dispatcher.serves
    if file is None or file.later or dispatcher.mine is not None or is_new:
        return ()
    return set_out(model, state, index, file=file)


def set_out(model: Model, state: State, index: int, *, file: File, cancels: bool = False) -> tuple[State, ...]:
    """The dispatcher goes about claiming the file that it has looked at."""
    if file.history[-1:] in tuple(FINAL) and Rule.CLAIM_MARK in model.rules:
        return to(state, index, At.ALONE, file=file, cancels=cancels)
    return to(state, index, At.PEEK, file=file, cancels=cancels)


def _peek(model: Model, state: State, index: int) -> tuple[State, ...]:
    lock = state.disk.lock
    marker = None if lock is None else lock.marker
    is_stale = marker is not None and marker.kind == START
    return to(state, index, At.ALONE if is_stale and Rule.CLAIM_MARK_STALE in model.rules else At.CLAIM)


def _alone(model: Model, state: State, index: int) -> tuple[State, ...]:
    if state.disk.places[RUNNING] is not None and Rule.CLAIM_MARK_ALONE in model.rules:
        return rest(state, index, unresolved=True)
    return to(state, index, At.MARK_OPEN)


def _mark_open(model: Model, state: State, index: int) -> tuple[State, ...]:
    state, ident = open_lock(state)
    return to(state, index, At.MARK_LOCK, lock=ident)


def _mark_lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    answer = try_lock(model, state, is_there(state, index).lock)
    if answer == "held":
        return rest(state, index)
    return to(state, index, At.MARK_OPEN, lock=0) if answer == "stale" else to(state, index, At.MARK, locked=True)


def _mark(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    assert dispatcher.file is not None, "it has looked at a file"
    file = dispatcher.file
    state = append(model, state, dispatcher.lock, Marker(CLAIM, len(file.history) + 1, stamp(file)))
    if file.history[-1:] in tuple(FINAL) and Rule.CLAIM_MARK_SYNCED in model.rules:
        return to(state, index, At.MARK_SYNC)
    return to(state, index, At.CLAIM, lock=0, locked=False)


def _mark_sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    if state.cuts:
        state = sync_lock(state, is_there(state, index).lock)
    return to(state, index, At.CLAIM, lock=0, locked=False)


def _claim(model: Model, state: State, index: int) -> tuple[State, ...]:
    claimed = rename(model, state, PENDING, RUNNING)
    if claimed is None:
        return rest(state, index, unresolved=True if state.disk.places[PENDING] is not None else None)
    found = claimed.disk.places[RUNNING]
    assert found is not None, "it has just been claimed"
    slipped = state.cuts > 0 and found != is_there(state, index).file
    story = claimed.stories[found.job]._replace(slipped=slipped, pardoned=False)
    return to(set_story(claimed, found.job, story), index, At.COMPARE)


def _compare(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, found = is_there(state, index), state.disk.places[RUNNING]
    if found != dispatcher.file and Rule.CLAIM_COMPARED in model.rules:
        return _not_to_start(model, state, index)
    return to(state, index, At.GIVE_UP_OPEN if dispatcher.cancels else At.LAUNCH)


def _not_to_start(model: Model, state: State, index: int) -> tuple[State, ...]:
    """It is settled like what the dead left behind, since a late runner may have found it meanwhile."""
    return to(state, index, At.OPEN if Rule.PUT_BACK_LOCKED in model.rules else At.PUT_BACK, claimed=True)


def _put_back(model: Model, state: State, index: int) -> tuple[State, ...]:
    target = free_target(model, state, "r")
    if state.disk.places[RUNNING] is not None and target is not None:
        state = move(state, RUNNING, target)
    return rest(state, index)


def _launch(model: Model, state: State, index: int) -> tuple[State, ...]:
    file = is_there(state, index).file
    assert file is not None, "it has looked at a file"
    found: tuple[State, ...] = ()
    if state.start_failures:
        found = _not_to_start(model, state._replace(start_failures=state.start_failures - 1), index)
    if None not in state.runners:
        return found
    free, number = state.runners.index(None), len(file.history) + 1
    made = first(model, number, file, is_there(state, index).namespace)
    return (*found, *rest(set_runner(state, free, made), index, Mine(number, free, file)))


LOOK = Step("looks at the waiting job", ("open pending/ID.json",), _look)
STEPS = {
    At.PEEK: Step("looks for an old start marker", ("open locks/ID.lock",), _peek),
    At.ALONE: Step("looks whether a file of that id is in running/", (), _alone),
    At.MARK_OPEN: Step("opens the lock file, for a claim marker", ("open locks/ID.lock",), _mark_open),
    At.MARK_LOCK: Step("tries the lock, for a claim marker", ("flock locks/ID.lock",), _mark_lock),
    At.MARK: Step("leaves a claim marker", ("write locks/ID.lock",), _mark),
    At.MARK_SYNC: Step(
        "syncs the claim marker of a retry by hand",
        ("open locks/ID.lock", "fsync locks/ID.lock", "open locks", "fsync locks", "open locks"),
        _mark_sync,
        Rule.CLAIM_MARK_SYNCED,
    ),
    At.CLAIM: Step("claims", (RENAME,), _claim),
    At.COMPARE: Step("compares what it claimed with what it looked at", (), _compare),
    At.PUT_BACK: Step("puts it back", (RENAME,), _put_back),
    At.LAUNCH: Step("starts a runner", ("start ID",), _launch),
}
