"""What a step is, the bounds of a world, and the steps that dispatcher and runner have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tests.model.rules import ALL, Rule
from tests.model.state import (
    CLAIM,
    PENDING,
    RUNNING,
    START,
    TARGETS,
    Dispatcher,
    File,
    LockFile,
    Marker,
    Outcome,
    State,
    decide,
    free_inodes,
    is_locked,
    move,
    put,
    set_lock,
    stamp,
)

RENAME = "rename"
"""The operation of a step that moves a job file; from where to where, its states tell."""


class Act(StrEnum):
    """What people and other programs do, each in one operation."""

    TAKE = "takes the file out of a folder"
    PUT_BACK = "puts the file they took into pending/"
    RETRY = "moves the file back to pending/"
    REMOVE = "removes the file"
    SAVE = "saves the waiting file anew"
    PUT_OFF = "saves the waiting file with a later time"
    CANCEL = "asks for the job to be cancelled"
    SECOND = "publishes another job of this id"
    TOUCH = "touches the file while it runs"


@dataclass(frozen=True)
class Bounds:
    """How much may go wrong in a world.

    `inodes`: how many of the free inode numbers a new file may be given; `reuses`: also when it is another job's. `lingers`: a
    power cut may bring a name back that was moved away. `tells`: the job's policy has on_failure. `originals`: what runs,
    runs on beside a copy. `containers`: how many dispatchers may start in another namespace of pids; `covers`: how often
    something is mounted over the spool.
    """

    dispatcher_kills: int = 0
    runner_kills: int = 0
    acts: int = 0
    allowed: tuple[Act, ...] = ()
    cuts: int = 0
    closes: int = 0
    removes: int = 0
    start_failures: int = 0
    stops: int = 0
    runners: int = 2
    inodes: int = 1
    reuses: bool = True
    fails: bool = True
    forks_below: bool = False
    publishes: bool = False
    lingers: bool = False
    copies: int = 0
    tells: bool = False
    originals: bool = False
    containers: int = 0
    covers: int = 0
    edits: int = 0
    editor_kills: int = 0


class Model(NamedTuple):
    """A world to explore: the rules that are in force in it, and its bounds."""

    rules: frozenset[Rule] = ALL
    bounds: Bounds = Bounds()


class Step(NamedTuple):
    """One step of a process: what it does, in words and as file operations, and the states that it may lead to.

    `syncs`: the rule by which all that was done before is on the disk for good after it.
    """

    says: str
    operations: tuple[str, ...]
    do: Callable[[Model, State, int], tuple[State, ...]]
    syncs: Rule | None = None


class Move(NamedTuple):
    """A transition of the world. A disturbance is one that need not come: a kill, a power cut, an act of people."""

    actor: str
    says: str
    operations: tuple[str, ...]
    state: State
    is_disturbance: bool = False


Moves = Iterator[Move]


def try_lock(model: Model, state: State, ident: int) -> str:
    """What comes of an attempt to lock the file with that ident: `held`, `stale` (it was removed meanwhile) or `got`."""
    if is_locked(state, ident):
        return "held"
    there = state.disk.lock
    if Rule.LOCK_COMPARED in model.rules and (there is None or there.ident != ident):
        return "stale"
    return "got"


def append(model: Model, state: State, ident: int, marker: Marker) -> State:
    """Append to the lock file with that ident; to one that was removed it is as good as not written."""
    lock = state.disk.lock
    if lock is None or lock.ident != ident:
        return state
    return set_lock(state, heeded(model, lock._replace(marker=marker, synced=False), is_behind=False))


def append_outcome(model: Model, state: State, ident: int, outcome: Outcome) -> State:
    """As `append`, with an outcome line."""
    lock = state.disk.lock
    if lock is None or lock.ident != ident:
        return state
    return set_lock(state, heeded(model, lock._replace(outcome=outcome, synced=False)))


def heeded(model: Model, lock: LockFile, *, is_behind: bool = True) -> LockFile:
    """The lock file without an outcome line that nobody heeds: a torn one, or one that is not behind its start marker."""
    outcome, marker = lock.outcome, lock.marker
    if outcome is None:
        return lock
    follows = is_behind and marker is not None and marker.kind == START and marker.attempt == outcome.attempt
    is_void = not follows and Rule.OUTCOME_FOLLOWS in model.rules
    return lock._replace(outcome=None) if is_void or (outcome.torn and Rule.OUTCOME_WHOLE in model.rules) else lock


def came_of(model: Model, outcome: Outcome | None) -> str:
    """What an outcome line that was found says; nothing without one. What a torn one says is anybody's guess."""
    if outcome is None or Rule.OUTCOME_OBEYED not in model.rules:
        return ""
    return "ok" if outcome.torn else outcome.came


def marker_in(state: State, ident: int) -> Marker | None:
    """The last marker of the lock file with that ident."""
    lock = state.disk.lock
    return None if lock is None or lock.ident != ident else lock.marker


