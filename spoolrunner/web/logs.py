"""What happens: the last lines of the dispatcher's log, and what runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spoolrunner.client import event_lines
from spoolrunner.client.event_lines import Said, last_lines
from spoolrunner.client.raw import RawFile
from spoolrunner.telling.line_format import Kind
from spoolrunner.web import parts, words
from spoolrunner.web.answers import Screen, frame_of, page, web_of

MOST = 150
"""Lines that are shown."""
_CHOICES = {
    "all": frozenset[str](),
    "failures": frozenset({Kind.FAILED, Kind.REFUSED, Kind.RETRY, Kind.TROUBLE}),
    "control": frozenset({Kind.DISPATCHER, Kind.TROUBLE, Kind.SCHEDULED, Kind.SKIPPED}),
}
"""The kinds of lines that can be chosen, by the word in the query."""
_COLOURS = {
    Kind.COMPLETED: "done",
    Kind.FAILED: "failed",
    Kind.REFUSED: "failed",
    Kind.TROUBLE: "failed",
    Kind.RETRY: "pending",
    Kind.RELEASED: "pending",
    Kind.ENDING: "running",
    Kind.SKIPPED: "running",
}
_TOLD = ("class", "method", "attempt", "duration", "outcome", "next_run_at", "note")


class Line(NamedTuple):
    """A line of the log: its time, its kind, the class of its colour, the job's id, and the rest in words."""

    at: float
    kind: str
    colour: str
    id: str
    text: str


def _view(request: Request) -> Screen:
    web, query = web_of(request), request.query_params
    wanted, choice = query.get("with", "").strip()[:500], query.get("events", "all")
    problem, said = "", list[Said]()
    try:
        said = last_lines(web.desk.layout, MOST, wanted, _CHOICES.get(choice, frozenset()))
    except OSError as error:
        problem = f"The log cannot be read: {error}"
    looked, now = frame_of(request).looked, web.clock.wall()
    values = {
        "lines": [_line(one) for one in said],
        "wanted": wanted,
        "choice": choice if choice in _CHOICES else "all",
        "problem": problem,
        "running": parts.running_rows(looked.seen.running, now) if looked else [],
        "places": looked.places if looked else None,
        "path": f"{web.desk.config.file.spool}/logs/{event_lines.FILE}",
        "most": MOST,
    }
    data: dict[str, Any] = {"lines": [{"at": one.at, "kind": one.kind, **one.fields} for one in said]}
    return Screen("logs.html", values, data, tab="logs")


def _line(said: Said) -> Line:
    fields = said.fields
    kind = ".".join([fields.get("class", "").rpartition(".")[2], fields.get("method", "")]).strip(".")
    outcome = fields.get("outcome", "")
    again = words.seconds_of(fields.get("next_run_at"))
    told = [
        kind,
        fields.get("attempt", ""),
        fields.get("duration", ""),
        "" if outcome in ("succeeded", said.kind) else outcome,
        "" if again is None else f"at {words.clock(again, 'hms')}",
        fields.get("note", ""),
        *(f"{name}={value}" for name, value in fields.items() if name not in (*_TOLD, "id", "verdict")),
    ]
    colour = _COLOURS.get(Kind(said.kind), "") if said.kind in list(Kind) else ""
    return Line(said.at, said.kind, colour, said.id, " ".join(filter(None, told))[:300])


def _raw(request: Request) -> Response:
    """The log as it lies there; `.1` to `.5` behind its name are those before it."""
    try:
        file = event_lines.log_file(web_of(request).desk.layout, str(request.path_params["name"]))
    except OSError as error:
        return PlainTextResponse(f"It cannot be read: {error.strerror or error}\n", 503)
    if file is None:
        return PlainTextResponse("There is no such file.\n", 404)
    return StreamingResponse(_pieces(file), media_type="text/plain; charset=utf-8")


def _pieces(file: RawFile) -> Iterator[bytes]:
    with file:
        left = file.size
        while left > 0 and (piece := file.stream.read(min(65536, left))):
            left -= len(piece)
            yield piece


def _with_slash(_request: Request) -> Response:
    return RedirectResponse("logs/", 307)


ROUTES: list[BaseRoute] = [
    Route("/logs", _with_slash),
    *page("/logs/", _view),
    Route("/logs/{name}", _raw, methods=["GET"]),
]
