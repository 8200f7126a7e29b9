"""Actions on one job: retry, cancel, discard, run a copy. The form says in which folder it lay; it is touched there alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from spoolrunner.client import dependants, operate
from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.look import Look, check_id, find, look
from spoolrunner.client.operate import CancelEnd
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.client.search import Filter
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web import commands, words
from spoolrunner.web.acting import action, job_address, lead, logged, refusal
from spoolrunner.web.answers import Screen, Web, show, web_of
from spoolrunner.web.forms import Form
from spoolrunner.web.notes import Note

FROM = {
    "retry": (State.FAILED, State.DONE),
    "cancel": (State.PENDING, State.RUNNING),
    "discard": (State.FAILED, State.DONE, State.PENDING),
    "copy": (State.FAILED, State.DONE, State.PENDING, State.RUNNING),
}
"""The folders whose jobs an action is for; the first in which it lies is meant where the form names none."""
_CARRIED = ("priority", "max_retries", "timeout", "meta", "group")
"""What a copy takes over, beside what is called; not its time, its expiry and what it waited for, which are of the past."""
_NAMED = 10
_PATIENCE = 2.0
"""Seconds for which the effect of a cancel is waited for."""


class _Done(NamedTuple):
    """What came of an action: what is said, and the address of the page that says it where it is not the job's."""

    note: Note
    address: str = ""


def _retry(web: Web, state: State, job_id: str, form: Form) -> _Done:
    config, names = web.desk.config, [job_id]
    if form.one("dependants") and state is State.FAILED:
        names += dependants.of(config.layout, job_id)
    moved: list[str] = []
    for name in names:
        retried = operate.retry(config.layout, name, config.signing_key, [state])
        if retried.is_taken:
            text = f"pending/ has a file of the id {name} already; mv -n refused. {_so_far(moved)}"
            return _Done(refusal(text))
        if retried.source is not None:
            moved.append(name)
    if not moved:
        return _Done(_moved_meanwhile(web, state, job_id))
    options = ["--with-dependants"] if len(names) > 1 else []
    text = f"Moved from {state.value}/ to pending/: {_names(moved)}."
    return _Done(Note(text, commands.named("retry", [job_id], *options)))


def _so_far(moved: list[str]) -> str:
    return f"Moved before that: {_names(moved)}." if moved else "Nothing was moved."


def _names(moved: list[str]) -> str:
    more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
    return ", ".join(moved[:_NAMED]) + more


def _cancel(web: Web, state: State, job_id: str, _form: Form) -> _Done:
    layout, command = web.desk.layout, commands.named("cancel", [job_id])
    request = operate.cancel(layout, job_id)
    if request is None:
        return _Done(_moved_meanwhile(web, state, job_id))
    if dispatcher_of(layout) is None:
        text = (
            f"control/cancel-{job_id} lies there. No dispatcher runs; the next one cancels before it starts anything."
        )
        return _Done(Note(text, command))
    answer = operate.await_cancel(layout, request, _PATIENCE)
    if answer.end is CancelEnd.CANCELLED:
        return _Done(Note("It is cancelled, and lies in failed/.", command))
    if answer.end is CancelEnd.STANDS:
        return _Done(Note(f"control/cancel-{job_id} lies there; it is not carried out yet.", command))
    if answer.end is CancelEnd.GONE:
        return _Done(refusal("Its file was taken away meanwhile: it lies in no folder.", command))
    return _Done(refusal("It had ended before the cancel reached it.", command))


def _discard(web: Web, state: State, job_id: str, _form: Form) -> _Done:
    if not operate.remove(web.desk.layout, state, job_id):
        return _Done(_moved_meanwhile(web, state, job_id))
    text = f"Removed for good from {state.value}/: {job_id}, and what it printed."
    return _Done(Note(text, commands.named("discard", [job_id])), f"{state.value}/")


