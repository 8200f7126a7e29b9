"""The steps of a job's process: `spoolrunner.attempt.runner`, from its lock to its record."""

from __future__ import annotations

from tests.model.rules import Promise, Rule
from tests.model.state import (
    CLAIM,
    FINAL,
    NOBODY,
    RUNNING,
    START,
    Marker,
    Mine,
    Runner,
    State,
    bury,
    finals,
    open_lock,
    set_runner,
    set_story,
)
from tests.model.steps import Model, Step, append, commit, fits, marker_in, staged, synced, try_lock

OPEN, LOCK, READ, CHECK, MARK, BEGIN, WORK, SYNC, REPLACE, SYNC_FOLDER, END = (
    "open the lock file",
    "lock",
    "read",
    "check",
    "mark",
    "begin",
    "work",
    "sync",
    "replace",
    "sync the folder",
    "end",
)


def first(model: Model, number: int) -> Runner:
    """A runner that has just been started to make that attempt."""
    early = Rule.READ_LOCKED not in model.rules or Rule.RUNNER_LOCKS not in model.rules
    return Runner(READ if early else OPEN, number)


def _is(state: State, index: int) -> Runner:
    runner = state.runners[index]
    assert runner is not None, "a step is made by a runner that is there"
    return runner


def _open(model: Model, state: State, index: int) -> tuple[State, ...]:
    state, ident = open_lock(state)
    return (set_runner(state, index, _is(state, index)._replace(at=LOCK, lock=ident)),)


def _lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    answer = try_lock(model, state, runner.lock)
    if answer == "held":
        return (bury(state, index),)  # its patience is over; before that it waits, which is to make no step
    if answer == "stale":
        return (set_runner(state, index, runner._replace(at=OPEN, lock=0)),)
    after = READ if Rule.READ_LOCKED in model.rules else CHECK
    return (set_runner(state, index, runner._replace(at=after, locked=True)),)


def _read(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner, file = _is(state, index), state.disk.places[RUNNING]
    if file is None or file.torn:
        return (bury(state, index),)
    if Rule.LEAVE_UNEXPECTED in model.rules and len(file.history) + 1 != runner.number:
        return (bury(state, index),)
    locks_now = Rule.READ_LOCKED not in model.rules and Rule.RUNNER_LOCKS in model.rules
    if Rule.RUNNER_LOCKS not in model.rules:
        state, ident = open_lock(state)
        runner = runner._replace(lock=ident)
    return (set_runner(state, index, runner._replace(at=OPEN if locks_now else CHECK, file=file)),)


def _check(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    assert runner.file is not None, "it has read the document"
    marker = marker_in(state, runner.lock)
    if Rule.LEAVE_BEGUN in model.rules and fits(model, marker, runner.file, START):
        return (bury(state, index),)
    is_final = runner.file.history[-1:] in tuple(FINAL)
    if Rule.LEAVE_FINAL in model.rules and is_final and not fits(model, marker, runner.file, CLAIM):
        return (bury(state, index),)
    after = MARK if Rule.MARK_FIRST in model.rules else BEGIN
    return (set_runner(state, index, runner._replace(at=after)),)


def _mark(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    assert runner.file is not None, "it has read the document"
    state = append(state, runner.lock, Marker(START, runner.number, runner.file.inode, index))
    story = state.stories[runner.file.job]
    state = set_story(state, runner.file.job, story._replace(begun=story.begun + 1))
    after = BEGIN if Rule.MARK_FIRST in model.rules else WORK
    return (set_runner(state, index, runner._replace(at=after)),)


def _begin(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    assert runner.file is not None, "it has read the document"
    job = runner.file.job
    story = state.stories[job]
    fault = ""
    if any(other is not None and other.inside for other in state.runners):
        fault = Promise.ONE_PROCESS
    elif finals(runner.file.history) > story.asked:
        fault = Promise.NOT_AGAIN
    elif runner.file.later and _is_expected(state, index):
        fault = Promise.NOT_EARLY
    elif story.wished and state.disk.cancel == NOBODY:
        fault = Promise.CANCEL_KEPT
    state = set_story(state, job, story._replace(effects=story.effects + 1))
    after = WORK if Rule.MARK_FIRST in model.rules else MARK
    return (set_runner(state, index, runner._replace(at=after, inside=True))._replace(fault=fault),)


def _is_expected(state: State, index: int) -> bool:
    mine = Mine(_is(state, index).number, index)
    return any(dispatcher is not None and dispatcher.mine == mine for dispatcher in state.dispatchers)


def _work(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    assert runner.file is not None, "it has read the document"
    outcomes = ("ok", "fail") if model.bounds.fails else ("ok",)
    ends = tuple(
        set_runner(state, index, runner._replace(at=SYNC, staged=made, file=None))
        for outcome in outcomes
        for made in staged(model, state, runner.file, outcome)
    )
    others = []
    if state.closes and runner.lock:
        others.append(set_runner(state, index, runner._replace(lock=0, locked=False))._replace(closes=state.closes - 1))
    if model.bounds.forks_below and runner.locked and not state.leftover:
        others.append(state._replace(leftover=runner.lock))
    return (*ends, *others)


def _sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    made = synced(model, runner.staged, Rule.RECORD_SYNCED)
    return (set_runner(state, index, runner._replace(at=REPLACE, staged=made)),)


def _replace(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    state = commit(model, state, runner)
    return (set_runner(state, index, runner._replace(at=SYNC_FOLDER, staged=None)),)


def _sync_folder(model: Model, state: State, index: int) -> tuple[State, ...]:
    return (set_runner(state, index, _is(state, index)._replace(at=END)),)


def _end(model: Model, state: State, index: int) -> tuple[State, ...]:
    return (bury(state, index, tells=True),)


STEPS = {
    OPEN: Step("opens its lock file", ("open locks/ID.lock",), _open),
    LOCK: Step("tries its lock", ("flock locks/ID.lock",), _lock),
    READ: Step("reads its document", ("open running/ID.json",), _read),
    CHECK: Step("looks for a marker of this attempt", (), _check),
    MARK: Step("leaves its start marker", ("write locks/ID.lock",), _mark),
    BEGIN: Step("begins the user's code", ("effect",), _begin),
    WORK: Step("works, and writes its record in tmp/", ("work", "open tmp/X", "write tmp/X"), _work),
    SYNC: Step("syncs its record", ("fsync tmp/X",), _sync),
    REPLACE: Step("puts its record in the place of the document", ("replace tmp/X -> running/ID.json",), _replace),
    SYNC_FOLDER: Step(
        "syncs running/", ("open running", "fsync running", "open running"), _sync_folder, Rule.RECORD_FOLDER_SYNCED
    ),
    END: Step("ends", (), _end),
}
