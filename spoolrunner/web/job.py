"""One job, wherever it lies: its way, why it waits or what went wrong, what it printed, its file, and what can be done."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.routing import BaseRoute

from spoolrunner.client.glance import Glance
from spoolrunner.client.look import Look, check_id, find, look, looks
from spoolrunner.client.raw import Part, raw, tail
from spoolrunner.client.steps import kept
from spoolrunner.client.why import why
from spoolrunner.config.load import Config
from spoolrunner.errors import ConfigError, JobFormatError, JobNotFoundError
from spoolrunner.protocol.names import is_id
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.web import commands, drawn_job, parts, way, words
from spoolrunner.web.answers import Screen, Web, frame_of, page, web_of
from spoolrunner.web.drawn_job import Relative
from spoolrunner.web.frame import Looked
from spoolrunner.web.verdict import address
from spoolrunner.web.way import Printed

_MOST_PRINTED = 48 << 10
"""Bytes of what it printed that are shown; all of it is a link away."""
_MOST_JSON = 20_000
"""Characters of parameters, of a result or of `meta` that are shown."""
_MOST_BYTES = 2_000
"""Bytes of a file that cannot be read which are shown."""
_MOST_RELATED = 12
_HIDDEN = "hidden by --hide-params"


class Action(NamedTuple):
    """A button: its words, its file operation, the address, the fields, and a question when it asks first."""

    label: str
    operation: str
    address: str
    fields: dict[str, str]
    question: str = ""
    is_first: bool = False


def _view(request: Request) -> Screen:
    web, looked = web_of(request), frame_of(request).looked
    job_id = str(request.path_params["job_id"])
    found = _found(web, request, job_id)
    if found is None or looked is None:
        missing = {"what": f"No job {job_id[:120]} lies in any folder.", "find": job_id}
        return Screen("missing.html", missing, {"id": job_id, "state": None}, status=404)
    now = web.clock.wall()
    config = web.desk.config
    seen = web.desk.glances.of(found.state, found.id)
    runs = next((row for row in parts.running_rows(looked.seen.running, now) if row.id == found.id), None)
    reasons, cannot = _reasons(config, found)
    made = way.stays(found, seen, None if runs is None else runs.started_at, now)
    said, beside = way.headline(found, seen, reasons)
    printed, before = _printed(web, found)
    steps = _steps(web, found)
    values: dict[str, Any] = {
        "job": found,
        "seen": seen,
        "headline": said,
        "beside": beside,
        "same": _same(looked, seen),
        "way": drawn_job.way(made, way.sentence(made)) if made else None,
        "reasons": reasons,
        "cannot": cannot,
        "runs": runs,
        "actions": [] if web.settings.is_read_only else _actions(found, now),
        "commands": _commands(found),
        "printed": printed,
        "before": before,
        "error": way.shown_error(found.error),
        "ended_at": words.seconds_of(found.attempts[-1].get("ended_at")) if found.attempts else None,
        "fields": _fields(config, found),
        "params": _HIDDEN if web.settings.hides_params else _json((found.document or {}).get("params", [])),
        "result": _json(found.document["result"])
        if found.document and found.document.get("result") is not None
        else "",
        "bytes": _bytes(web, found),
        "steps": steps,
        "others": [one for one in looks(web.desk.layout, found.id) if one.state is not found.state],
        "related": _related(web, looked, found, seen),
        "is_dependent": found.outcome == Outcome.DEPENDENCY_FAILED,
        "at": f"{now:.3f}",
    }
    return Screen("job.html", values, _data(web, found, steps, reasons), tab=found.state.value)


def _found(web: Web, request: Request, job_id: str) -> Look | None:
    """The job of that id: in the folder that `?in=` names, else where it is to be found."""
    try:
        check_id(job_id)
    except JobFormatError:
        return None
    folder = request.query_params.get("in", "")
    layout = web.desk.layout
    if folder in list(State):
        return look(layout, State(folder), job_id)
    return find(layout, job_id)


def _reasons(config: Config, found: Look) -> tuple[list[str], str]:
    """Why it has not started; or why that cannot be found out."""
    if found.state is not State.PENDING:
        return [], ""
    try:
        return why(config, found.id).reasons, ""
    except (JobNotFoundError, OSError, ConfigError) as error:
        return [], str(error)


def _same(looked: Looked, seen: Glance | None) -> tuple[int, str] | None:
    """How many more of its kind have the same error, and the address of their list."""
    if seen is None or seen.state is not State.FAILED:
        return None
    error = seen.error_type or seen.outcome
    for group in looked.failures.groups:
        if (group.kind, group.error) == (seen.kind, error) and group.files > 1:
            return group.files - 1, address(group)
    return None


def _printed(web: Web, found: Look) -> tuple[list[Printed], int]:
    """What it printed, by attempt, and how many bytes before that are not shown."""
    try:
        text, before = tail(web.desk.layout, found.id, _MOST_PRINTED)
    except (OSError, JobFormatError) as error:
        return [Printed(0, "", f"cannot be read: {error}")], 0
    return way.output(text), before


def _steps(web: Web, found: Look) -> list[dict[str, Any]]:
    try:
        made = kept(web.desk.layout, found)
    except (OSError, JobFormatError):
        return []
    return [{**one, "value": _HIDDEN} for one in made] if web.settings.hides_params else made


def _actions(found: Look, now: float) -> list[Action]:
    folder, name = found.state.value, found.id
    fields = {"folder": folder, "at": f"{now:.3f}"}
    sure = {**fields, "sure": "yes"}
    discard = Action(
        "Discard",
        commands.removed([f"{folder}/{name}.json"]),
        "discard",
        sure,
        "Its file, and what it printed, are removed for good.",
    )
    copy = Action("Run a copy", "mv -n tmp/x pending/NEW-ID.json", "copy", fields)
    cancel = Action(
        "Cancel",
        commands.touched(f"control/cancel-{name}"),
        "cancel",
        sure,
        "It goes to failed/ as cancelled."
        if found.state is State.PENDING
        else "It is ended, with all that it has started.",
    )
    back = commands.moved(folder, name, "pending")
    return {
        State.PENDING: [cancel, discard],
        State.RUNNING: [cancel],
        State.DONE: [Action("Run again", back, "retry", fields), copy, discard],
        State.FAILED: [Action("Retry", back, "retry", fields, is_first=True), copy, discard],
    }[found.state]


def _commands(found: Look) -> list[str]:
    """The command lines that do the same, the usual one first; a copy is what `enqueue` makes of the same words."""
    name = found.id
    verbs = {
        State.PENDING: ("why", "cancel", "edit", "discard"),
        State.RUNNING: ("logs", "cancel"),
        State.DONE: ("show", "retry", "discard"),
        State.FAILED: ("retry", "discard", "show"),
    }
    return [commands.named(verb, [name]) for verb in verbs[found.state]]


def _fields(config: Config, found: Look) -> list[tuple[str, Any]]:
    """What its file says beside its parameters: names and values, which are texts, times or addresses."""
    raw_document = found.document or {}
    policy = config.allowed.get(str(raw_document.get("job")), {}).get(str(raw_document.get("method")))
    timeout = raw_document.get("timeout") or (policy and words.duration(policy.timeout)) or ""
    moments = ("created_at", "next_run_at", "expires_at")
    times = {key: at for key in moments if (at := words.seconds_of(raw_document.get(key))) is not None}
    told = {
        "made": times.get("created_at"),
        "not before": times.get("next_run_at"),
        "expires": times.get("expires_at"),
        "delay": raw_document.get("delay"),
        "priority": raw_document.get("priority")
        if raw_document.get("priority") is not None
        else policy and policy.priority,
        "timeout": timeout,
        "meta": _json(raw_document.get("meta"), indent=None) if raw_document.get("meta") else None,
    }
    return [(name, value) for name, value in told.items() if value not in (None, "")]


def _json(value: Any, indent: int | None = 2) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return text if len(text) <= _MOST_JSON else f"{text[:_MOST_JSON]}\n… {len(text) - _MOST_JSON} characters more"


def _bytes(web: Web, found: Look) -> str:
    """The first bytes of a file that cannot be read as a document, where they may be shown."""
    if not found.problem or web.settings.hides_params or not is_id(found.id):
        return ""
    try:
        file = raw(web.desk.layout, Part.DOCUMENT, found.id, found.state)
    except (OSError, JobFormatError):
        return ""
    if file is None:
        return ""
    with file:
        return file.stream.read(_MOST_BYTES).decode("utf-8", "backslashreplace")


def _related(web: Web, looked: Looked, found: Look, seen: Glance | None) -> Markup | None:
    """What it waits for and what waits for it, drawn."""
    layout = web.desk.layout
    names = list(seen.after if seen is not None else ())[:_MOST_RELATED]
    behind = [*looked.waiting.behind.get(found.id, []), *looked.failures.behind.get(found.id, [])][:_MOST_RELATED]
    if not names and not behind:
        return None

    def relative(name: str) -> Relative:
        other = find(layout, name) if is_id(name) else None
        return Relative(name, "" if other is None else other.state.value, words.quoted(name))

    own = Relative(found.id, found.state.value, words.quoted(found.id))
    told = f"{found.id} waits for {', '.join(names) or 'nothing'}; {', '.join(behind) or 'nothing'} waits for it"
    return drawn_job.relations([relative(one) for one in names], own, [relative(one) for one in behind], told)


def _data(web: Web, found: Look, steps: list[dict[str, Any]], reasons: list[str]) -> dict[str, Any]:
    document = found.document
    if document is not None and web.settings.hides_params:
        document = {**document, "params": _HIDDEN}
    return {
        "id": found.id,
        "state": found.state.value,
        "document": document,
        "problem": found.problem or None,
        "reason": found.reason,
        "progress": found.progress,
        "result": (document or {}).get("result"),
        "steps": steps,
        "why": reasons,
    }


ROUTES: list[BaseRoute] = page("/job/{job_id}", _view)