def _copy(web: Web, state: State, job_id: str, _form: Form) -> _Done:
    config = web.desk.config
    found = look(config.layout, state, job_id)
    if found is None:
        return _Done(_moved_meanwhile(web, state, job_id))
    raw = found.document
    if raw is None or not isinstance(raw.get("job"), str) or not isinstance(raw.get("method"), str):
        raise JobFormatError(job_id, "the file says no job and method, so it cannot be run again")
    carried: dict[str, Any] = {name: raw[name] for name in _CARRIED if name in raw}
    made = enqueue(raw["job"], raw["method"], raw.get("params", []), **carried, config=config.path)
    params = json.dumps(raw.get("params", []), ensure_ascii=False)
    shown = "…" if web.settings.hides_params else params
    command = commands.line("enqueue", raw["job"], raw["method"], "--json", shown)
    text = f"This is the copy; {job_id} stays in {state.value}/."
    return _Done(Note(text, command), job_address(made.id))


_DO: dict[str, Callable[[Web, State, str, Form], _Done]] = {
    "retry": _retry,
    "cancel": _cancel,
    "discard": _discard,
    "copy": _copy,
}
_OPERATIONS = {"discard": "rm {}/{}.json"}
"""What is asked before, with its file operation: it cannot be taken back."""


def _act(verb: str, request: Request, form: Form) -> Response:
    web, job_id = web_of(request), _id(request)
    state = _state(web.desk.config, verb, job_id, form)
    if state is None or not _lay_there(web, state, job_id, form):
        return lead(request, job_address(job_id), _moved_meanwhile(web, state or FROM[verb][0], job_id))
    if verb in _OPERATIONS and not form.one("sure"):
        return _ask(request, verb, state, job_id)
    note, address = _DO[verb](web, state, job_id, form)
    return lead(request, address or job_address(job_id), note if note.is_refusal else logged(request, note))


def _ask(request: Request, verb: str, state: State, job_id: str) -> Response:
    now = web_of(request).clock.wall()
    values = {
        "title": f"{verb.capitalize()} {job_id}?",
        "operation": _OPERATIONS[verb].format(state.value, job_id),
        "command": commands.named(verb, [job_id]),
        "address": f"{job_address(job_id)}/{verb}",
        "back": job_address(job_id),
        "fields": [("folder", state.value), ("sure", "yes"), ("at", f"{now:.3f}")],
    }
    return show(request, Screen("ask_one.html", values, {"command": values["command"], "done": 0}, tab=state.value))


def _id(request: Request) -> str:
    return check_id(str(request.path_params["job_id"]))


def _state(config: Config, verb: str, job_id: str, form: Form) -> State | None:
    """Where it is to be touched: where the form says that it lies, else in the first folder in which it does."""
    named = form.one("folder")
    if named:
        if named not in [state.value for state in FROM[verb]]:
            raise JobFormatError("folder", f"{verb} is not for jobs in {named}/")
        return State(named)
    return next((state for state in FROM[verb] if look(config.layout, state, job_id) is not None), None)


def _lay_there(web: Web, state: State, job_id: str, form: Form) -> bool:
    """Whether it lay in that folder already when the page was drawn, and was not there and back since."""
    at = form.one("at")
    try:
        age = web.clock.wall() - float(at) if at else 0.0
    except ValueError:
        raise JobFormatError("at", f"{at!r} is no time in seconds since 1970") from None
    return Filter(older=max(0.0, age)).fits_age(web.desk.layout.job(state, job_id))


def _moved_meanwhile(web: Web, state: State, job_id: str) -> Note:
    """Say where a job is that is not where its page has shown it."""
    found = find(web.desk.layout, job_id)
    if found is None:
        return refusal(f"It is not in {state.value}/ any more, nor in any other folder. Nothing was moved.")
    if found.state is state and found.id == job_id:
        return refusal(
            f"It came to {state.value}/ again after the page was drawn. Nothing was moved; look at it first."
        )
    return refusal(
        f"It is not in {state.value}/ any more: {found.state.value}/{_since(web, found)}. Nothing was moved."
    )


def _since(web: Web, found: Look) -> str:
    ended = words.seconds_of(found.attempts[-1].get("ended_at")) if found.is_over and found.attempts else None
    return f" since {words.moment(ended, web.clock.wall())}" if ended else ""


def _page(request: Request) -> str:
    return job_address(str(request.path_params["job_id"]))


ROUTES = [action(f"/job/{{job_id}}/{verb}", partial(_act, verb), _page) for verb in _DO]
