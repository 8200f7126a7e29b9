"""How a dispatcher carries out `control/cancel-ID`: of a running job, of one that waits, of one between two attempts."""

from __future__ import annotations

from tests.model.claiming import set_out
from tests.model.dispatcher import At, drop_request, is_there, rest, set_reason, to
from tests.model.rules import Promise, Rule
from tests.model.runner import killed
from tests.model.state import (
    DONE,
    DONE_2,
    EITHER,
    FAILED,
    FAILED_2,
    FINAL,
    NOBODY,
    PENDING,
    RUNNING,
    START,
    Marker,
    Mine,
    State,
    move,
    open_lock,
    set_dispatcher,
    set_story,
)
from tests.model.steps import RENAME, Model, Step, append, commit, fits, marker_in, staged, synced, try_lock

OVER = (DONE, DONE_2, FAILED, FAILED_2)


def _obey(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    if dispatcher.fresh or (state.disk.cancel == NOBODY and not dispatcher.heeds):
        return ()
    if dispatcher.heeds:
        state = set_dispatcher(state, index, dispatcher._replace(heeds=False))
        return _carry_out(model, state, index) or (state,)
    return _carry_out(model, state, index)


def _carry_out(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, waiting = is_there(state, index), state.disk.places[PENDING]
    if state.disk.cancel == NOBODY:
        return ()
    if dispatcher.mine is not None:
        return _end(model, state, index, dispatcher.mine)
    if Rule.CANCEL_KNOWN in model.rules and _was_cancelled(state):
        return (drop_request(state),)
    running = state.disk.places[RUNNING]
    if running is not None and (waiting is None or Rule.CANCEL_WAITS in model.rules):
        return ()
    if waiting is None:
        return (_no_such_job(state),)
    if not waiting.history or waiting.history[-1] in FINAL or Rule.CANCEL_RECORDED not in model.rules:
        return to(_meant(state, waiting.job), index, _first_of_refusal(model), source=PENDING)
    return set_out(model, _meant(state, waiting.job), index, file=waiting, cancels=True)


def _meant(state: State, job: int) -> State:
    """It is a fault when the request was for another job of the id, one that has come to its end since."""
    meant = state.disk.cancel
    over = {file.job for place in OVER if (file := state.disk.places[place]) is not None}
    is_over = meant not in (job, EITHER) and meant in over
    return state._replace(fault=Promise.CANCEL_MEANT) if is_over else state


def _end(model: Model, state: State, index: int, mine: Mine) -> tuple[State, ...]:
    file = state.disk.places[RUNNING]
    if mine.process == NOBODY:
        return ()
    state = state if file is None else _meant(state, file.job)
    ended = mine._replace(process=NOBODY, cancelled=True)
    return tuple(after for dead in killed(model, state, mine.process) for after in rest(dead, index, ended))


def _was_cancelled(state: State) -> bool:
    for place, age in zip((FAILED, FAILED_2), state.disk.reasons, strict=True):
        if state.disk.places[place] is None:
            return False
        if age == 2:
            return True
    return False


def _no_such_job(state: State) -> State:
    """It came too late, or for a job that was taken away: that job is not to be cancelled any more."""
    first, second = (story._replace(wished=False) for story in state.stories)
    return drop_request(state._replace(stories=(first, second)))


def _first_of_refusal(model: Model) -> At:
    if Rule.CANCEL_AFTER_MOVE not in model.rules:
        return At.CANCELLED
    return At.EXPLAIN if Rule.REASON_FIRST in model.rules else At.REFUSE


def _explain(model: Model, state: State, index: int) -> tuple[State, ...]:
    if Rule.REASON_FIRST not in model.rules:
        return to(set_reason(state, is_there(state, index).slot, 2), index, At.CANCELLED)
    slot = 0 if state.disk.places[FAILED] is None else 1
    return to(set_reason(state, slot, 2), index, At.REFUSE, slot=slot)


def _refuse(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    file, slot = state.disk.places[dispatcher.source], dispatcher.slot
    if Rule.REASON_FIRST not in model.rules:
        slot = 0 if state.disk.places[FAILED] is None else 1
    if file is None:
        return rest(set_reason(state, slot, 0), index)
    if state.disk.places[FAILED + slot] is not None:
        return to(set_reason(state, slot, 0), index, At.EXPLAIN)
    story = state.stories[file.job]
    state = set_story(move(state, dispatcher.source, FAILED + slot), file.job, story._replace(wished=False))
    after = At.CANCELLED if Rule.REASON_FIRST in model.rules else At.EXPLAIN
    return to(state, index, after, slot=slot)


def _cancelled(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    state = drop_request(state)
    if Rule.CANCEL_AFTER_MOVE not in model.rules and state.disk.places[dispatcher.source] is not None:
        return to(state, index, At.EXPLAIN)
    return to(state, index, At.LOOK_ROUND) if dispatcher.locked else rest(state, index)


def _give_up_open(model: Model, state: State, index: int) -> tuple[State, ...]:
    state, ident = open_lock(state)
    return to(state, index, At.GIVE_UP_LOCK, lock=ident)


def _give_up_lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    answer = try_lock(model, state, is_there(state, index).lock)
    if answer == "held":
        return rest(state, index, unresolved=Rule.GIVE_UP_RESOLVED in model.rules)
    if answer == "stale":
        return to(state, index, At.GIVE_UP_OPEN, lock=0)
    return to(state, index, At.GIVE_UP_MARK, locked=True)


def _give_up_mark(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, file = is_there(state, index), state.disk.places[RUNNING]
    if file is None or not file.history:
        return rest(state, index)
    is_begun = fits(model, marker_in(state, dispatcher.lock), file, START, wholly=False) or file.history[-1] in FINAL
    if is_begun and Rule.GIVE_UP_CHECKED in model.rules:
        return to(state, index, At.OPEN, lock=0, locked=False, cancels=False, claimed=True)
    state = append(model, state, dispatcher.lock, Marker(START, len(file.history), None))
    made = staged(model, state, file, "retry over")
    return tuple(after for one in made for after in to(state, index, At.GIVE_UP_SYNC, staged=one))


def _give_up_sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    made = synced(model, is_there(state, index).staged, Rule.RECORD_SYNCED)
    return to(state, index, At.GIVE_UP_REPLACE, staged=made)


def _give_up_replace(model: Model, state: State, index: int) -> tuple[State, ...]:
    return to(commit(model, state, is_there(state, index)), index, At.GIVE_UP_SYNC_FOLDER, staged=None)


def _give_up_sync_folder(model: Model, state: State, index: int) -> tuple[State, ...]:
    return to(state, index, _first_of_refusal(model), source=RUNNING)


_REASON = "failed/ID.reason"
OBEY = Step("obeys the request to cancel", (), _obey)
STEPS = {
    At.EXPLAIN: Step(
        "writes the reason",
        (
            "open tmp/X",
            "write tmp/X",
            "fsync tmp/X",
            f"replace tmp/X -> {_REASON}",
            "open failed",
            "fsync failed",
            "open failed",
        ),
        _explain,
    ),
    At.REFUSE: Step("moves the job to failed/", (RENAME,), _refuse),
    At.CANCELLED: Step("removes the request to cancel", ("unlink control/cancel-ID",), _cancelled),
    At.GIVE_UP_OPEN: Step("opens the lock file, to give up", ("open locks/ID.lock",), _give_up_open),
    At.GIVE_UP_LOCK: Step("tries the lock, to give up", ("flock locks/ID.lock",), _give_up_lock),
    At.GIVE_UP_MARK: Step(
        "reads the document, marks that its record follows",
        ("open running/ID.json", "write locks/ID.lock"),
        _give_up_mark,
    ),
    At.GIVE_UP_SYNC: Step(
        "writes the record and syncs it", ("open tmp/X", "write tmp/X", "fsync tmp/X"), _give_up_sync
    ),
    At.GIVE_UP_REPLACE: Step("puts the record in its place", ("replace tmp/X -> running/ID.json",), _give_up_replace),
    At.GIVE_UP_SYNC_FOLDER: Step(
        "syncs running/",
        ("open running", "fsync running", "open running"),
        _give_up_sync_folder,
        Rule.RECORD_FOLDER_SYNCED,
    ),
}
