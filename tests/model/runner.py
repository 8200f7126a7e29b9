"""The steps of a job's process: `spoolrunner.attempt.runner`, from its lock to its outcome line."""

from __future__ import annotations

from tests.model.rules import Promise, Rule
from tests.model.state import (
    NOBODY,
    RUNNING,
    START,
    File,
    Marker,
    Outcome,
    Runner,
    State,
    bury,
    finals,
    open_lock,
    set_lock,
    set_runner,
    set_story,
    stamp,
)
from tests.model.steps import Model, Step, append, append_outcome, is_begun, marker_in, try_lock

OPEN, LOCK, COMPARE, CHECK, MARK, BEGIN, WORK = "open", "lock", "compare", "check", "mark", "begin", "work"
OPEN_AGAIN, LOCK_AGAIN, FIND, MARK_AGAIN = "open again", "lock again", "find", "mark again"
STARTED = (BEGIN, WORK, "leave the outcome")
"""The steps of one that has left its start marker, and no outcome."""
LEAVE, PART, SYNC, END = "leave the outcome", "part", "sync the outcome", "end"


def first(model: Model, number: int, file: File, namespace: int) -> Runner:
    """A runner that has just been started in that namespace of pids, to make that attempt of that file."""
    early = Rule.COMPARE_LOCKED not in model.rules or Rule.RUNNER_LOCKS not in model.rules
    return Runner(COMPARE if early else OPEN, number, file, namespace=namespace)


def _marker(runner: Runner, index: int) -> Marker:
    return Marker(START, runner.number, stamp(runner.file), index, runner.namespace)


def killed(model: Model, state: State, index: int) -> tuple[State, ...]:
    """The runner is killed; if it was just leaving its outcome, perhaps in the middle of the line."""
    runner = _is(state, index)
    dead = bury(state, index)
    if runner.at not in (LEAVE, MARK_AGAIN):
        return (dead,)
    torn = state
    if runner.at == MARK_AGAIN:
        torn = append(model, state, runner.lock, _marker(runner, index))
    torn = append_outcome(model, torn, runner.lock, Outcome(runner.number, runner.came, torn=True))
    return (dead,) if torn.disk == state.disk else (dead, bury(torn, index))


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
    after = COMPARE if Rule.COMPARE_LOCKED in model.rules else CHECK
    return (set_runner(state, index, runner._replace(at=after, locked=True)),)


