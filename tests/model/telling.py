"""How a dispatcher publishes the job of on_failure while it settles: `spoolrunner.spool.on_failure`."""

from __future__ import annotations

from tests.model.dispatcher import At, is_there, to
from tests.model.rules import Promise, Rule
from tests.model.state import FAILED, FAILED_2, FINAL, RUNNING, File, Notice, State
from tests.model.steps import Model, Move, Moves, Step, remembering


def begin(state: State, history: str, otherwise: At) -> At:
    """The step at which a dispatcher goes on behind that record: it tells of a failure, where it is to tell of any."""
    return At.TELL_LOOK if state.disk.notices is not None and history[-1:] == "f" else otherwise


def first_of_move(model: Model, verdict: str) -> At:
    """The first step of the move to where the verdict says."""
    return At.DROP_REQUEST if verdict in FINAL and Rule.CANCEL_BEFORE_MOVE in model.rules else At.MOVE


def _look(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    file = dispatcher.staged or state.disk.places[RUNNING]
    if Rule.TELL_BEFORE_MOVE not in model.rules:
        file = dispatcher.file
    if file is None:
        return _go_on(model, state, index)
    if any(_is_of(model, notice, file) for notice in state.disk.notices or ()):
        return _go_on(model, state, index)
    notice = Notice(file.job, len(file.history), dirty=model.bounds.cuts > 0 and Rule.TELL_SYNCED not in model.rules)
    return to(state, index, At.TELL_WRITE, notice=notice)


def _is_of(model: Model, notice: Notice, file: File) -> bool:
    """Whether a look finds that the failure of this file was told of by that."""
    is_seen = not notice.done or Rule.TELL_LOOKED_FOR in model.rules
    is_its = notice.job == file.job or Rule.TELL_OF_ITS_OWN not in model.rules
    return is_seen and is_its and notice.number == len(file.history)


def _go_on(model: Model, state: State, index: int) -> tuple[State, ...]:
    dispatcher = is_there(state, index)
    after = first_of_move(model, dispatcher.verdict)
    if Rule.TELL_BEFORE_MOVE not in model.rules:
        after = At.DROP_REASON
    if dispatcher.staged is not None:
        after = At.SYNC
    return to(state, index, after, notice=None)


def _write(model: Model, state: State, index: int) -> tuple[State, ...]:
    return to(state, index, At.TELL)


def _tell(model: Model, state: State, index: int) -> tuple[State, ...]:
    made, there = is_there(state, index).notice, state.disk.notices or ()
    assert made is not None, "it has written what it publishes"
    if any(one[:2] == made[:2] for one in there):
        return (state._replace(fault=Promise.TOLD_ONCE),)
    told = state._replace(disk=state.disk._replace(notices=tuple(sorted((*there, made)))))
    return to(told, index, At.TELL_SYNC_FOLDER, notice=None)


def runs(model: Model, state: State) -> Moves:
    """A dispatcher runs what was published, at any moment at which it has nothing in hand."""
    for index, dispatcher in enumerate(state.dispatchers):
        if dispatcher is None or dispatcher.at is not None:
            continue
        for place, notice in enumerate(state.disk.notices or ()):
            if not notice.done and not notice.torn:
                yield Move(
                    f"dispatcher {index}",
                    "runs the job of on_failure",
                    (),
                    remembering(state, _done(state, place), None),
                )


def _done(state: State, place: int) -> State:
    notices = list(state.disk.notices or ())
    notices[place] = notices[place]._replace(done=True)
    return state._replace(disk=state.disk._replace(notices=tuple(notices)))


def torn(notices: tuple[Notice, ...] | None, *, tears: bool) -> tuple[Notice, ...] | None:
    """What a power cut makes of them."""
    if notices is None:
        return None
    return tuple(one._replace(dirty=False, torn=tears and one.dirty and not one.done) for one in notices)


def broken(state: State, latest: list[File]) -> str:
    """The promise that is broken in what is told, or nothing; `latest` has the file of each job."""
    notices = state.disk.notices
    if notices is None or any(one is not None and one.at is not None for one in state.dispatchers):
        return ""
    whole = {(one.job, one.number) for one in notices if not one.torn}
    for place in (FAILED, FAILED_2):
        file = state.disk.places[place]
        if file is not None and file.history[-1:] == "f" and (file.job, len(file.history)) not in whole:
            return Promise.TOLD
    for file in latest:
        if any(job == file.job and file.history[number - 1 : number] != "f" for job, number in whole):
            return Promise.TOLD_TRULY
    return ""


STEPS = {
    At.TELL_LOOK: Step("looks whether the failure was told of", (), _look),
    At.TELL_WRITE: Step("writes the job of on_failure", ("open tmp/X", "write tmp/X", "fsync tmp/X"), _write),
    At.TELL: Step("publishes it", ("rename tmp/X -> pending/ID.failed.N.json",), _tell),
    At.TELL_SYNC_FOLDER: Step(
        "syncs pending/", ("open pending", "fsync pending", "open pending"), _go_on, Rule.TELL_SYNCED
    ),
}
