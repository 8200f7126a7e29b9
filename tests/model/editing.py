"""The steps of one who edits a waiting job: `spoolrunner.spool.editing`.

What the exchange has taken out, and is still to be looked at, counts as being in the editor's hand, as a file does that a
person took out of a folder: it is put back. Nobody kills the editor in that very moment when a second job of the id has just
been published: that is the one gap that is left, and a test shows it.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.model.rules import Rule
from tests.model.state import PENDING, PENDING_2, RUNNING, Editor, File, State, free_inodes, open_lock, put, set_story
from tests.model.steps import Model, Move, Moves, Step, synced, try_lock

STAGE, SYNC, LOOK, OPEN, LOCK, CHECK, EXCHANGE = "stage", "sync", "look", "open", "lock", "check", "exchange"
COMPARE, UNDO, UNDO_THERE, UNDO_RUNNING = "compare", "undo", "undo in pending/", "undo in running/"
KEEP, SYNC_PENDING, DROP = "keep", "sync pending/", "drop"
JUDGING = (COMPARE, UNDO, UNDO_THERE, UNDO_RUNNING)
"""The steps at which what the exchange has taken out is still to be looked at, or put back."""


class _Where(NamedTuple):
    """The place of the editor's own file, and the next step there."""

    place: int
    step: str


def _is(state: State) -> Editor:
    assert state.editor is not None, "a step is made by an editor who is there"
    return state.editor


def _to(state: State, at: str, **changes: object) -> tuple[State, ...]:
    return (state._replace(editor=_is(state)._replace(at=at, **changes)),)


def begun(model: Model, state: State) -> Moves:
    """Somebody reads a waiting file to edit it."""
    file = state.disk.places[PENDING]
    if state.edits and state.editor is None and file is not None:
        editor = Editor(STAGE, file, file)
        yield Move(
            "editor", "reads the job", (), state._replace(editor=editor, edits=state.edits - 1), is_disturbance=True
        )


def dies(state: State) -> Moves:
    """The editor is killed: its lock is free, and what lies in tmp/ stays there."""
    if state.editor_kills and state.editor is not None:
        left = state._replace(editor=None, editor_kills=state.editor_kills - 1)
        yield Move("editor", "is killed", (), left, is_disturbance=True)


def _stage(model: Model, state: State, index: int) -> tuple[State, ...]:
    known = _is(state).known
    made = [
        known._replace(inode=inode, edits=known.edits + 1, dirty=model.bounds.cuts > 0)
        for inode in free_inodes(state, model.bounds.inodes)
    ]
    return tuple(after for file in made for after in _to(state, SYNC, staged=file, ours=file))


def _sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    whole = synced(model, _is(state).staged, Rule.EDIT_SYNCED)
    after = LOOK if Rule.EDIT_LOCKED in model.rules else CHECK
    return _to(state, after, staged=whole, ours=whole)


def _look(model: Model, state: State, index: int) -> tuple[State, ...]:
    return _to(state, DROP if state.disk.places[RUNNING] is not None else OPEN)


def _open(model: Model, state: State, index: int) -> tuple[State, ...]:
    state, ident = open_lock(state)
    return _to(state, LOCK, lock=ident)


def _lock(model: Model, state: State, index: int) -> tuple[State, ...]:
    answer = try_lock(model, state, _is(state).lock)
    if answer == "held":
        return _to(state, DROP)
    return _to(state, OPEN, lock=0) if answer == "stale" else _to(state, CHECK, locked=True)


def _check(model: Model, state: State, index: int) -> tuple[State, ...]:
    is_alone = state.disk.places[RUNNING] is None or Rule.EDIT_LOCKED not in model.rules
    is_there = state.disk.places[PENDING] == _is(state).known
    return _to(state, EXCHANGE) if is_alone and is_there else _given_up(state)


def _given_up(state: State) -> tuple[State, ...]:
    """The lock is given up, and its file goes when the id neither waits nor runs."""
    lock = state.disk.lock
    is_needed = state.disk.places[PENDING] is not None or state.disk.places[RUNNING] is not None
    if lock is not None and _is(state).locked and lock.ident == _is(state).lock and not is_needed:
        state = state._replace(disk=state.disk._replace(lock=None))
    return _to(state, DROP, locked=False, lock=0)


