"""What all actions share: a POST with a form, what goes wrong as a refusal, and 303 to a page that says what was done."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spoolrunner.errors import SpoolRunnerError
from spoolrunner.web.answers import web_of
from spoolrunner.web.filters import Filters
from spoolrunner.web.forms import Form, read_form
from spoolrunner.web.notes import Live, Note

Act = Callable[[Request, Form], Response]


def action(path: str, act: Act, back: Callable[[Request], str] = lambda _: "") -> Route:
    """Return the route of an action: `act` gets the form, in a thread; what it raises is a refusal on the page `back`."""

    async def endpoint(request: Request) -> Response:
        form = await read_form(request)
        try:
            return await run_in_threadpool(act, request, form)
        except SpoolRunnerError as error:
            return lead(request, back(request), refusal(f"{error}. Nothing was done."))
        except OSError as error:
            return lead(request, back(request), refusal(f"It failed: {error}."))

    return Route(path, endpoint, methods=["POST"])


def refusal(text: str, command: str = "") -> Note:
    """Return a note that is said as an alert."""
    return Note(text, command, is_refusal=True)


def logged(request: Request, note: Note) -> Note:
    """Write the command line of a note into the spool's log; what was done stands also where that cannot be written."""
    problem = web_of(request).log(str(request.state.who), note.command, 1)
    return note._replace(text=f"{note.text} {problem[:1].upper()}{problem[1:]}.") if problem else note


def lead(request: Request, address: str, note: Note | Live) -> Response:
    """Return 303 to a page of ours, given from the root with its query, which shows the note."""
    key = web_of(request).notes.put(note)
    path, _, query = address.partition("?")
    return RedirectResponse(f"{root(request)}{path}?{query}{'&' if query else ''}said={key}", 303)


def root(request: Request) -> str:
    """Return the way from the address of a request to the root of the page, as `../`; so a proxy may put it anywhere."""
    path: str = request.state.came_for
    return "../" * (path.count("/") - 1) or "./"


def job_address(job_id: str) -> str:
    """Return the address of a job's page from the root."""
    return f"job/{quote(job_id, safe='')}"


def list_address(folder: str, filters: Filters) -> str:
    """Return the address of a list from the root."""
    return f"{folder}/{filters.query()}"
