"""Editing a job that waits: a form with its priority, its time and its parameters, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from spoolrunner.client.edit import KEEP, edit
from spoolrunner.client.look import Look, check_id, find, look
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web import commands
from spoolrunner.web.acting import action, job_address, lead, logged, refusal
from spoolrunner.web.answers import Screen, page, web_of
from spoolrunner.web.forms import Form
from spoolrunner.web.notes import Note
from spoolrunner.web.typed import json_params, moment, whole_number

MOST_SHOWN = 200_000
"""Characters of parameters that a form can hold; larger ones are edited by other means."""


def _view(request: Request) -> Screen | Response:
    """The form; where the job does not wait any more, its page says where it is."""
    web, job_id = web_of(request), _id(request)
    found = look(web.desk.layout, State.PENDING, job_id)
    if found is None or found.document is None:
        return lead(request, job_address(job_id), refusal(_not_here(find(web.desk.layout, job_id))))
    raw, params = found.document, _shown(found.document)
    fits = not web.settings.hides_params and len(params) <= MOST_SHOWN
    values = {
        "id": job_id,
        "address": job_address(job_id),
        "inode": found.inode,
        "kind": f"{raw.get('job')}.{raw.get('method')}",
        "priority": raw.get("priority"),
        "due": _due(raw),
        "params": escape(params) if fits else None,
        "rows": min(max(params.count("\n") + 2, 3), 24),
        "is_hidden": web.settings.hides_params,
    }
    data = {
        "id": job_id,
        "priority": raw.get("priority"),
        "due": _due(raw),
        "params": raw.get("params") if fits else None,
    }
    return Screen("edit.html", values, data, tab="pending")


def _edit(request: Request, form: Form) -> Response:
    """Change what the form has another value for; the file must be the one that the form was made from."""
    web, job_id = web_of(request), _id(request)
    given = _given(form)
    inode = form.one("inode")
    if not inode.isascii() or not inode.isdigit() or len(inode) > 20:
        raise JobFormatError("inode", f"{inode!r} is no number of a file: open the form anew")
    answer = edit(web.desk.config, job_id, inode=int(inode), **given)
    if answer.problem:
        return lead(
            request,
            job_address(job_id),
            refusal(f"{answer.problem[:1].upper()}{answer.problem[1:]}. Nothing was changed."),
        )
    command = _command(job_id, given, hides=web.settings.hides_params)
    note = Note(f"Written anew in pending/: {', '.join(answer.fields)}.", command)
    return lead(request, job_address(job_id), logged(request, note))


def _given(form: Form) -> dict[str, Any]:
    """The arguments of `edit` that the form has values for."""
    given: dict[str, Any] = {"priority": whole_number("priority", form.one("priority"))}
    due = form.one("due")
    if due != form.one("was_due"):
        given |= moment(due)
    text = form.one("params")
    given["params"] = json_params(text) if text else KEEP
    return given


def _command(job_id: str, given: dict[str, Any], *, hides: bool) -> str:
    words = ["edit"]
    if given["priority"] is not None:
        words.append(f"--priority={given['priority']}")
    words += [f"--{name}={given[name]}" for name in ("at", "delay") if given.get(name)]
    if given["params"] is not KEEP:
        words.append("--params=…" if hides else f"--params={_compact(given['params'])}")
    return commands.line(*words, "--", job_id) if job_id.startswith("-") else commands.line(*words, job_id)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(raw: dict[str, Any]) -> str:
    """The parameters as JSON for people, in which all is printable, and which says the same when it is read back."""
    text = json.dumps(raw.get("params", []), ensure_ascii=False, indent=2)
    return "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)


def _due(raw: dict[str, Any]) -> str:
    return str(raw.get("next_run_at") or "")


def _not_here(found: Look | None) -> str:
    where = "in no folder" if found is None else f"in {found.state.value}/"
    if found is not None and found.state is State.PENDING:
        return "Its file cannot be read, so no form can be made of it. Nothing was changed."
    return f"It does not wait any more: it lies {where}. Nothing was changed."


def _id(request: Request) -> str:
    return check_id(str(request.path_params["job_id"]))


def _page(request: Request) -> str:
    return f"{job_address(str(request.path_params['job_id']))}/edit"


ROUTES: list[BaseRoute] = [*page("/job/{job_id}/edit", _view), action("/job/{job_id}/edit", _edit, _page)]