def _compare(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    if state.disk.places[RUNNING] != runner.file and Rule.LEAVE_CHANGED in model.rules:
        return (bury(state, index),)
    locks_now = Rule.COMPARE_LOCKED not in model.rules and Rule.RUNNER_LOCKS in model.rules
    if Rule.RUNNER_LOCKS not in model.rules:
        state, ident = open_lock(state)
        runner = runner._replace(lock=ident)
    return (set_runner(state, index, runner._replace(at=OPEN if locks_now else CHECK)),)


def _check(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    if Rule.LEAVE_BEGUN in model.rules and is_begun(marker_in(state, runner.lock), runner.number, runner.file):
        return (bury(state, index),)
    after = MARK if Rule.MARK_FIRST in model.rules else BEGIN
    return (set_runner(state, index, runner._replace(at=after)),)


def _mark(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    state = append(model, state, runner.lock, _marker(runner, index))
    story = state.stories[runner.file.job]
    state = set_story(state, runner.file.job, story._replace(begun=story.begun + 1))
    after = BEGIN if Rule.MARK_FIRST in model.rules else WORK
    return (set_runner(state, index, runner._replace(at=after)),)


def _begin(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    job = runner.file.job
    story = state.stories[job]
    there = state.disk.places[RUNNING]
    fault = ""
    if any(other is not None and other.inside for other in state.runners):
        fault = Promise.ONE_PROCESS
    elif _most_finals(state, job) > story.asked:
        fault = Promise.NOT_AGAIN
    elif there is not None and there.later and _is_expected(state, index):
        fault = Promise.NOT_EARLY
    elif story.wished and state.disk.cancel == NOBODY:
        fault = Promise.CANCEL_KEPT
    elif story.left in ("ok", "fail"):
        fault = Promise.OUTCOME_KEPT
    state = set_story(state, job, story._replace(effects=story.effects + 1, left="", lasting=False))
    after = WORK if Rule.MARK_FIRST in model.rules else MARK
    return (set_runner(state, index, runner._replace(at=after, inside=True))._replace(fault=fault),)


def _most_finals(state: State, job: int) -> int:
    return max((finals(file.history) for file in state.disk.places if file is not None and file.job == job), default=0)


def _is_expected(state: State, index: int) -> bool:
    """Whether the dispatcher that started it is still there."""
    mine = [dispatcher.mine for dispatcher in state.dispatchers if dispatcher is not None]
    return any(one is not None and one.process == index and not one.adopted for one in mine)


def _work(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner, lock = _is(state, index), state.disk.lock
    is_lost = runner.removed or not runner.lock or (runner.locked and (lock is None or lock.ident != runner.lock))
    after = OPEN_AGAIN if is_lost and Rule.OUTCOME_REACHES in model.rules else LEAVE
    outcomes = ("ok", "fail") if model.bounds.fails else ("ok",)
    found = [set_runner(state, index, runner._replace(at=after, came=came)) for came in outcomes]
    if state.closes and runner.lock:
        found.append(set_runner(state, index, runner._replace(lock=0, locked=False))._replace(closes=state.closes - 1))
    if (
        state.removes
        and _is_expected(state, index)
        and _is_alone(state)
        and lock is not None
        and runner.lock == lock.ident
    ):
        removed = set_runner(set_lock(state, None), index, runner._replace(removed=True))
        found.append(removed._replace(removes=state.removes - 1))
    if model.bounds.forks_below and runner.locked and not state.leftover:
        found.append(state._replace(leftover=runner.lock))
    return tuple(found)


def _is_alone(state: State) -> bool:
    """Whether no other runner is there: one that comes late to a removed lock file takes the new one, and begins."""
    return sum(runner is not None for runner in state.runners) == 1


def _open_again(model: Model, state: State, index: int) -> tuple[State, ...]:
    state, ident = open_lock(state)
    runner = _is(state, index)
    holds = runner.removed and Rule.REMOVED_HELD in model.rules
    return (set_runner(state, index, runner._replace(at=FIND, lock=ident, locked=False, removed=holds)),)


def _lock_again(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    answer = try_lock(model, state, runner.lock)
    if answer == "held":
        return ()
    if answer == "stale":
        return (set_runner(state, index, runner._replace(at=OPEN_AGAIN, lock=0)),)
    return (set_runner(state, index, runner._replace(at=FIND, locked=True)),)


def _find(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    marker = marker_in(state, runner.lock)
    if is_begun(marker, runner.number, runner.file) or Rule.OUTCOME_REMARKED not in model.rules:
        after = LEAVE
    elif not runner.locked and Rule.REMARK_LOCKED in model.rules:
        after = LOCK_AGAIN
    elif state.disk.places[RUNNING] == runner.file:
        after = MARK_AGAIN
    else:
        after, runner = PART, runner._replace(locked=False)  # nobody waits for its outcome any more
    return (set_runner(state, index, runner._replace(at=after)),)


def _mark_again(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    state = append(model, state, runner.lock, _marker(runner, index))
    return _leave(model, set_runner(state, index, runner._replace(locked=False)), index)


def _leave(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner = _is(state, index)
    state = append_outcome(model, state, runner.lock, Outcome(runner.number, runner.came))
    state = set_story(state, runner.file.job, state.stories[runner.file.job]._replace(left=runner.came))
    return (set_runner(state, index, runner._replace(at=PART)),)


def _part(model: Model, state: State, index: int) -> tuple[State, ...]:
    after = END if _is_expected(state, index) else SYNC
    return (set_runner(state, index, _is(state, index)._replace(at=after)),)


def _sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    runner, lock = _is(state, index), state.disk.lock
    if state.cuts:
        state = set_story(state, runner.file.job, state.stories[runner.file.job]._replace(lasting=True))
        is_ours = lock is not None and lock.ident == runner.lock
        if lock is not None and is_ours and Rule.OUTCOME_SYNCED_BY_ORPHAN in model.rules:
            state = set_lock(state, lock._replace(synced=True))
    return (set_runner(state, index, runner._replace(at=END)),)


def _end(model: Model, state: State, index: int) -> tuple[State, ...]:
    return (bury(state, index),)


STEPS = {
    OPEN: Step("opens its lock file", ("open locks/ID.lock",), _open),
    LOCK: Step("tries its lock", ("flock locks/ID.lock",), _lock),
    COMPARE: Step("compares the file in running/ with what it was sent", (), _compare),
    CHECK: Step("looks for a marker of this attempt", (), _check),
    MARK: Step("leaves its start marker", ("write locks/ID.lock",), _mark),
    BEGIN: Step("begins the user's code, once its module is imported", ("write locks/ID.lock", "effect"), _begin),
    WORK: Step("works", ("work",), _work),
    OPEN_AGAIN: Step("opens the lock file at the path", ("open locks/ID.lock",), _open_again),
    LOCK_AGAIN: Step("tries its lock again", ("flock locks/ID.lock",), _lock_again),
    FIND: Step("looks for its own marker", (), _find),
    MARK_AGAIN: Step(
        "leaves its start marker again, with its outcome in the same write", ("write locks/ID.lock",), _mark_again
    ),
    LEAVE: Step("leaves its outcome", ("write locks/ID.lock",), _leave),
    PART: Step("looks whether its dispatcher is there", (), _part),
    SYNC: Step(
        "syncs its outcome",
        (
            *("open locks/ID.lock", "fsync locks/ID.lock"),
            *("open locks", "fsync locks", "open locks"),
            *("open running", "fsync running", "open running"),
        ),
        _sync,
        Rule.OUTCOME_SYNCED_BY_ORPHAN,
    ),
    END: Step("ends", ("exit ID",), _end),
}