def outcome_in(state: State, ident: int) -> Outcome | None:
    """The last outcome line of the lock file with that ident."""
    lock = state.disk.lock
    return None if lock is None or lock.ident != ident else lock.outcome


def is_begun(marker: Marker | None, number: int, file: File) -> bool:
    """Whether it is a start marker of that very attempt of that very file: so a runner looks at it."""
    return marker is not None and marker[:3] == (START, number, stamp(file))


def fits(model: Model, marker: Marker | None, file: File, kind: str, *, wholly: bool, by_inode: bool = True) -> bool:
    """Whether a marker of that kind speaks of the attempt that the file expects next; `wholly`: by size and time, too.

    Unless it is to be `by_inode`, by these alone.
    """
    if marker is None or marker.kind != kind:
        return False
    if not by_inode and Rule.FITS_COPY in model.rules and marker.file is not None:
        file = file._replace(inode=marker.file.inode)
    by_number = Rule.FITS_NUMBER not in model.rules or marker.attempt == len(file.history) + 1
    is_its = Rule.FITS_INODE not in model.rules or (marker.file is not None and marker.file.inode == file.inode)
    by_stamp = not wholly or Rule.FITS_STAMP not in model.rules or marker.file == stamp(file)
    return by_number and is_its and by_stamp


def choose(model: Model, file: File, marker: Marker | None, number: int, *, has_markers: bool, by_inode: bool) -> str:
    """The rule of recovery for a file in running/: `record`, `release`, or the final verdict to obey.

    `number` is that of the attempt which is known to have been started, 0 without one.
    """
    wholly = not has_markers or Rule.FITS_TOUCHED not in model.rules
    if fits(model, marker, file, START, wholly=wholly, by_inode=by_inode) and Rule.START_COUNTS in model.rules:
        return "record"
    if fits(model, marker, file, CLAIM, wholly=wholly, by_inode=by_inode) and Rule.CLAIM_RELEASES in model.rules:
        return "release"
    recorded_here = (
        Rule.FINAL_NEEDS_MARK not in model.rules
        or (Rule.BOOT_COMPARED in model.rules and not has_markers)
        or (marker is not None and marker.kind == START and marker.attempt == len(file.history))
        or number == len(file.history)
    )
    if file.history[-1:] in ("d", "f") and recorded_here and Rule.FINAL_OBEYED in model.rules:
        return file.history[-1]
    return "release"


def staged(model: Model, state: State, file: File, outcome: str) -> list[File]:
    """The document with its record, as it may be written in tmp/; `retry over` makes the last verdict final."""
    history = file.history[:-1] + "f" if outcome == "retry over" else file.history + decide(file.history, outcome)
    return [
        File(file.job, inode, history, dirty=model.bounds.cuts > 0, edits=file.edits)
        for inode in free_inodes(state, model.bounds.inodes)
    ]


def synced(model: Model, file: File | None, rule: Rule) -> File | None:
    """The file after its writer has synced it, if the rule says so."""
    return file if file is None or rule not in model.rules else file._replace(dirty=False)


def commit(model: Model, state: State, process: Dispatcher) -> State:
    """The record takes the place of the document; without the rule it is written into the folder it belongs to."""
    made = process.staged
    assert made is not None, "there is a record to commit"
    if Rule.RECORD_THEN_MOVE in model.rules:
        return put(state, RUNNING, made)
    target = free_target(model, state, made.history[-1])
    return state if target is None else put(state, target, made)


def free_target(model: Model, state: State, verdict: str) -> int | None:
    """Where a file goes that moves on that verdict: under its name, or the next one if that is taken."""
    names = TARGETS[verdict]
    if Rule.MOVES_REFUSE not in model.rules:
        return names[0]
    return next((place for place in names if state.disk.places[place] is None), None)


def rename(model: Model, state: State, source: int, target: int) -> State | None:
    """A move that refuses a taken name; None when it does not come about."""
    places = state.disk.places
    if places[source] is None or (Rule.MOVES_REFUSE in model.rules and places[target] is not None):
        return None
    return move(state, source, target)


def is_waiting(state: State) -> bool:
    """Whether a file of that id waits or runs."""
    return state.disk.places[PENDING] is not None or state.disk.places[RUNNING] is not None


def remembering(before: State, after: State, synced: int | None) -> State:
    """While a power cut may come: with what it can take back, which is nothing when the folder of that place was synced.

    Names that were moved out of other folders may come back even so, where a file system does that.
    """
    if not after.cuts:
        return after
    if synced is not None:
        gone = after.disk.gone and tuple(entry for entry in after.disk.gone if entry[0] != synced)
        return after._replace(past=(), disk=after.disk._replace(gone=gone))
    if after.disk == before.disk or before.disk in before.past:
        return after
    return after._replace(past=(*before.past, before.disk))
