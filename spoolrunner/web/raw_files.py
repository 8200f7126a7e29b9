"""The bytes of files, as plain text: what lies in the folders is shown as it is, and never as a page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spoolrunner.client.look import find
from spoolrunner.client.raw import Part, RawFile, raw
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web import words
from spoolrunner.web.answers import web_of

_PIECE = 64 << 10
"""Bytes that are read at a time."""
_HIDDEN = "This page was started with --hide-params, and this file holds parameters.\n"


def _of_job(state: State, request: Request) -> Response:
    """ID.json or ID.reason of a folder; where the job has moved meanwhile, 303 to where it lies now."""
    name = str(request.path_params["name"])
    part = Part.REASON if name.endswith(Part.REASON) and state is State.FAILED else Part.DOCUMENT
    if not name.endswith(part):
        return PlainTextResponse("There is no such file.\n", 404)
    job_id = name.removesuffix(part)
    web = web_of(request)
    if part is Part.DOCUMENT and web.settings.hides_params:
        return PlainTextResponse(_HIDDEN, 403)
    answer = _answer(request, part, job_id, state)
    if answer is not None:
        return answer
    now = find(web.desk.layout, job_id) if part is Part.DOCUMENT else None
    if now is None or now.state is state:
        return PlainTextResponse("There is no such file.\n", 404)
    return RedirectResponse(f"../{now.state.value}/{words.quoted(now.id)}.json", 303)


def _beside(part: Part, request: Request) -> Response:
    """What a job has printed, or its steps."""
    name = str(request.path_params["name"])
    if part is Part.STEPS and web_of(request).settings.hides_params:
        return PlainTextResponse(_HIDDEN, 403)
    found = _answer(request, part, name.removesuffix(part), None) if name.endswith(part) else None
    return found or PlainTextResponse("There is no such file.\n", 404)


def _answer(request: Request, part: Part, job_id: str, state: State | None) -> Response | None:
    try:
        file = raw(web_of(request).desk.layout, part, job_id, state)
    except JobFormatError as error:
        return PlainTextResponse(f"{error}\n", 404)
    except OSError as error:
        return PlainTextResponse(f"It cannot be read: {error.strerror or error}\n", 503)
    if file is None:
        return None
    return StreamingResponse(_pieces(file), media_type="text/plain; charset=utf-8")


def _pieces(file: RawFile) -> Iterator[bytes]:
    """The bytes that the file had when it was opened; what is written meanwhile is for the next request."""
    with file:
        left = file.size
        while left > 0 and (piece := file.stream.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


ROUTES: list[BaseRoute] = [
    *(Route(f"/{state.value}/{{name}}", partial(_of_job, state), methods=["GET"]) for state in State),
    Route("/logs/jobs/{name}", partial(_beside, Part.LOG), methods=["GET"]),
    Route("/steps/{name}", partial(_beside, Part.STEPS), methods=["GET"]),
]
