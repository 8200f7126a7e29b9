"""Enqueueing a job by a form, whose fields are those of the method's signature or of the command's template."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.form import Form as Fields
from spoolrunner.errors import JobFormatError
from spoolrunner.web import commands
from spoolrunner.web.acting import action, job_address, lead, logged
from spoolrunner.web.answers import Screen, Web, page, web_of
from spoolrunner.web.forms import Form
from spoolrunner.web.notes import Note
from spoolrunner.web.typed import json_params, moment, whole_number

PARAMETER = "p."
"""How the name of a field begins that is a parameter, so that none is taken for another field of the form."""
_OPTIONS = {"priority": "--priority", "id": "--id", "group": "--group"}


def _view(request: Request) -> Screen:
    """The form of the kind that is asked for; without one, the kinds that may run."""
    web, kind = web_of(request), request.query_params.get("kind", "")
    allowed = [f"{job}.{method}" for job, methods in web.desk.config.allowed.items() for method in methods]
    fields = _fields(web, kind) if kind else None
    values = {"kinds": allowed, "kind": kind, "form": fields, "prefix": PARAMETER, "command": _template(kind)}
    return Screen(
        "enqueue.html", values, {"kinds": allowed, "form": None if fields is None else _data(fields)}, tab="pending"
    )


def _enqueue(request: Request, form: Form) -> Response:
    """Publish the job."""
    web, kind = web_of(request), form.one("kind")
    fields = _fields(web, kind)
    params = _params(fields, form)
    options: dict[str, Any] = {name: form.one(name) for name in ("id", "group") if form.one(name)}
    options["priority"] = whole_number("priority", form.one("priority"))
    due = moment(form.one("due"))
    made = enqueue(fields.job, fields.method, params, **{**options, **due}, config=web.desk.config.path)
    words = [f"{option}={form.one(name)}" for name, option in _OPTIONS.items() if form.one(name)]
    words += [f"--{name}={value}" for name, value in due.items() if value]
    shown = "…" if web.settings.hides_params else json.dumps(params, ensure_ascii=False)
    line = commands.line("enqueue", *words, fields.job, fields.method, "--json", shown)
    return lead(request, job_address(made.id), logged(request, Note(f"It waits in pending/ as {made.id}.", line)))


def _fields(web: Web, kind: str) -> Fields:
    job, dot, method = kind.rpartition(".")
    if not dot:
        raise JobFormatError("kind", f"{kind[:120]!r} is no JOB.METHOD")
    return web.desk.forms.of(web.desk.config, job, method)


def _params(fields: Fields, form: Form) -> list[Any] | dict[str, Any]:
    """The parameters of the fields; all as one JSON text where the fields are not known."""
    if fields.problem:
        return json_params(form.one("params") or "[]")
    params = fields.params({one.name: form.one(PARAMETER + one.name) for one in fields.fields})
    more = form.one("more")
    if not more:
        return params
    others = json_params(more)
    if isinstance(params, list) and isinstance(others, list):
        return [*params, *others]
    if isinstance(params, dict) and isinstance(others, dict):
        return {**others, **params}
    raise JobFormatError("more", f"must be a JSON {'array' if isinstance(params, list) else 'object'} here")


def _template(kind: str) -> str:
    job, _, method = kind.rpartition(".")
    return commands.line("enqueue", job or "JOB", method or "METHOD") + " --json JSON"


def _data(fields: Fields) -> dict[str, Any]:
    return {**fields._asdict(), "fields": [one._asdict() for one in fields.fields]}


def _back(request: Request) -> str:
    kind = request.query_params.get("kind", "")
    return f"enqueue/?{urlencode({'kind': kind})}" if kind else "enqueue/"


ROUTES: list[BaseRoute] = [*page("/enqueue/", _view), action("/enqueue/", _enqueue, _back)]
