"""What comes from outside: a producer, people at their shells, kills, and the power cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from tests.model import editing, names, telling
from tests.model.rules import Promise, Rule
from tests.model.runner import STARTED, killed
from tests.model.state import (
    CAME,
    COMING,
    DONE,
    EITHER,
    EITHER_CAME,
    FAILED,
    FINAL,
    HAND,
    NOBODY,
    PENDING,
    RUNNING,
    STOPPED,
    Disk,
    File,
    LockFile,
    State,
    finals,
    free_inodes,
    move,
    put,
    retried,
    set_dispatcher,
    set_story,
)
from tests.model.steps import Act, Model, Move, Moves, Step, heeded, remembering, synced

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
    asked = finals(file.history)
    return (set_story(retried(move(state, source, PENDING), file.job, asked), file.job, story._replace(asked=asked)),)


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
        file is runs and finals(file.history) > state.disk.retried[file.job]
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


def _touch(model: Model, state: State) -> tuple[State, ...]:
    file = state.disk.places[RUNNING]
    return () if file is None or file.touched else (put(state, RUNNING, file._replace(touched=True)),)


ACTS: dict[Act, Callable[[Model, State], tuple[State, ...]]] = {
    Act.TAKE: _take,
    Act.PUT_BACK: _put_back,
    Act.RETRY: _retry,
    Act.REMOVE: _remove,
    Act.SAVE: _save,
    Act.PUT_OFF: _put_off,
    Act.CANCEL: _cancel,
    Act.SECOND: _second,
    Act.TOUCH: _touch,
}


def disturbances(model: Model, state: State) -> Moves:
    """Every kill, cut and act that the bounds still allow."""
    if state.acts:
        rested = state._replace(acts=state.acts - 1)
        for act in model.bounds.allowed:
            for after in ACTS[act](model, rested):
                kept = remembering(state, after, PENDING if act is Act.SECOND else None)
                yield Move("a person", act, (), kept, is_disturbance=True)
    if state.dispatcher_kills:
        for index, dispatcher in enumerate(state.dispatchers):
            if dispatcher is not None:
                left = _forgotten_stop(state)._replace(dispatcher_kills=state.dispatcher_kills - 1)
                yield Move(
                    f"dispatcher {index}", "is killed", (), set_dispatcher(left, index, None), is_disturbance=True
                )
    yield from _deaths_of_runners(model, state)
    yield from editing.begun(model, state)
    yield from editing.dies(state)
    yield from _stops(model, state)
    if state.cuts:
        for after in _cut(model, state):
            yield Move("the machine", "loses its power", (), after, is_disturbance=True)
    if state.copies:
        says = "copies the spool" if model.bounds.originals else "stops everything and copies the spool"
        yield Move("a person", says, (), names.copied(model, state), is_disturbance=True)
    if state.covers and _may_be_covered(state):
        covered = state._replace(disk=Disk(), covered=state.disk, covers=state.covers - 1)
        yield Move("a person", "mounts something over the spool", (), covered, is_disturbance=True)


def uncovered(state: State) -> Moves:
    """What covers the spool is taken away again, sooner or later."""
    if state.covered is not None and _nobody_is_at_work(state):
        yield Move("a person", "unmounts that", (), state._replace(disk=state.covered, covered=None))


def _may_be_covered(state: State) -> bool:
    """Whether the model lets it happen now: beneath a dispatcher, between two of its steps, settled or not what ended."""
    is_quiet = not any(state.runners) and not state.producer and _nobody_is_at_work(state)
    return state.covered is None and any(state.dispatchers) and is_quiet


def _nobody_is_at_work(state: State) -> bool:
    return all(dispatcher is None or dispatcher.at is None for dispatcher in state.dispatchers)


def _deaths_of_runners(model: Model, state: State) -> Moves:
    left = state._replace(runner_kills=state.runner_kills - 1)
    for index, runner in enumerate(state.runners if state.runner_kills else ()):
        for after in killed(model, left, index) if runner is not None else ():
            yield Move(f"runner {index}", "is killed", (), after, is_disturbance=True)


# -- the stop of all processes, by a signal to each


def _stops(model: Model, state: State) -> Moves:
    """The signal comes: to a job's process first, or to the dispatcher."""
    if not state.stops or state.stop or not any(state.dispatchers):
        return
    left = state._replace(stops=state.stops - 1)
    for index in range(len(state.runners)):
        for after in _ended_by_stop(model, left, index):
            yield Move(f"runner {index}", "is ended by a stop", (), after._replace(stop=COMING), is_disturbance=True)
    yield Move("the dispatcher", "is told to stop", (), left._replace(stop=CAME), is_disturbance=True)


def spread_of_stop(model: Model, state: State) -> Moves:
    """The signal comes to the others, too, and the dispatcher ends when nothing is left for it to settle."""
    for index in range(len(state.runners)):
        for after in _ended_by_stop(model, state, index):
            yield Move(f"runner {index}", "is ended by a stop", (), after)
    if state.stop == COMING:
        yield Move("the dispatcher", "is told to stop", (), state._replace(stop=CAME))
        return
    for index, dispatcher in enumerate(state.dispatchers):
        if dispatcher is not None and dispatcher.at is None and dispatcher.mine is None:
            yield Move(f"dispatcher {index}", "ends", (), set_dispatcher(_forgotten_stop(state), index, None))


