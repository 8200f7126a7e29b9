"""The protocol of schedules as a model: which slots are published, which are skipped, and what the note says of them.

One schedule with three slots, which are due when the clock reaches 1, 2 and 3. A dispatcher publishes a slot's job, then
notes the slot; it may die between any two steps, the power may fail, the clock may be set, a job may be run and pruned, the
schedule may be taken out of config.json and come back. The code is `spoolrunner.dispatch.recurring`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

SLOTS = (1, 2, 3)
NOWHERE, PENDING, OVER, PRUNED = "", "pending", "over", "pruned"
"""Where the job of a slot lies. `over` is running/, done/ and failed/ alike."""


class Rule(Enum):
    """What the dispatcher keeps to; without any one of them a promise is broken."""

    NOTE_LAST = "a slot is noted after its job was published, never before"
    FOUND_EVERYWHERE = "a slot whose job lies in any of the four folders is noted, and neither published nor skipped"
    NOTED_BEFORE_START = "the job of a slot that is not noted is not started"
    BEGUN_WITH_NEXT = (
        "a dispatcher that begins notes the next slot if its job is there, even where a clock was set back"
    )
    SKIPS_NOTED_FIRST = "slots that are skipped are noted before the job of a later one is published"
    SKIP_LOGGED_FIRST = "a skip is logged before it is noted"
    NEVER_BACK = "a slot that is not after the noted one never comes again, however the clock is set"
    BEGINNING_NOTED = "a schedule that is new is noted at once, before its first slot"
    FORGOTTEN_WITH_CONFIG = "the note of a schedule that config.json has no more is removed before anything starts"
    PUBLISH_SYNCED = "the job is synced before its slot is noted"
    NOTE_SYNCED = "the note is synced before the job is started"


class Promise:
    """What is never broken."""

    NEVER_TWICE = "no slot is published whose job was run before, or lies in a folder"
    NEVER_LOST = "each slot that is behind the note was published, or its skip was logged"
    NOT_BOTH = "no slot whose job was run, or lies in a folder, is noted as skipped"


ALL = frozenset(Rule)


class Bounds(NamedTuple):
    """How much may go wrong."""

    kills: int = 0
    cuts: int = 0
    clock_sets: int = 0
    refusals: int = 0
    """How often the note cannot be written, because of that file alone."""
    by_hand: int = 0
    reconfigured: int = 0


class Dispatcher(NamedTuple):
    """A dispatcher: the slot until which all is accounted for in its memory, and what it does next."""

    until: int | None
    at: str = ""
    slot: int = 0
    is_fresh: bool = True
    """Whether it has not yet looked at the schedule since it started."""


class State(NamedTuple):
    """The disk, the clock, and what has happened."""

    clock: int
    left: Bounds
    places: tuple[str, ...] = (NOWHERE,) * len(SLOTS)
    made: frozenset[int] = frozenset()
    """The slots whose job was published."""
    ran: frozenset[int] = frozenset()
    fault: str = ""
    note: int | None = None
    dispatcher: Dispatcher | None = None
    is_configured: bool = True
    unsynced_job: int = 0
    """The slot whose job a power cut may take."""
    note_before: tuple[int | None, ...] = ()
    """The note that a power cut may bring back."""
    owed: frozenset[int] = frozenset()
    """The slots that are to be accounted for: those after the schedule was seen for the first time."""
    logged: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()
    """The slots that were skipped, in the note."""


class Move(NamedTuple):
    """One step: who does what, the file operations of it, and what is there afterwards."""

    actor: str
    says: str
    operations: tuple[str, ...]
    state: State


_STAGED = ("open tmp/X", "write tmp/X", "fsync tmp/X")
PUBLISHES = (*_STAGED, "rename tmp/X -> pending/ID.json", "open pending", "fsync pending", "open pending")
NOTES = (*_STAGED, "replace tmp/X -> schedules/NAME.json", "open schedules", "fsync schedules", "open schedules")


def moves(rules: frozenset[Rule], state: State) -> Iterator[Move]:
    """Everything that can happen next."""
    yield from _people(state)
    if state.dispatcher is None:
        fresh = state._replace(dispatcher=Dispatcher(state.note))
        yield Move("dispatcher", "starts", (), fresh)
        return
    yield from _deaths(state)
    if state.dispatcher.at:
        yield from _STEPS[state.dispatcher.at](rules, state, state.dispatcher)
    else:
        yield from _look(rules, state, state.dispatcher)
        yield from _start(rules, state, state.dispatcher)


def _people(state: State) -> Iterator[Move]:
    left = state.left
    if state.clock < len(SLOTS):
        yield Move("time", "passes", (), state._replace(clock=state.clock + 1))
    if left.clock_sets:
        spent = left._replace(clock_sets=left.clock_sets - 1)
        for to in range(len(SLOTS) + 1):
            if to != state.clock:
                yield Move("a person", f"sets the clock to {to}", (), state._replace(clock=to, left=spent))
    for slot in SLOTS:
        if state.places[slot - 1] == OVER:
            yield Move("a person", f"prunes slot {slot}", (), _placed(state, slot, PRUNED))
        if state.places[slot - 1] == PENDING and left.by_hand and state.dispatcher is None:
            spent = left._replace(by_hand=left.by_hand - 1)
            yield Move("a person", f"moves slot {slot} to failed/", (), _placed(state, slot, OVER)._replace(left=spent))
    if left.reconfigured and state.dispatcher is None:
        spent = left._replace(reconfigured=left.reconfigured - 1)
        other = not state.is_configured
        yield Move("a person", "edits config.json", (), state._replace(is_configured=other, left=spent))


def _deaths(state: State) -> Iterator[Move]:
    left, dead = state.left, state._replace(dispatcher=None)
    if left.kills:
        yield Move("dispatcher", "is killed", (), dead._replace(left=left._replace(kills=left.kills - 1)))
    if left.cuts:
        cut = dead._replace(left=left._replace(cuts=left.cuts - 1), unsynced_job=0, note_before=())
        jobs = [cut]
        if state.unsynced_job:
            slot = state.unsynced_job
            jobs.append(_placed(cut, slot, NOWHERE)._replace(made=state.made - {slot}))
        for one in jobs:
            for note in {state.note, *state.note_before}:
                yield Move("the power", "fails", (), one._replace(note=note))


def _look(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    """The dispatcher looks at the schedule, and sets out to account for what is due."""
    if not state.is_configured:
        if dispatcher.is_fresh:
            yield from _forget(rules, state, dispatcher)
        return
    until, clock = dispatcher.until, state.clock
    if until is None:
        if Rule.BEGINNING_NOTED in rules:
            yield _to(state, dispatcher, "note", clock, says="sees a new schedule")
        else:
            begun = dispatcher._replace(until=clock, is_fresh=False)
            yield _to(_owing(state, clock), begun, "", says="sees a new schedule")
        return
    due = [slot for slot in SLOTS if until < slot <= clock]
    if Rule.NEVER_BACK not in rules:
        due = [slot for slot in SLOTS if min(until, clock - 1) < slot <= clock]
    if not due:
        if dispatcher.is_fresh and until + 1 in SLOTS and _is_next_there(rules, state, until + 1):
            yield _to(state, dispatcher, "note", until + 1, says=f"finds the job of slot {until + 1}, which is not due")
        elif dispatcher.is_fresh:
            yield _to(state, dispatcher._replace(is_fresh=False), "", says="has nothing to do")
        return
    first, last = due[0], due[-1]
    if _is_found(rules, state, first):
        yield _to(state, dispatcher, "note", first, says=f"finds the job of slot {first}")
    elif last > first:
        at = "skip" if Rule.SKIPS_NOTED_FIRST in rules else "log earlier"
        yield _to(state, dispatcher, at, last - 1, says=f"will skip the slots before {last}")
    else:
        yield _to(state, dispatcher, "skip", last, says=f"finds a reason to skip slot {last}")
        yield _to(state, dispatcher, _first_of_run(rules), last, says=f"will run slot {last}")


def _is_found(rules: frozenset[Rule], state: State, slot: int) -> bool:
    there = (PENDING, OVER) if Rule.FOUND_EVERYWHERE in rules else ()
    return state.places[slot - 1] in there


def _is_next_there(rules: frozenset[Rule], state: State, slot: int) -> bool:
    return Rule.BEGUN_WITH_NEXT in rules and state.places[slot - 1] in (PENDING, OVER)


def _first_of_run(rules: frozenset[Rule]) -> str:
    return "publish" if Rule.NOTE_LAST in rules else "note, then publish"


def _skip(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    if Rule.SKIP_LOGGED_FIRST in rules:
        logged = state.logged | set(_behind(dispatcher, dispatcher.slot))
        yield _to(state._replace(logged=logged), dispatcher, "note skip", dispatcher.slot, says="logs the skip")
    else:
        yield from _note_skip(rules, state, dispatcher)


def _note_skip(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    skipped = state.skipped | set(_behind(dispatcher, dispatcher.slot))
    at = "" if Rule.SKIP_LOGGED_FIRST in rules else "log late"
    noted = _noted(rules, state, dispatcher.slot)._replace(skipped=skipped)
    after = dispatcher._replace(until=dispatcher.slot, is_fresh=False)
    yield _to(noted, after, at, dispatcher.slot, NOTES, says=f"notes the skip up to slot {dispatcher.slot}")


def _log_late(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    yield _to(state._replace(logged=state.logged | state.skipped), dispatcher, "", says="logs the skip")


def _log_earlier(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    logged = state.logged | set(_behind(dispatcher, dispatcher.slot))
    state = state._replace(logged=logged)
    yield _to(state, dispatcher, _first_of_run(rules), dispatcher.slot + 1, says="logs the skip")


def _publish(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    slot = dispatcher.slot
    after = "note" if Rule.NOTE_LAST in rules else ""
    if state.places[slot - 1] == PENDING:
        yield _to(state, dispatcher, after, slot, says=f"finds the name of slot {slot} taken")
        return
    fault = Promise.NEVER_TWICE if slot in state.ran or state.places[slot - 1] == OVER else ""
    state = _placed(state, slot, PENDING)._replace(made=state.made | {slot}, fault=fault)
    if Rule.PUBLISH_SYNCED not in rules:
        state = state._replace(unsynced_job=slot)
    yield _to(state, dispatcher, after, slot, PUBLISHES, says=f"publishes slot {slot}")


def _note(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    after = dispatcher._replace(until=dispatcher.slot, is_fresh=False)
    skipped = state.skipped
    if Rule.SKIPS_NOTED_FIRST not in rules:
        skipped |= set(_behind(dispatcher, dispatcher.slot - 1)) & state.logged
    begins = state.note is None and Rule.BEGINNING_NOTED in rules
    begun = _owing(state, dispatcher.slot) if begins else state
    noted = _noted(rules, begun, dispatcher.slot)._replace(skipped=skipped)
    yield _to(noted, after, "", operations=NOTES, says=f"notes slot {dispatcher.slot}")
    if state.left.refusals:
        spent = state.left._replace(refusals=state.left.refusals - 1)
        yield _to(state._replace(left=spent), dispatcher, "refused", dispatcher.slot, says="cannot write the note")


def _refused(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    """The note is tried again later; meanwhile everything else goes on."""
    yield _to(state, dispatcher, "note", dispatcher.slot, says="tries the note again")
    yield from _start(rules, state, dispatcher)


def _note_then_publish(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    after = dispatcher._replace(until=dispatcher.slot, is_fresh=False)
    yield _to(_noted(rules, state, dispatcher.slot), after, "publish", dispatcher.slot, NOTES, says="notes the slot")


def _forget(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    after = dispatcher._replace(is_fresh=False)
    if Rule.FORGOTTEN_WITH_CONFIG in rules and state.note is not None:
        state = state._replace(note=None, note_before=(), owed=frozenset())
        yield _to(state, after._replace(until=None), "", operations=("unlink schedules/NAME.json",), says="forgets it")
    else:
        yield _to(state._replace(owed=frozenset()), after, "", says="knows no such schedule")


def _start(rules: frozenset[Rule], state: State, dispatcher: Dispatcher) -> Iterator[Move]:
    if dispatcher.is_fresh:
        return
    kept = dispatcher.slot if dispatcher.at == "refused" and Rule.NOTED_BEFORE_START in rules else 0
    for slot in SLOTS:
        if state.places[slot - 1] == PENDING and slot != kept:
            run = _placed(state, slot, OVER)._replace(ran=state.ran | {slot})
            yield Move("dispatcher", f"runs the job of slot {slot}", (), run)


_STEPS = {
    "skip": _skip,
    "note skip": _note_skip,
    "log late": _log_late,
    "log earlier": _log_earlier,
    "publish": _publish,
    "note": _note,
    "refused": _refused,
    "note, then publish": _note_then_publish,
}


def _behind(dispatcher: Dispatcher, slot: int) -> range:
    """The slots after the dispatcher's `until`, up to that one."""
    return range((dispatcher.until or 0) + 1, slot + 1)


