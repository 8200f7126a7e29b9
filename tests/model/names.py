"""Names that a power cut brings back, and how a dispatcher removes them: `spoolrunner.spool.twofold`; and a copied spool.

Some file systems keep for good that a name came into a folder that was synced, and not that it went out of another one.
"""

from __future__ import annotations

from tests.model.dispatcher import is_there
from tests.model.rules import Rule
from tests.model.state import (
    CLAIM,
    DONE,
    DONE_2,
    FAILED,
    FAILED_2,
    FINAL,
    NOBODY,
    PENDING,
    PENDING_2,
    RUNNING,
    START,
    STRANGER,
    Disk,
    File,
    State,
    bury,
    put,
    set_dispatcher,
    set_lock,
)
from tests.model.steps import Model, Step, fits

TRUTH = (RUNNING, PENDING, PENDING_2, DONE, DONE_2, FAILED, FAILED_2)
"""Of two names of one file the first is kept."""
_COPY = 20
"""The inode numbers of a copy are higher by that."""


def brought_back(disk: Disk) -> list[Disk]:
    """That disk, and what a cut may make of it: one name of a job that has another one comes back."""
    found = [disk._replace(gone=disk.gone and ())]
    for place, file in disk.gone or ():
        is_there = any(other is not None and other.job == file.job for other in disk.places)
        if is_there and disk.places[place] is None:
            found.append(disk._replace(places=(*disk.places[:place], file, *disk.places[place + 1 :]), gone=()))
    return found


def latest(disk: Disk) -> list[File]:
    """The file of each job, or the one with the longest history of two."""
    files = sorted((file for file in disk.places if file is not None), key=lambda file: (len(file.history), file.edits))
    return list({file.job: file for file in files}.values())


def copied(model: Model, state: State) -> State:
    """Nobody serves the copy, all is on the disk, and each file has another inode than before."""
    lock = state.disk.lock
    marker = None if lock is None else lock.marker
    lives_on = model.bounds.originals and marker is not None and marker.process != NOBODY
    for index, running in enumerate(state.runners):
        state = state if running is None else bury(state, index)
    for index in range(len(state.dispatchers)):
        state = set_dispatcher(state, index, None)
    if lives_on and lock is not None and marker is not None:
        state = set_lock(state, lock._replace(marker=marker._replace(process=STRANGER)))
    places = tuple(file and file._replace(inode=file.inode + _COPY) for file in state.disk.places)
    first, second = (story._replace(slipped=False, pardoned=story.slipped or story.pardoned) for story in state.stories)
    return state._replace(
        disk=state.disk._replace(places=places),
        stories=(first, second),
        producer="",
        staged=None,
        leftover=0,
        served=False,
        copied=True,
        copies=state.copies - 1,
    )


def _compare(model: Model, state: State, index: int) -> tuple[State, ...]:
    """Remove a second name, if there is one; else the dispatcher doubts no more."""
    place = _second_name(model, state)
    if place is not None:
        return (put(state, place, None),)
    first, second = (story._replace(twofold=False) for story in state.stories)
    sure = is_there(state, index)._replace(doubts=False)
    return (set_dispatcher(state._replace(stories=(first, second)), index, sure),)


def _second_name(model: Model, state: State) -> int | None:
    """The place of a name that is to go."""
    there = [(place, file) for place in TRUTH if (file := state.disk.places[place]) is not None]
    for at, (place, file) in enumerate(there):
        for other, its in there[at + 1 :]:
            if its.inode == file.inode:
                if (place, other) == (RUNNING, PENDING) and _was_retried(model, state, file):
                    return place
                was_cancelled = place == PENDING and other == FAILED and state.disk.reasons[0] > 0
                return place if was_cancelled else other
            if _has_replaced(model, its, file):
                return place if Rule.LATER_KEPT in model.rules else other
            if _has_replaced(model, file, its):
                return other if Rule.LATER_KEPT in model.rules else place
    return None


def _was_retried(model: Model, state: State, file: File) -> bool:
    """Whether the job is over, and nobody has claimed it since: then it was moved, and retried by hand."""
    marker = None if state.disk.lock is None else state.disk.lock.marker
    is_claimed = any(fits(model, marker, file, kind, wholly=True) for kind in (CLAIM, START))
    return Rule.RETRY_NAMED in model.rules and file.history[-1:] in tuple(FINAL) and not is_claimed


def _has_replaced(model: Model, later: File, earlier: File) -> bool:
    """Whether one is a record of the other: by its own words, which for the model are its job and its history."""
    is_told = later.job == earlier.job or Rule.SECOND_TOLD not in model.rules
    is_given_up = later.history == earlier.history[:-1] + "f" and earlier.history[-1:] == "r"
    is_longer = len(later.history) > len(earlier.history) and later.history.startswith(earlier.history)
    is_edited = later.edits > earlier.edits and later.history.startswith(earlier.history)
    if later.edits != earlier.edits and Rule.EDIT_TOLD not in model.rules:
        return False
    return is_told and (is_longer or is_given_up or is_edited)


COMPARE = Step("compares the names that it finds", ("rename pending/ID.json -> tmp/X", "unlink tmp/X"), _compare)