def _ended_by_stop(model: Model, state: State, index: int) -> tuple[State, ...]:
    """The runner is ended by the signal of a stop; nothing when there is none, or nobody watches it."""
    runner = state.runners[index]
    watching = [
        which
        for which, one in enumerate(state.dispatchers)
        if one is not None and one.mine is not None and one.mine.process == index
    ]
    if runner is None or not watching:
        return ()
    found = []
    for dead in killed(model, state, index):
        seen = dead
        for which in watching:
            dispatcher = dead.dispatchers[which]
            if dispatcher is not None and dispatcher.mine is not None:
                mine = dispatcher.mine._replace(signalled=True)
                seen = set_dispatcher(seen, which, dispatcher._replace(mine=mine))
        story = dead.stories[runner.file.job]
        is_owed = runner.at in STARTED and not story.left
        found.append(set_story(seen, runner.file.job, story._replace(left=STOPPED)) if is_owed else seen)
    return tuple(found)


def _forgotten_stop(state: State) -> State:
    """The dispatcher is gone: its successor cannot know that there was a stop."""
    stories = [one._replace(left="") if one.left == STOPPED else one for one in state.stories]
    return state._replace(stop="", stories=(stories[0], stories[1]))


# -- the power cut


def _cut(model: Model, state: State) -> list[State]:
    """All processes die, and what was done since the last sync is undone, from any moment on.

    A line of the lock file may be lost, torn or be there, whatever was done after it; a file that was not synced may be
    torn.
    """
    disks = (*state.past, state.disk)
    found: dict[State, None] = {}  # in an order that is the same in every run
    for at, disk in enumerate(disks):
        for lock in _contents(model, disks, at, lasts=state.cuts > 1):
            for torn in (False, True):
                for whole in names.brought_back(disk):
                    places = tuple(
                        file and file._replace(dirty=False, torn=torn and file.dirty) for file in whole.places
                    )
                    notices = telling.torn(whole.notices, tears=torn)
                    found[_after_cut(model, state, whole._replace(places=places, lock=lock, notices=notices))] = None
    return list(found)


def _contents(model: Model, disks: tuple[Disk, ...], at: int, *, lasts: bool) -> list[LockFile | None]:
    """What the lock file of that moment may hold: whatever it held before or after, down to the last sync of its lines.

    Each line is lost or kept for itself: an outcome may be there behind an earlier marker than its own. What is found after
    the cut `lasts` for the next one, if there may be one.
    """
    lock = disks[at].lock
    if lock is None:
        return [None]
    before, after = (
        [disk.lock for disk in takewhile(lambda one: one.lock is not None and one.lock.ident == lock.ident, others)]
        for others in (disks[at::-1], disks[at + 1 :])
    )
    held = [one for one in (*before[::-1], *after) if one is not None]
    is_kept = any(one is not None and one.synced for one in before)
    found: dict[LockFile, None] = {} if is_kept else {LockFile(lock.ident, synced=lasts): None}
    for number, earlier in enumerate(held):
        marker = earlier.marker and earlier.marker._replace(process=NOBODY)
        outcomes = dict.fromkeys(later.outcome for later in held[number:])
        if not earlier.synced:
            outcomes |= {None: None} | {one._replace(torn=True): None for one in outcomes if one is not None}
        for outcome in outcomes:
            found[heeded(model, LockFile(lock.ident, marker, outcome, synced=lasts))] = None
    return list(found)


def _after_cut(model: Model, state: State, disk: Disk) -> State:
    stories = list(state.stories)
    for file in names.latest(disk):
        if file is not None:
            story = stories[file.job]
            known = max(len(file.history), story.recorded)
            may_have_left = story.left != "" or story.begun > len(file.history)
            stories[file.job] = story._replace(
                excused=max(story.excused, story.effects - known),
                wished=story.wished and disk.cancel != NOBODY,
                slipped=story.slipped and state.cuts > 1,
                pardoned=story.slipped and disk.places[RUNNING] is file,
                twofold=sum(other is not None and other.job == file.job for other in disk.places) > 1,
                left=story.left if story.lasting or not may_have_left else EITHER_CAME,
            )
    return State(
        disk,
        (stories[0], stories[1]),
        (None,) * len(state.dispatchers),
        (None,) * len(state.runners),
        served=state.served and Rule.MOUNT_COMPARED not in model.rules,
        dispatcher_kills=state.dispatcher_kills,
        runner_kills=state.runner_kills,
        acts=state.acts,
        cuts=state.cuts - 1,
        closes=state.closes,
        removes=state.removes,
        start_failures=state.start_failures,
        stops=state.stops,
        copies=state.copies,
        copied=state.copied,
        containers=state.containers,
        covers=state.covers,
    )
