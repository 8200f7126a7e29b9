"""Making an answer of a screen: HTML by a template, or the same as JSON; and what all templates share."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

import spoolrunner
from spoolrunner.protocol.names import is_id
from spoolrunner.system.clock import SYSTEM, Clock
from spoolrunner.telling.line_format import printable
from spoolrunner.web import drawings, frame, words
from spoolrunner.web.access import Access
from spoolrunner.web.deeds import Deeds
from spoolrunner.web.desk import Desk
from spoolrunner.web.frame import Frame
from spoolrunner.web.notes import Notes
from spoolrunner.web.pulse import Pulse
from spoolrunner.web.settings import Settings
from spoolrunner.web.surveys import Failure


class Web(NamedTuple):
    """All that a request is answered from; `request.app.state.web`."""

    desk: Desk
    settings: Settings
    access: Access
    notes: Notes
    deeds: Deeds
    log: Callable[[str, str, int], str]
    """Writes into the spool's log who did what: a name, the command line that does the same, the number of files.

    It returns why that cannot be written, or "".
    """
    pulse: Pulse
    templates: jinja2.Environment
    clock: Clock = SYSTEM


@dataclass(frozen=True, slots=True)
class Screen:
    """What is to be shown: a template with its values, and the same as JSON data; `tab` is the folder that is open."""

    template: str
    values: dict[str, Any]
    data: Any
    tab: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)")
"""A time as we write it."""
View = Callable[[Request], Screen | Response]


def page(path: str, view: View) -> list[BaseRoute]:
    """Return the routes of a page: as HTML at its path, and as JSON at its path with `.json` behind it. GET alone."""
    return [Route(f"{path}.json", partial(_as_json, view)), Route(path, partial(_as_html, view))]


def web_of(request: Request) -> Web:
    """Return what the request is answered from."""
    found: Web = request.app.state.web
    return found


def frame_of(request: Request) -> Frame:
    """Return what stands around the page of a request: looked at once, so that the page does not contradict itself."""
    state = request.state
    if not hasattr(state, "frame"):
        web = web_of(request)
        state.frame = frame.look(web.desk, web.clock.wall())
        looked = state.frame.looked
        web.pulse.is_busy = looked is not None and bool(looked.seen.running)
    found: Frame = state.frame
    return found


def show(request: Request, screen: Screen) -> Response:
    """Return a screen as HTML, in the frame of all pages."""
    web, state = web_of(request), request.state
    now = web.clock.wall()
    path = getattr(state, "came_for", request.url.path)
    shared = {
        "root": "../" * (path.count("/") - 1) or "./",
        "here": path.rpartition("/")[2],
        "query": request.url.query,
        "tab": screen.tab,
        "now": now,
        "zone": words.zone(now),
        "is_read_only": web.settings.is_read_only,
        "hides_params": web.settings.hides_params,
        "version": spoolrunner.__version__,
        "said": web.notes.get(request.query_params.get("said", "")),
        "is_known": bool(state.who),
        "is_asked_again": request.method in ("GET", "HEAD"),
    }
    if state.who:
        shared["frame"] = frame_of(request)
    text = web.templates.get_template(screen.template).render({**shared, **screen.values})
    return HTMLResponse(text, screen.status, screen.headers)


def make_templates() -> jinja2.Environment:
    """Return the templates: all is escaped and made printable, and a name that is not given is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.join(os.path.dirname(__file__), "templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
        auto_reload=False,
    )
    made.filters |= {
        "number": words.number,
        "size": words.size,
        "duration": words.duration,
        "stopwatch": words.stopwatch,
        "rfc3339": words.rfc3339,
        "lines": _lines,
        "cut": _cut,
        "time": _time,
        "short": _short,
        "ago": _ago,
        "shell": shlex.quote,
        "json": _json,
        "moments": _moments,
    }
    made.tests |= {"id": is_id}
    made.globals |= {"plural": words.plural, "hours": _hours, "group_slots": _group_slots}
    return made


def _as_html(view: View, request: Request) -> Response:
    """The page; 304 without drawing it when the one that is asking has it as it is now."""
    web = web_of(request)
    tag = f'W/"{web.pulse.version()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    began = web.clock.work()
    answer = view(request)
    if not isinstance(answer, Screen):
        return answer
    drawn = show(request, answer)
    if drawn.status_code == 200:
        drawn.headers["etag"] = tag
    if "x-refresh" in request.headers:
        web.pulse.spent(web.clock.work() - began)
    return drawn


def _as_json(view: View, request: Request) -> Response:
    answer = view(request)
    if not isinstance(answer, Screen):
        return answer
    text = json.dumps(answer.data, indent=1)
    return Response(text + "\n", answer.status, answer.headers, media_type="application/json")


def _printable(value: Any) -> Any:
    """What is put into a template: of text, what is not printable is shown as an escape; None is nothing."""
    if value is None:
        return ""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """Text of several lines, each printable."""
    return Markup("\n").join(escape(printable(row.expandtabs())) for row in str(text).split("\n"))


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)


@jinja2.pass_context
def _moments(context: jinja2.runtime.Context, text: str) -> Markup:
    """A sentence of ours, with the times in it as elements that a script may show in the reader's zone."""
    made = Markup()
    for place, piece in enumerate(_TIME.split(text)):
        at = words.seconds_of(piece) if place % 2 else None
        made += escape(printable(piece)) if at is None else _time(context, at)
    return made


def _cut(text: str, most: int) -> str:
    """Text of that many characters at most."""
    return text if len(text) <= most else text[: most - 1] + "…"


@jinja2.pass_context
def _time(context: jinja2.runtime.Context, wall: float, form: str = "") -> Markup:
    """A time as an element that a script may show in the reader's zone; `form` is one of `words.FORMS`."""
    form = form or ("hms" if words.is_today(wall, context["now"]) else "dhm")
    return Markup('<time datetime="{}" data-t="{}">{}</time>').format(
        words.rfc3339(wall), form, words.clock(wall, form)
    )


@jinja2.pass_context
def _short(context: jinja2.runtime.Context, wall: float) -> Markup:
    """A time in as few letters as it takes: without the day when it is of today."""
    return _time(context, wall, "hm" if words.is_today(wall, context["now"]) else "dhm")


@jinja2.pass_context
def _ago(context: jinja2.runtime.Context, wall: float) -> str:
    """How long ago a time is."""
    return f"{words.ago(context['now'] - wall)} ago"


@jinja2.pass_context
def _hours(context: jinja2.runtime.Context, group: Failure) -> Markup:
    """The failures of a group in each of the last twelve hours, drawn."""
    now = context["now"]
    counts = [0] * 12
    for at in group.times:
        hour = 11 - int((now - at) // 3600)
        if 0 <= hour < 12:
            counts[hour] += 1
    sentence = f"{sum(counts)} in the last 12 hours"
    return drawings.bars(counts, sentence, size=drawings.Size(120, 18))


def _group_slots(limit: Any) -> Markup:
    """The places of a group, drawn: those that are taken are full."""
    return drawings.slots([1.0] * limit.running, limit.most, size=drawings.Size(144, 14))
