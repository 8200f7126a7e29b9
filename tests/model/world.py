"""All moves of a world together, the promises that each state is held to, and what rest is."""

from __future__ import annotations

from tests.model import cancelling, claiming, editing, names, people, runner, settling, telling
from tests.model.rules import Promise, Rule
from tests.model.state import (
    CAME,
    FAILED,
    FAILED_2,
    HAND,
    NOBODY,
    PENDING,
    RUNNING,
    Disk,
    Dispatcher,
    File,
    State,
    Story,
    set_dispatcher,
)
from tests.model.steps import Model, Move, Moves, Step, remembering

SYNCED = {
    Rule.PUBLISH_FOLDER_SYNCED: PENDING,
    Rule.RECORD_FOLDER_SYNCED: RUNNING,
    Rule.OUTCOME_SYNCED_BY_ORPHAN: RUNNING,
    Rule.CLAIM_MARK_SYNCED: HAND,
    Rule.TELL_SYNCED: PENDING,
    Rule.EDIT_FOLDER_SYNCED: PENDING,
}
"""The place whose folder is synced by a step, by its rule: of the one of locks/ no name was moved."""
BETWEEN = (claiming.LOOK, settling.SETTLE, settling.SWEEP, settling.VOUCH, cancelling.OBEY)
"""What a dispatcher may begin when it has nothing in hand."""
DISPATCHER = {**claiming.STEPS, **settling.STEPS, **cancelling.STEPS}


def begin(model: Model, files: dict[int, File] | None = None) -> State:
    """The first state of a world: those files lie there, for good, and no process runs."""
    bounds = model.bounds
    files = files or {}
    stories = [Story(), Story()]
    for place, file in files.items():
        made = len(file.history)
        asked = 1 if place == PENDING and file.history[-1:] in ("d", "f") else 0
        stories[file.job] = Story(True, made, made, asked=asked, recorded=made)
    places = tuple(files.get(place) for place in range(8))
    return State(
        Disk(
            places,
            retried=(stories[0].asked, stories[1].asked),
            gone=() if bounds.lingers else None,
            notices=() if bounds.tells else None,
        ),
        (stories[0], stories[1]),
        (None,) * (1 if Rule.ONE_DISPATCHER in model.rules else 2),
        (None,) * bounds.runners,
        producer="stage" if bounds.publishes else "",
        dispatcher_kills=bounds.dispatcher_kills,
        runner_kills=bounds.runner_kills,
        acts=bounds.acts,
        cuts=bounds.cuts,
        closes=bounds.closes,
        removes=bounds.removes,
        start_failures=bounds.start_failures,
        stops=bounds.stops,
        copies=bounds.copies,
        containers=bounds.containers,
        covers=bounds.covers,
        edits=bounds.edits,
        editor_kills=bounds.editor_kills,
    )


def moves(model: Model, state: State) -> Moves:
    """Every move that the world can make."""
    if state.covered is not None:
        yield from people.uncovered(state)
        if Rule.GROUND_COMPARED in model.rules:
            return
    for index, dispatcher in enumerate(state.dispatchers):
        if dispatcher is None:
            yield from _start(model, state, index)
            continue
        between = (settling.SETTLE,) if state.stop == CAME else BETWEEN
        steps = between if dispatcher.at is None else (DISPATCHER[dispatcher.at],)
        if dispatcher.doubts:
            steps = (names.COMPARE,)
        for step in steps:
            yield from _stepped(model, state, f"dispatcher {index}", step, index)
    for index, running in enumerate(state.runners):
        if running is not None:
            yield from _stepped(model, state, f"runner {index}", runner.STEPS[running.at], index)
    yield from telling.runs(model, state)
    if state.stop:
        yield from people.spread_of_stop(model, state)
    yield from _clients(model, state)
    if state.covered is None:
        yield from people.disturbances(model, state)