def _exchange(model: Model, state: State, index: int) -> tuple[State, ...]:
    there, editor = state.disk.places[PENDING], _is(state)
    if Rule.EDIT_EXCHANGES not in model.rules:  # a mere rename, which puts the file there whatever was there
        return _to(put(state, PENDING, editor.staged), KEEP, staged=None)
    if there is None:
        return _given_up(state)
    exchanged = put(state, PENDING, editor.staged)
    if exchanged.disk.gone is not None:
        gone = tuple(sorted({*exchanged.disk.gone, (PENDING, there)}))
        exchanged = exchanged._replace(disk=exchanged.disk._replace(gone=gone))
    return _to(exchanged, COMPARE if Rule.EDIT_COMPARED in model.rules else KEEP, staged=there)


def _compare(model: Model, state: State, index: int) -> tuple[State, ...]:
    editor = _is(state)
    return _to(state, KEEP if editor.staged == editor.known else UNDO)


def _undo(model: Model, state: State, index: int) -> tuple[State, ...]:
    """Where is ours now? What was taken out takes its place; or gets a free name, when ours is in neither folder."""
    for place, step in (_Where(PENDING, UNDO_THERE), _Where(RUNNING, UNDO_RUNNING)):
        if state.disk.places[place] == _is(state).ours:
            return _to(state, step)
    return _named(state)


def _undo_there(model: Model, state: State, index: int) -> tuple[State, ...]:
    there, editor = state.disk.places[PENDING], _is(state)
    if there is None:
        return _to(state, UNDO)
    return _swapped(state, PENDING, there, editor)


def _undo_running(model: Model, state: State, index: int) -> tuple[State, ...]:
    there, editor = state.disk.places[RUNNING], _is(state)
    if there is None:
        return _named(state)
    return _swapped(state, RUNNING, there, editor)


def _swapped(state: State, place: int, there: File, editor: Editor) -> tuple[State, ...]:
    swapped = put(state, place, editor.staged)
    if there == editor.ours:
        return _given_up(swapped._replace(editor=editor._replace(staged=there)))
    return _to(swapped, UNDO, staged=there)


def _named(state: State) -> tuple[State, ...]:
    """A free name in pending/; what is the same job goes, since a person has it, or has removed it."""
    editor = _is(state)
    if editor.staged is not None and editor.staged.job == editor.known.job:
        return _given_up(state)
    free = next((place for place in (PENDING, PENDING_2) if state.disk.places[place] is None), None)
    assert free is not None, "a third name is not modelled"
    return _given_up(put(state, free, _is(state).staged))


def _keep(model: Model, state: State, index: int) -> tuple[State, ...]:
    """It is done: the lock is given up, then pending/ is synced."""
    (after,) = _given_up(state)
    return _to(after, SYNC_PENDING)


def _sync_pending(model: Model, state: State, index: int) -> tuple[State, ...]:
    file = _is(state).known
    story = state.stories[file.job]
    return _to(set_story(state, file.job, story._replace(edited=file.edits + 1)), DROP)


def _drop(model: Model, state: State, index: int) -> tuple[State, ...]:
    return (state._replace(editor=None),)


STEPS = {
    STAGE: Step("writes it anew in tmp/", ("open tmp/X", "write tmp/X"), _stage),
    SYNC: Step("syncs that", ("fsync tmp/X",), _sync),
    LOOK: Step("looks whether a file of that id is in running/", (), _look),
    OPEN: Step("opens the lock file", ("open locks/ID.lock",), _open),
    LOCK: Step("tries the lock", ("flock locks/ID.lock",), _lock),
    CHECK: Step("looks whether the file is still the one that was read", (), _check),
    EXCHANGE: Step("exchanges the two", ("exchange tmp/X -> pending/ID.json",), _exchange),
    COMPARE: Step("compares what it has taken out with what it read", (), _compare),
    UNDO: Step("looks where its own file is", (), _undo),
    UNDO_THERE: Step("exchanges them back", ("exchange tmp/X -> pending/ID.json",), _undo_there),
    UNDO_RUNNING: Step("puts that in the place of its own", ("exchange tmp/X -> running/ID.json",), _undo_running),
    KEEP: Step("gives the lock up", (), _keep),
    SYNC_PENDING: Step(
        "syncs pending/, and says that it is done",
        ("open pending", "fsync pending", "open pending"),
        _sync_pending,
        Rule.EDIT_FOLDER_SYNCED,
    ),
    DROP: Step("removes what is left in tmp/", ("unlink tmp/X",), _drop),
}