def _owing(state: State, clock: int) -> State:
    """The schedule begins: the slots after that moment are to be accounted for."""
    return state._replace(owed=state.owed | {slot for slot in SLOTS if slot > clock})


def _noted(rules: frozenset[Rule], state: State, slot: int) -> State:
    is_synced = Rule.NOTE_SYNCED in rules
    return state._replace(note=slot, note_before=() if is_synced else (*state.note_before, state.note))


def _placed(state: State, slot: int, place: str) -> State:
    places = tuple(place if slot == other else known for other, known in zip(SLOTS, state.places, strict=True))
    return state._replace(places=places)


def _to(
    state: State, dispatcher: Dispatcher, at: str, slot: int = 0, operations: tuple[str, ...] = (), *, says: str
) -> Move:
    return Move("dispatcher", says, operations, state._replace(dispatcher=dispatcher._replace(at=at, slot=slot)))


def broken(state: State) -> str:
    """The promise that this state breaks, or nothing."""
    if state.fault:
        return state.fault
    there = {slot for slot in SLOTS if state.places[slot - 1] in (PENDING, OVER)}
    if state.skipped & (state.ran | there):
        return Promise.NOT_BOTH
    at = None if state.dispatcher is None else state.dispatcher.at
    is_busy = at in ("publish", "log late")  # what is between two steps is judged when they are done, or broken off
    behind = {slot for slot in state.owed if state.note is not None and slot <= state.note}
    return Promise.NEVER_LOST if not is_busy and behind - state.made - state.logged else ""


class Found(NamedTuple):
    """What a search found: how many states it has seen; the promise that is broken, and how it came to that."""

    states: int
    promise: str = ""
    trace: tuple[Move, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.states:,} states; {self.promise or 'every promise kept'}"]
        return "\n".join([*lines, *(f"{n:3}. {move.actor} {move.says}" for n, move in enumerate(self.trace, 1))])


def search(rules: frozenset[Rule], bounds: Bounds, most: int = 400_000) -> Found:
    """Go through all states, breadth first, to the first that breaks a promise."""
    first = State(0, bounds)
    came: dict[State, tuple[State, Move] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        for move in moves(rules, state):
            if move.state in came:
                continue
            came[move.state] = state, move
            promise = broken(move.state)
            if promise:
                return Found(len(came), promise, _trace(came, move.state))
            waiting.append(move.state)
            assert len(came) <= most, f"more than {most} states"
    return Found(len(came))


def _trace(came: dict[State, tuple[State, Move] | None], state: State) -> tuple[Move, ...]:
    trace: list[Move] = []
    while (step := came[state]) is not None:
        state, move = step
        trace.append(move)
    return tuple(reversed(trace))