def _clients(model: Model, state: State) -> Moves:
    """The steps of programs that are no dispatcher and no job."""
    if state.producer:
        yield from _stepped(model, state, "producer", people.PRODUCER[state.producer], 0)
    if state.editor is not None:
        yield from _stepped(model, state, "editor", editing.STEPS[state.editor.at], 0)


def _stepped(model: Model, state: State, actor: str, step: Step, index: int) -> Moves:
    for after in step.do(model, state, index):
        synced = None if step.syncs is None or step.syncs not in model.rules else SYNCED[step.syncs]
        yield Move(actor, step.says, step.operations, remembering(state, after, synced))


def _start(model: Model, state: State, index: int) -> Moves:
    if Rule.ONE_DISPATCHER in model.rules and any(state.dispatchers):
        return
    trusted = state.served or Rule.BOOT_VOUCHED not in model.rules
    is_left = state.disk.places[RUNNING] is not None
    is_asked = state.disk.cancel != NOBODY
    made = Dispatcher(
        None,
        state.served,
        trusted,
        not state.copied,
        doubts=state.disk.gone is not None and not trusted and Rule.NAMES_COMPARED in model.rules,
        fresh=is_left,
        heeds=is_asked,
        unresolved=is_left,
    )
    started = set_dispatcher(state, index, made)._replace(served=trusted)
    yield Move(f"dispatcher {index}", "starts", (), started)
    if state.containers:
        elsewhere = set_dispatcher(started, index, made._replace(namespace=1))._replace(containers=state.containers - 1)
        yield Move(f"dispatcher {index}", "starts in a container", (), elsewhere)


def broken(state: State) -> str:
    """The promise that this state breaks, or nothing."""
    if state.fault:
        return state.fault
    if state.covered is not None:
        state = state._replace(disk=state.covered)
    there = [(place, file) for place, file in enumerate(state.disk.places) if file is not None]
    hand = state.editor.staged if state.editor is not None and state.editor.at in editing.JUDGING else None
    for job, story in enumerate(state.stories):
        files = [file for _, file in there if file.job == job]
        if len(files) > 1 and not story.twofold and hand is None:
            return Promise.ONE_FOLDER
        if story.promised and (not files or files[0].torn) and (hand is None or hand.job != job):
            return Promise.NEVER_LOST
    counted = names.latest(state.disk)
    for place, file in there:
        story = state.stories[file.job]
        if story.twofold and file not in counted:
            continue  # a name that is to go
        uncounted = story.effects - story.excused - len(file.history)
        if uncounted > (1 if place == RUNNING else 0) and uncounted > _at_work(state, file.job):
            return Promise.COUNTED
        if len(file.history) > story.begun:
            return Promise.NOT_INVENTED
        if file.edits < story.edited:
            return Promise.EDIT_KEPT
        if place in (FAILED, FAILED_2) and not _is_explained(state, place, file):
            return Promise.EXPLAINED
    return telling.broken(state, counted)


def _at_work(state: State, job: int) -> int:
    """How many processes are in the code of that job."""
    return sum(one is not None and one.inside and one.file.job == job for one in state.runners)


def _is_explained(state: State, place: int, file: File) -> bool:
    at_work = any(dispatcher is not None and dispatcher.at is not None for dispatcher in state.dispatchers)
    return file.history != "" or at_work or state.disk.reasons[place - FAILED] > 0


def is_at_rest(state: State) -> bool:
    """Whether all is done: nothing runs or is due, and nothing lies about that belongs to no job."""
    if state.covered is not None:
        return False
    disk, waiting = state.disk, state.disk.places[PENDING]
    idle = all(dispatcher is None or dispatcher.at is None for dispatcher in state.dispatchers)
    no_process = idle and not any(state.runners) and not state.producer and not state.leftover and not state.editor
    tidy = disk.cancel == NOBODY and (disk.lock is None or waiting is not None)
    return no_process and tidy and disk.places[RUNNING] is None and (waiting is None or waiting.later)
