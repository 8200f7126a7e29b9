"""How a dispatcher settles what is in running/, and tidies lock files: `spoolrunner.spool.settling`."""

from __future__ import annotations

from tests.model import telling
from tests.model.dispatcher import At, drop_request, is_there, rest, set_reason, to
from tests.model.rules import Promise, Rule
from tests.model.state import (
    CAME,
    COMING,
    EITHER_CAME,
    FAILED,
    FAILED_2,
    FINAL,
    NOBODY,
    RUNNING,
    START,
    STOPPED,
    STRANGER,
    File,
    Marker,
    Mine,
    State,
    decide,
    finals,
    move,
    open_lock,
    set_dispatcher,
    set_lock,
    set_story,
    stamp,
)
from tests.model.steps import (
    RENAME,
    Model,
    Step,
    append,
    came_of,
    choose,
    commit,
    free_target,
    is_waiting,
    marker_in,
    outcome_in,
    staged,
    synced,
    try_lock,
)


def _set_out(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    mine = dispatcher.mine
    awaits_stop = state.stop == COMING and mine is not None and mine.signalled and Rule.STOP_AWAITED in model.rules
    is_over = mine is not None and mine.process == NOBODY and not awaits_stop
    is_to_be_settled = is_over or (dispatcher.unresolved and mine is None)
    return _open(model, state, index) if is_to_be_settled else ()


def _open(model: Model, state: State, index: int) -> tuple[State, ...]:
    state, ident = open_lock(state)
    return to(state, index, At.LOCK, lock=ident)


def _lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    answer = try_lock(model, state, dispatcher.lock)
    if answer == "stale":
        return to(state, index, At.OPEN, lock=0)
    if answer == "got":
        return to(state, index, At.READ, locked=True)
    return to(state, index, At.HELD, lock=0)


def _held(model: Model, state: State, index: int) -> tuple[State, ...]:
    marker = None if state.disk.lock is None else state.disk.lock.marker
    if _lives(model, state, index, marker):
        return to(state, index, At.ADOPT, marker=marker)
    if state.leftover and Rule.LEFTOVERS_KILLED in model.rules:
        return rest(state._replace(leftover=0), index, is_there(state, index).mine, unresolved=True)
    mine = is_there(state, index).mine
    if mine is not None and mine.process == NOBODY and marker is not None and marker.attempt == mine.number:
        return rest(state, index, mine, unresolved=True)
    return rest(state, index, unresolved=True)


def _lives(model: Model, state: State, index: int, marker: Marker | None) -> bool:
    """Whether a process of the marker's pid lives, as far as that pid counts here."""
    if marker is None or marker.kind != START or marker.process == NOBODY:
        return False
    is_ours = marker.process != STRANGER or Rule.MARK_COMPARED not in model.rules
    is_here = marker.namespace == is_there(state, index).namespace or Rule.PLACE_COMPARED not in model.rules
    return is_ours and is_here


def _adopt(model: Model, state: State, index: int) -> tuple[State, ...]:
    marker = is_there(state, index).marker
    assert marker is not None, "it has seen whom it adopts"
    if marker.process == STRANGER or marker.namespace != is_there(state, index).namespace:
        return (state._replace(fault=Promise.STRANGERS_SPARED),)  # that pid is of somebody else here
    return rest(state, index, Mine(marker.attempt, marker.process), unresolved=False)


def _read(model: Model, state: State, index: int) -> tuple[State, ...]:
    ident = is_there(state, index).lock
    return to(state, index, At.TEST, marker=marker_in(state, ident), outcome=outcome_in(state, ident))


def _test(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, running = is_there(state, index), state.disk.places[RUNNING]
    mine, marker = dispatcher.mine, dispatcher.marker
    if Rule.PROCESS_GONE in model.rules and _lives(model, state, index, marker):
        return to(state, index, At.ADOPT, outcome=None, lock=0, locked=False)
    is_lost = marker is None and mine is None and running is not None and _holder_of_removed(state) != NOBODY
    if is_lost and Rule.MARKER_RESTORED in model.rules:
        return to(state, index, At.RESTORE)
    outcome = dispatcher.outcome
    if Rule.OUTCOME_READ_LAST in model.rules:
        outcome = outcome_in(state, dispatcher.lock)
    knows = mine is not None and mine.file is not None and mine.file == running
    at = At.CHOOSE_KNOWN if knows else At.CHOOSE
    return to(state, index, at, outcome=outcome, locked=Rule.SETTLE_LOCKS in model.rules)


def _holder_of_removed(state: State) -> int:
    """The runner that has the lock file open which was removed from the path."""
    return next((index for index, one in enumerate(state.runners) if one is not None and one.removed), NOBODY)


def _restore(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, file, holder = is_there(state, index), state.disk.places[RUNNING], _holder_of_removed(state)
    if file is None or holder == NOBODY:
        return to(state, index, At.READ)
    marker = Marker(START, len(file.history) + 1, stamp(file), holder, dispatcher.namespace)
    state = append(model, state, dispatcher.lock, marker)
    return to(state, index, At.ADOPT, marker=marker, outcome=None, lock=0, locked=False)


def _choose(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher, file = is_there(state, index), state.disk.places[RUNNING]
    if file is None:
        return to(state, index, At.LOOK_ROUND)
    if file.torn:
        return to(state, index, At.EXPLAIN, verdict="f", source=RUNNING)
    mine = dispatcher.mine
    is_ours = (dispatcher.claimed or mine is not None) and Rule.BOOT_CLAIMED in model.rules
    number = 0 if mine is None else mine.number
    has_markers = dispatcher.has_markers or is_ours
    by_inode = dispatcher.keeps_inodes or has_markers
    rule = choose(model, file, dispatcher.marker, number, has_markers=has_markers, by_inode=by_inode)
    if rule == "release" and dispatcher.claimed and Rule.UNSTARTED_SPARED not in model.rules:
        rule = "record"  # as if a process had been there, and died
    if rule == "record":
        cancelled = mine is not None and mine.cancelled
        is_stopped = state.stop == CAME and mine is not None and mine.signalled and Rule.STOP_SPARES in model.rules
        came = came_of(model, dispatcher.outcome) or ("cancel" if cancelled else STOPPED if is_stopped else "fail")
        made = staged(model, state, file, came)
        at = At.SYNC if Rule.TELL_AFTER_RECORD in model.rules else telling.begin(state, made[0].history, At.SYNC)
        return tuple(after for one in made for after in to(state, index, at, staged=one))
    verdict = "r" if rule == "release" else rule
    if (rule != "release" or _is_recorded(dispatcher.marker, file, number)) and Rule.RECORD_SYNCED_AGAIN in model.rules:
        return to(state, index, At.SYNC_FOLDER, verdict=verdict)
    return to(state, index, _first_of_end(model, state, verdict), verdict=verdict)


def _is_recorded(marker: Marker | None, file: File, number: int) -> bool:
    """Whether the last attempt was recorded already, by a dispatcher that may not have come to sync that."""
    if not number and marker is not None and marker.kind == START:
        number = marker.attempt
    return number == len(file.history) > 0


def _sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    return to(state, index, At.REPLACE, staged=synced(model, is_there(state, index).staged, Rule.RECORD_SYNCED))


def _replace(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    assert dispatcher.staged is not None, "there is a record to commit"
    verdict = dispatcher.staged.history[-1]
    state = _judged(state, dispatcher.staged)
    return to(commit(model, state, dispatcher), index, At.SYNC_FOLDER, staged=None, verdict=verdict)


def _judged(state: State, file: File) -> State:
    """It is a fault when the record is not of the outcome that was left, or says that one was left which was not."""
    left, earlier, verdict = state.stories[file.job].left, file.history[:-1], file.history[-1:]
    is_true = verdict == decide(earlier, left) if left else verdict != "d"
    if is_true or left == EITHER_CAME:
        return state
    return state._replace(fault=Promise.SPARED if left == STOPPED else Promise.OUTCOME_KEPT)


def _sync_folder(model: Model, state: State, index: int) -> tuple[State, ...]:
    return to(state, index, _first_of_end(model, state, is_there(state, index).verdict))


def _first_of_end(model: Model, state: State, verdict: str) -> At:
    after = telling.first_of_move(model, verdict)
    is_early = Rule.TELL_BEFORE_MOVE in model.rules and Rule.TELL_AFTER_RECORD in model.rules
    return telling.begin(state, verdict, after) if is_early else after


def _drop_request(model: Model, state: State, index: int) -> tuple[State, ...]:
    after = At.MOVE if Rule.CANCEL_BEFORE_MOVE in model.rules else At.LOOK_ROUND
    return to(drop_request(state), index, after)


def _move(model: Model, state: State, index: int) -> tuple[State, ...]:
    verdict, file = is_there(state, index).verdict, state.disk.places[RUNNING]
    if file is None:
        return to(state, index, At.LOOK_ROUND)
    target, story = free_target(model, state, verdict), state.stories[file.job]
    if target is None:
        return ()
    if verdict in FINAL and finals(file.history) <= state.disk.retried[file.job] and not story.pardoned:
        return (state._replace(fault=Promise.RETRY_RUN),)
    told = story._replace(
        wished=story.wished and verdict in ("r", "i"),
        recorded=max(story.recorded, len(file.history)),
        left="",
        lasting=False,
    )
    if story.left:
        state = _judged(state, file)
    state = set_story(move(state, RUNNING, target), file.job, told)
    if target in (FAILED, FAILED_2):
        is_late = Rule.TELL_BEFORE_MOVE not in model.rules
        at = telling.begin(state, verdict, At.DROP_REASON) if is_late else At.DROP_REASON
        return to(state, index, at, slot=target - FAILED, file=file)
    late = verdict in FINAL and Rule.CANCEL_BEFORE_MOVE not in model.rules
    return to(state, index, At.DROP_REQUEST if late else At.LOOK_ROUND)


def _drop_reason(model: Model, state: State, index: int) -> tuple[State, ...]:
    return to(set_reason(state, is_there(state, index).slot, 0), index, At.LOOK_ROUND)


def _look_round(model: Model, state: State, index: int) -> tuple[State, ...]:
    needed = is_waiting(state) and Rule.LOCK_REMOVED_UNNEEDED in model.rules
    return rest(state, index, unresolved=False) if needed else to(state, index, At.DROP_LOCK)


def _drop_lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    return rest(set_lock(state, None), index, unresolved=False)


def _sweep(model: Model, state: State, index: int) -> tuple[State, ...]:
    needed = is_waiting(state) and Rule.LOCK_REMOVED_UNNEEDED in model.rules
    dispatcher = is_there(state, index)
    if state.disk.lock is None or dispatcher.mine is not None or dispatcher.fresh or needed:
        return ()
    if Rule.LOCK_REMOVED_HELD not in model.rules:
        return to(state, index, At.SWEEP_DROP)
    return to(state, index, At.SWEEP_LOCK, lock=state.disk.lock.ident)


def _sweep_lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    answer = try_lock(model, state, is_there(state, index).lock)
    return to(state, index, At.SWEEP_LOOK, locked=True) if answer == "got" else rest(state, index)


def _sweep_look(model: Model, state: State, index: int) -> tuple[State, ...]:
    needed = is_waiting(state) and Rule.LOCK_REMOVED_UNNEEDED in model.rules
    return rest(state, index) if needed else to(state, index, At.SWEEP_DROP)


def _sweep_drop(model: Model, state: State, index: int) -> tuple[State, ...]:
    return rest(set_lock(state, None), index)


def _vouch(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    if dispatcher.serves or dispatcher.fresh:
        return ()
    return (set_dispatcher(state._replace(served=True, copied=False), index, dispatcher._replace(serves=True)),)


SETTLE = Step("sets out to settle", ("open locks/ID.lock",), _set_out)
SWEEP = Step("sets out to remove the lock file", ("open locks/ID.lock",), _sweep)
VOUCH = Step("notes that markers can be trusted in this boot", (), _vouch)
STEPS = {
    At.OPEN: Step("opens the lock file, to settle", ("open locks/ID.lock",), _open),
    At.LOCK: Step("tries the lock, to settle", ("flock locks/ID.lock",), _lock),
    At.HELD: Step("looks who holds the lock", ("open locks/ID.lock",), _held),
    At.ADOPT: Step(
        "adopts the process of the marker, and looks until when it may run",
        ("open running/ID.json", "open locks/ID.lock"),
        _adopt,
    ),
    At.READ: Step("reads the lock file", (), _read),
    At.RESTORE: Step("makes the marker anew", ("open running/ID.json", "write locks/ID.lock"), _restore),
    At.TEST: Step("looks whether the process of the marker is gone, then for its outcome", (), _test),
    At.CHOOSE: Step("reads the document and chooses the rule", ("open running/ID.json",), _choose),
    At.CHOOSE_KNOWN: Step("remembers the document and chooses the rule", (), _choose),
    At.SYNC: Step("writes the record and syncs it", ("open tmp/X", "write tmp/X", "fsync tmp/X"), _sync),
    At.REPLACE: Step("puts the record in the place of the document", ("replace tmp/X -> running/ID.json",), _replace),
    At.SYNC_FOLDER: Step(
        "syncs running/", ("open running", "fsync running", "open running"), _sync_folder, Rule.RECORD_FOLDER_SYNCED
    ),
    **telling.STEPS,
    At.DROP_REQUEST: Step("removes the request to cancel", ("unlink control/cancel-ID",), _drop_request),
    At.MOVE: Step("moves the job to where its verdict says", (RENAME,), _move),
    At.DROP_REASON: Step("removes the reason of an earlier stay", ("unlink failed/ID.reason",), _drop_reason),
    At.LOOK_ROUND: Step("looks whether the id waits or runs", (), _look_round),
    At.DROP_LOCK: Step("removes the lock file", ("unlink locks/ID.lock",), _drop_lock),
    At.SWEEP_LOCK: Step("tries the lock, to remove it", ("flock locks/ID.lock",), _sweep_lock),
    At.SWEEP_LOOK: Step("looks whether the id waits or runs", (), _sweep_look),
    At.SWEEP_DROP: Step("removes the lock file", ("unlink locks/ID.lock",), _sweep_drop),
}
