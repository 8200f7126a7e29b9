"""What comes from outside: a producer, people at their shells, kills, and the power cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from tests.model.rules import Promise, Rule
from tests.model.state import (
    CLAIM,
    DONE,
    EITHER,
    FAILED,
    FINAL,
    HAND,
    NOBODY,
    PENDING,
    RUNNING,
    Disk,
    File,
    LockFile,
    Marker,
    State,
    bury,
    finals,
    free_inodes,
    move,
    put,
    set_dispatcher,
    set_story,
)
from tests.model.steps import Act, Model, Move, Moves, Step, remembering, synced

# -- the producer


def _stage(model: Model, state: State, index: int) -> tuple[State, ...]:
    dirty = model.bounds.cuts > 0
    return tuple(
        state._replace(producer="sync", staged=File(0, inode, dirty=dirty))
        for inode in free_inodes(state, model.bounds.inodes)
    )


def _sync(model: Model, state: State, index: int) -> tuple[State, ...]:
    return (state._replace(producer="rename", staged=synced(model, state.staged, Rule.PUBLISH_SYNCED)),)


def _rename(model: Model, state: State, index: int) -> tuple[State, ...]:
    if state.disk.places[PENDING] is not None and Rule.PUBLISH_REFUSES in model.rules:
        return (state._replace(producer="", staged=None),)
    return (put(state, PENDING, state.staged)._replace(producer="sync pending/", staged=None),)


def _sync_pending(model: Model, state: State, index: int) -> tuple[State, ...]:
    return (set_story(state, 0, state.stories[0]._replace(promised=True))._replace(producer=""),)


PRODUCER = {
    "stage": Step("writes the job in tmp/", ("open tmp/X", "write tmp/X"), _stage),
    "sync": Step("syncs it", ("fsync tmp/X",), _sync),
    "rename": Step("renames it into pending/", ("rename tmp/X -> pending/ID.json",), _rename),
    "sync pending/": Step(
        "syncs pending/, and promises the job",
        ("open pending", "fsync pending", "open pending"),
        _sync_pending,
        Rule.PUBLISH_FOLDER_SYNCED,
    ),
}

# -- people


def _take(model: Model, state: State) -> tuple[State, ...]:
    if state.disk.places[HAND] is not None:
        return ()
    return tuple(move(state, place, HAND) for place in (PENDING, DONE, FAILED) if state.disk.places[place] is not None)


def _put_back(model: Model, state: State) -> tuple[State, ...]:
    return _into_pending(state, HAND)


def _retry(model: Model, state: State) -> tuple[State, ...]:
    return (*_into_pending(state, DONE), *_into_pending(state, FAILED))


def _into_pending(state: State, source: int) -> tuple[State, ...]:
    """`mv -n`: what lies in pending/ after it with a final verdict is to be run again."""
    file = state.disk.places[source]
    if file is None or state.disk.places[PENDING] is not None:
        return ()
    story = state.stories[file.job]
    if source == FAILED and file.history and file.history[-1] not in FINAL:
        return (state._replace(fault=Promise.FRESH_BUDGET),)
    return (set_story(move(state, source, PENDING), file.job, story._replace(asked=finals(file.history))),)


def _remove(model: Model, state: State) -> tuple[State, ...]:
    found = []
    for place in (PENDING, DONE, FAILED):
        file = state.disk.places[place]
        if file is not None:
            story = state.stories[file.job]._replace(promised=False, wished=False)
            found.append(set_story(put(state, place, None), file.job, story))
    return tuple(found)


def _save(model: Model, state: State) -> tuple[State, ...]:
    file = state.disk.places[PENDING]
    if file is None:
        return ()
    inodes = free_inodes(state, model.bounds.inodes)
    return tuple(put(state, PENDING, file._replace(inode=inode)) for inode in inodes)


def _put_off(model: Model, state: State) -> tuple[State, ...]:
    file = state.disk.places[PENDING]
    if file is None or file.later:
        return ()
    return _save(model, put(state, PENDING, file._replace(later=True)))


def _cancel(model: Model, state: State) -> tuple[State, ...]:
    waits, runs = state.disk.places[PENDING], state.disk.places[RUNNING]
    file = waits if runs is None else runs
    if file is None or state.disk.cancel != NOBODY:
        return ()
    # Of two jobs that bear the id it may mean either; for one that has its final record it comes too late.
    is_late = (waits is not None and runs is not None) or (
        file is runs and finals(file.history) > state.stories[file.job].asked
    )
    first, second = (min(age, 1) for age in state.disk.reasons)
    meant = EITHER if is_late else file.job
    asked = state._replace(disk=state.disk._replace(cancel=meant, reasons=(first, second)))
    waiting = file is waits and runs is None
    return (set_story(asked, file.job, asked.stories[file.job]._replace(wished=True)) if waiting else asked,)


def _second(model: Model, state: State) -> tuple[State, ...]:
    story, there = state.stories[1], any(file is not None and file.job == 1 for file in state.disk.places)
    is_refused = Rule.PUBLISH_REFUSES in model.rules and state.disk.places[PENDING] is not None
    if story.promised or there or story.effects or is_refused:
        return ()
    state = set_story(state, 1, story._replace(promised=True))
    inodes = free_inodes(state, model.bounds.inodes, lowest=1 if model.bounds.reuses else 6)
    return tuple(put(state, PENDING, File(1, inode)) for inode in inodes)


ACTS: dict[Act, Callable[[Model, State], tuple[State, ...]]] = {
    Act.TAKE: _take,
    Act.PUT_BACK: _put_back,
    Act.RETRY: _retry,
    Act.REMOVE: _remove,
    Act.SAVE: _save,
    Act.PUT_OFF: _put_off,
    Act.CANCEL: _cancel,
    Act.SECOND: _second,
}


def disturbances(model: Model, state: State) -> Moves:
    """Every kill, cut and act that the bounds still allow."""
    if state.acts:
        rested = state._replace(acts=state.acts - 1)
        for act in model.bounds.allowed:
            for after in ACTS[act](model, rested):
                kept = remembering(state, after, is_synced=act is Act.SECOND)
                yield Move("a person", act, (), kept, is_disturbance=True)
    if state.dispatcher_kills:
        for index, dispatcher in enumerate(state.dispatchers):
            if dispatcher is not None:
                left = state._replace(dispatcher_kills=state.dispatcher_kills - 1)
                yield Move(
                    f"dispatcher {index}", "is killed", (), set_dispatcher(left, index, None), is_disturbance=True
                )
    if state.runner_kills:
        for index, runner in enumerate(state.runners):
            if runner is not None:
                left = state._replace(runner_kills=state.runner_kills - 1)
                yield Move(f"runner {index}", "is killed", (), bury(left, index), is_disturbance=True)
    if state.cuts:
        for after in _cut(state):
            yield Move("the machine", "loses its power", (), after, is_disturbance=True)


# -- the power cut


def _cut(state: State) -> list[State]:
    """All processes die, and what was done since the last sync is undone, from any moment on.

    A marker may be lost, or be there, whatever was done after it; a file that was not synced may be torn.
    """
    disks = (*state.past, state.disk)
    found: dict[State, None] = {}  # in an order that is the same in every run
    for at, disk in enumerate(disks):
        for lock in _contents(disks, at):
            for torn in (False, True):
                places = tuple(file and file._replace(dirty=False, torn=torn and file.dirty) for file in disk.places)
                found[_after_cut(state, disk._replace(places=places, lock=lock))] = None
    return list(found)


def _contents(disks: tuple[Disk, ...], at: int) -> list[LockFile | None]:
    """What the lock file of that moment may hold: whatever it held before or after, since its lines are not synced."""
    lock = disks[at].lock
    if lock is None:
        return [None]
    markers: list[Marker | None] = [None]
    for others in (disks[at::-1], disks[at:]):
        for disk in takewhile(lambda one: one.lock is not None and one.lock.ident == lock.ident, others):
            markers += [disk.lock.marker] if disk.lock is not None else []
    kept = [marker and marker._replace(process=NOBODY) for marker in markers]
    return [lock._replace(marker=marker) for marker in dict.fromkeys(kept)]


def _after_cut(state: State, disk: Disk) -> State:
    stories = list(state.stories)
    for file in disk.places:
        if file is not None:
            story = stories[file.job]
            known = max(len(file.history), story.recorded)
            is_retry = disk.places[RUNNING] is file and 0 < finals(file.history) <= story.asked
            marker = None if disk.lock is None else disk.lock.marker
            is_marked = marker == Marker(CLAIM, len(file.history) + 1, file.inode)
            stories[file.job] = story._replace(
                excused=max(story.excused, story.effects - known),
                wished=story.wished and disk.cancel != NOBODY,
                pardoned=is_retry and file.history[-1] in FINAL and not is_marked,
            )
    return State(
        disk,
        (stories[0], stories[1]),
        (None,) * len(state.dispatchers),
        (None,) * len(state.runners),
        served=False,
        dispatcher_kills=state.dispatcher_kills,
        runner_kills=state.runner_kills,
        acts=state.acts,
        cuts=state.cuts - 1,
        closes=state.closes,
        start_failures=state.start_failures,
    )
