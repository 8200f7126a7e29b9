"""Actions on the files of a list: ticked ones, or all that match. Each counts first, and asks where the page has not."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from spoolrunner.protocol.states import State
from spoolrunner.web import words
from spoolrunner.web.acting import action, lead, list_address, refusal
from spoolrunner.web.answers import Screen, show, web_of
from spoolrunner.web.chosen import TICKED, Asked, asked
from spoolrunner.web.deeds import MOST, Deed, Step
from spoolrunner.web.forms import Form

VERBS = {
    State.PENDING: ("cancel", "discard"),
    State.RUNNING: ("cancel",),
    State.DONE: ("retry", "discard"),
    State.FAILED: ("retry", "discard"),
}
"""What may be done with the files of a folder."""
_PATIENCE = 3.0
"""Seconds for which a request waits for what it began; what takes longer goes on behind it, and the page says how far it is."""
_NAMED = 10
"""Files that a question names."""


def operation(verb: str, folder: str) -> str:
    """Return the file operation of a verb, as it stands on its button."""
    return {
        "retry": f"mv -n {folder}/… pending/",
        "cancel": "touch control/cancel-…",
        "discard": f"rm {folder}/… logs/jobs/…",
    }[verb]


def _act(verb: str, folder: State, request: Request, form: Form) -> Response:
    web = web_of(request)
    wish = asked(verb, folder, form, web.clock.wall())
    who = str(request.state.who)
    deed = Deed(wish, lambda count: web.log(who, wish.command, count), may_read=not web.settings.hides_params)
    back = list_address(folder.value, wish.filters)
    if not web.deeds.begin(deed, web.desk, _PATIENCE):
        return lead(request, back, refusal(f"{MOST} actions are under way; wait for one to end. Nothing was done."))
    if deed.step is Step.ASKING and deed.found is not None:
        return _ask(request, wish, deed.found.total, [choice.name for choice in deed.found.jobs], deed.found.left)
    return lead(request, back, deed.note)


def _list(folder: State, _request: Request) -> str:
    return f"{folder.value}/"


def _ask(request: Request, wish: Asked, total: int, names: list[str], left: list[str]) -> Response:
    """The question, with the number that counts by now: 409 when the page had shown another."""
    now = web_of(request).clock.wall()
    values = {
        "wish": wish,
        "total": total,
        "count": len(names),
        "names": names[:_NAMED],
        "left": left,
        "title": f"{wish.verb.capitalize()} {words.plural(len(names), 'file')}?",
        "operation": operation(wish.verb, wish.folder.value),
        "back": list_address(wish.folder.value, wish.filters),
        "fields": _fields(wish, total, names, now),
    }
    data = {"verb": wish.verb, "folder": wish.folder.value, "count": total, "command": wish.command, "done": 0}
    status = 200 if wish.count is None else 409
    return show(request, Screen("ask.html", values, data, tab=wish.folder.value, status=status))


def _fields(wish: Asked, total: int, names: list[str], now: float) -> list[tuple[str, str]]:
    """What the form of the question carries: the same wish, with the count and the time of now."""
    fields = [*wish.filters.given.items(), ("count", str(total)), ("at", f"{now:.3f}")]
    if wish.ids is not None:
        fields += [("which", TICKED), ("sure", "yes"), *(("id", name) for name in names)]
    return fields


ROUTES = [
    action(f"/{folder.value}/{verb}", partial(_act, verb, folder), partial(_list, folder))
    for folder, verbs in VERBS.items()
    for verb in verbs
]
