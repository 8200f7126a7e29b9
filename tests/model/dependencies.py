"""`after` as a model of its own: a job waits for others, and dispatchers, people and `prune` do what they like meanwhile.

Where the other model has one id and every operation on it, this one has three: D, of which a second publication may come, E,
and J, which waits for them. Their own lives are short here: how a job moves without being lost is for the other model. A look
of the dispatcher at a name is one operation a folder, so that people may come between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

PENDING, RUNNING, DONE, FAILED, GONE = "pending", "running", "done", "failed", "gone"
UNDERWAY = (PENDING, RUNNING)
OVER = (DONE, FAILED)
D, E, J = "D", "E", "J"


class Rule(StrEnum):
    """A rule, as a sentence."""

    UNDERWAY_FIRST = "while a job of the id waits or runs, an earlier one does not count"
    LOOKED_AGAIN = "pending/ is looked into again when one was found that is over"
    NEWEST_COUNTS = "of several that are over the one counts that ended last"
    SEEN_KEPT = "what was seen to be done is not asked again"
    ROUNDS = "each name that somebody waits for is looked at again and again"
    TOLD = "who waits for a job is told when it ends"
    STARTED_FREE = "a job that has started waits for nobody"
    ASKED_COMPARED = "what was noted of a job counts only for what its file asks for now"
    PRUNE_KEEPS = "what a waiting job names is not pruned"
    ENDED_TAKES_FAILED = "with `when: ended` a failure is an end like any other"
    FAILURE_REFUSES = "a job whose dependency failed is refused"


ALL = frozenset(Rule)


class Promise(StrEnum):
    """What must hold in every state."""

    NOT_EARLY = "a job starts only after each job it waits for has been over as it asks"
    NOT_FAILED_FOR_NOTHING = "a job is failed only after one that it waits for has failed"
    COMES_TO_AN_END = "a job whose dependencies are over starts or fails in the end"


class Act(StrEnum):
    """What people do, each once at most."""

    RETRY = "moves D back to pending/"
    REMOVE = "removes D"
    SECOND = "publishes another D"
    DECLARE = "moves D to done/ by hand"
    EDIT = "lets J wait for E instead of D"
    RETRY_J = "moves J back to pending/"
    PRUNE = "prunes what is over"


class File(NamedTuple):
    """One publication of an id; `ended`: its place in the order of ends, 0 when it has not ended."""

    name: str
    place: str
    ended: int = 0


class Look(NamedTuple):
    """A look at a name that is under way: which folders are still to be looked into."""

    name: str
    left: tuple[str, ...]
    found: tuple[File, ...] = ()


class Memory(NamedTuple):
    """What a dispatcher knows: what J asked for when it was noted, what of that is over, which names are to be looked at."""

    asked: frozenset[str] = frozenset()
    over: frozenset[str] = frozenset()
    failed: bool = False
    to_check: frozenset[str] = frozenset()
    look: Look | None = None


class State(NamedTuple):
    """The world. `was_done`, `was_failed`: names of which that was true at some time since J waits. The judge knows them alone.

    `seen`: the names that this dispatcher saw to be over as J asks. `taken`: D was removed, by a person or when J did not
    wait, so J may wait for ever.
    """

    files: tuple[File, ...]
    after: frozenset[str]
    started: bool = False
    memory: Memory | None = None
    was_done: frozenset[str] = frozenset()
    was_failed: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    taken: bool = False
    acts: tuple[Act, ...] = ()
    kills: int = 0
    fails: bool = True
    fault: str = ""


class World(NamedTuple):
    """What lies in the spool at the beginning, and how much may go wrong. `ended`: J has `when: ended`."""

    name: str
    files: tuple[File, ...]
    after: frozenset[str] = frozenset({D})
    acts: tuple[Act, ...] = ()
    kills: int = 0
    ended: bool = False
    fails: bool = True
    """Whether D and E may fail, rather than only become done."""

    def __str__(self) -> str:
        return self.name

    def first(self) -> State:
        """How it begins: J waits."""
        state = State((*self.files, File(J, PENDING)), self.after, acts=self.acts, kills=self.kills, fails=self.fails)
        return judged(state)


def stands(files: tuple[File, ...], name: str) -> str:
    """Where the job of that name stands by the rules: underway, done, failed or gone."""
    mine = [file for file in files if file.name == name and file.place != GONE]
    if any(file.place in UNDERWAY for file in mine):
        return RUNNING
    return max(mine, key=lambda file: file.ended).place if mine else GONE


def judged(state: State) -> State:
    """The state with what is true of each name now."""
    names = (D, E)
    done = {name for name in names if stands(state.files, name) == DONE}
    failed = {name for name in names if stands(state.files, name) == FAILED}
    return state._replace(was_done=state.was_done | done, was_failed=state.was_failed | failed)


def moved(state: State, file: File, place: str) -> State:
    """The state in which that file lies there; one that comes to an end is the last to have ended."""
    last = max(other.ended for other in state.files)
    ended = last + 1 if place in OVER and file.place in UNDERWAY else file.ended
    files = tuple(file._replace(place=place, ended=ended) if other is file else other for other in state.files)
    return judged(state._replace(files=_small(files)))


def _small(files: tuple[File, ...]) -> tuple[File, ...]:
    """The same with the smallest numbers for the order of ends, so that states stay few."""
    order = {ended: number for number, ended in enumerate(sorted({0, *(file.ended for file in files)}))}
    return tuple(file._replace(ended=order[file.ended]) for file in files)


class Model:
    """A world under those rules."""

    def __init__(self, world: World, rules: frozenset[Rule] = ALL) -> None:
        self.world = world
        self.rules = rules

    def moves(self, state: State) -> Iterator[tuple[str, State, bool]]:
        """What may happen: in words, the state after it, and whether it need not happen."""
        yield from ((says, made, True) for says, made in self._disturbances(state))
        if state.memory is None:
            yield "a dispatcher starts", state._replace(memory=Memory(), seen=frozenset()), False
            return
        yield from ((says, made, False) for says, made in self._work(state, state.memory))

    # -- the dispatcher

    def _work(self, state: State, memory: Memory) -> Iterator[tuple[str, State]]:
        if memory.look is not None:
            yield self._look_on(state, memory, memory.look)
            return
        for file in state.files:
            if file.name != J:
                yield from self._live(state, file)
        waiting = next(file for file in state.files if file.name == J)
        if waiting.place == RUNNING:
            yield "J is done", moved(state, waiting, DONE)
            if not state.fails:
                return
            yield "J is to be tried again", moved(state, waiting, PENDING)
        if waiting.place == PENDING:
            yield from self._wait(state, memory, waiting)

    def _live(self, state: State, file: File) -> Iterator[tuple[str, State]]:
        if file.place == PENDING and not any(
            other.name == file.name and other.place == RUNNING for other in state.files
        ):
            yield f"{file.name} is claimed", moved(state, file, RUNNING)
        if file.place == RUNNING:
            ends = (DONE, FAILED) if self.world.fails else (DONE,)
            for end in ends:
                after = moved(state, file, end)
                if Rule.TOLD in self.rules and file.name in after.after and after.memory is not None:
                    after = _checking(after, {file.name})
                yield f"{file.name} ends in {end}/", after

    def _wait(self, state: State, memory: Memory, waiting: File) -> Iterator[tuple[str, State]]:
        is_free = state.started and Rule.STARTED_FREE in self.rules
        compares = Rule.ASKED_COMPARED in self.rules or not memory.asked
        if not is_free and compares and memory.asked != state.after:
            noted = Memory(asked=state.after, to_check=state.after)
            yield "J is noted", state._replace(memory=noted, seen=frozenset())
            return
        if not is_free and memory.failed:
            if Rule.FAILURE_REFUSES in self.rules:
                yield "J is refused", _refused(state, waiting, ended=self.world.ended)
            return
        if is_free or memory.over >= memory.asked:
            yield "J is started", _started(state, waiting, ended=self.world.ended)
            return
        for name in memory.to_check:
            folders = (PENDING, RUNNING, DONE, FAILED, PENDING)
            look = Look(name, folders if Rule.LOOKED_AGAIN in self.rules else folders[:-1])
            rest = memory._replace(look=look, to_check=memory.to_check - {name})
            yield f"a look at {name} begins", state._replace(memory=rest)
        left = memory.asked - memory.over
        if Rule.ROUNDS in self.rules and not memory.to_check:
            yield "a round begins", _checking(state, left)

    def _look_on(self, state: State, memory: Memory, look: Look) -> tuple[str, State]:
        """One folder more is looked into or, if that was the last, what was found is told to J."""
        if look.left:
            folder, *left = look.left
            found = tuple(file for file in state.files if file.name == look.name and file.place == folder)
            again = look._replace(left=tuple(left), found=look.found + found)
            return f"looks for {look.name} in {folder}/", state._replace(memory=memory._replace(look=again))
        answer = self._answer(look)
        made = memory._replace(look=None)
        if answer == DONE or (answer == FAILED and self.world.ended and Rule.ENDED_TAKES_FAILED in self.rules):
            state = state._replace(seen=state.seen | {look.name})
            # Without that rule each look sees everything afresh: what was seen before counts only while it is there.
            kept = (
                memory.over
                if Rule.SEEN_KEPT in self.rules
                else {n for n in memory.over if stands(state.files, n) == DONE}
            )
            made = made._replace(over=frozenset({*kept, look.name} & memory.asked))
        elif answer == FAILED:
            made = made._replace(failed=look.name in memory.asked)
        elif Rule.SEEN_KEPT not in self.rules:
            made = made._replace(over=frozenset(n for n in memory.over if stands(state.files, n) == DONE))
        return f"finds that {look.name} is {answer}", state._replace(memory=made)

    def _answer(self, look: Look) -> str:
        if Rule.UNDERWAY_FIRST in self.rules and any(file.place in UNDERWAY for file in look.found):
            return RUNNING
        over = [file for file in look.found if file.place in OVER]
        if not over:
            return RUNNING if look.found else GONE
        newest = max(over, key=lambda file: file.ended)
        return (newest if Rule.NEWEST_COUNTS in self.rules else over[0]).place

    # -- what need not happen

    def _disturbances(self, state: State) -> Iterator[tuple[str, State]]:
        if state.kills and state.memory is not None:
            yield "the dispatcher is killed", state._replace(memory=None, kills=state.kills - 1)
        for act in state.acts:
            left = tuple(other for other in state.acts if other is not act)
            for made in self._act(state, act):
                yield f"somebody {act}", made._replace(acts=left)

    def _act(self, state: State, act: Act) -> Iterator[State]:
        if act not in (Act.SECOND, Act.EDIT):
            for file in state.files:
                yield from self._move(state, act, file)
        elif act is Act.SECOND:
            if not any(file.name == D and file.place == PENDING for file in state.files):
                yield judged(state._replace(files=(*state.files, File(D, PENDING))))
        elif _waits(state):
            yield judged(state._replace(after=frozenset({E}), was_done=frozenset(), was_failed=frozenset()))

    def _move(self, state: State, act: Act, file: File) -> Iterator[State]:
        is_over = file.place in OVER
        if file.name == J and act is Act.RETRY_J and is_over:
            yield moved(state, file, PENDING)
        if file.name != D:
            return
        if act is Act.DECLARE and file.place in (PENDING, FAILED):
            yield moved(state, file, DONE)
        elif act is Act.RETRY and is_over and (D, PENDING) not in [other[:2] for other in state.files]:
            yield moved(state, file, PENDING)
        elif act is Act.REMOVE and is_over:
            yield moved(state, file, GONE)._replace(taken=True)
        elif act is Act.PRUNE and is_over and not self._is_kept(state, file.name):
            yield moved(state, file, GONE)._replace(taken=state.taken or not _waits(state))

    def _is_kept(self, state: State, name: str) -> bool:
        return Rule.PRUNE_KEEPS in self.rules and _waits(state) and name in state.after


def _waits(state: State) -> bool:
    """Whether J lies in pending/, as a job that has not started."""
    return any(file.name == J and file.place == PENDING for file in state.files) and not state.started


def _checking(state: State, names: set[str] | frozenset[str]) -> State:
    memory = state.memory
    assert memory is not None
    return state._replace(memory=memory._replace(to_check=memory.to_check | (names & memory.asked)))


def _started(state: State, waiting: File, *, ended: bool) -> State:
    ripe = state.was_done | (state.was_failed if ended else frozenset())
    fault = "" if state.started or state.after <= ripe else Promise.NOT_EARLY
    return moved(state, waiting, RUNNING)._replace(started=True, fault=fault)


def _refused(state: State, waiting: File, *, ended: bool) -> State:
    fault = "" if state.after & state.was_failed and not ended else Promise.NOT_FAILED_FOR_NOTHING
    after = moved(state, waiting, FAILED)._replace(fault=fault)
    return after._replace(memory=Memory())


def is_at_rest(world: World, state: State) -> bool:
    """Whether nothing is to be done: J is over, or it waits for what is not over, or was taken away by a person unseen."""
    if state.memory is None or state.memory.look is not None:
        return False
    place = next(file.place for file in state.files if file.name == J)
    if place in OVER:
        return True
    if place == RUNNING or state.started:
        return False
    if any(file.place in UNDERWAY for file in state.files if file.name != J):
        return False
    missing = {name for name in state.after - state.seen if stands(state.files, name) == GONE}
    return bool(missing) and state.taken


class Found(NamedTuple):
    """What a search found: how many states; the promise that is broken, and how it came to that."""

    states: int
    promise: str = ""
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.states} states; {self.promise or 'every promise kept'}", *self.trace])


def search(world: World, rules: frozenset[Rule] = ALL, most: int = 2_000_000) -> Found:
    """Go through every state, breadth first, to the first that breaks a promise, or from which the living come to no rest."""
    model, first = Model(world, rules), world.first()
    came: dict[State, tuple[State, str] | None] = {first: None}
    led_by: dict[State, list[State]] = {first: []}
    queue = deque([first])
    while queue:
        at = queue.popleft()
        for says, made, is_disturbance in model.moves(at):
            if made not in came:
                came[made] = at, says
                led_by[made] = []
                queue.append(made)
                assert len(came) <= most, "too many states"
                if made.fault:
                    return Found(len(came), made.fault, _trace(came, made))
            if not is_disturbance:
                led_by[made].append(at)
    good = {state for state in came if is_at_rest(world, state)}
    queue = deque(good)
    while queue:
        for before in led_by[queue.popleft()]:
            if before not in good:
                good.add(before)
                queue.append(before)
    stuck = next((state for state in came if state not in good), None)
    return Found(len(came)) if stuck is None else Found(len(came), Promise.COMES_TO_AN_END, _trace(came, stuck))


def _trace(came: dict[State, tuple[State, str] | None], at: State) -> tuple[str, ...]:
    trace = []
    while (step := came[at]) is not None:
        at, says = step
        trace.append(says)
    return tuple(reversed(trace))
