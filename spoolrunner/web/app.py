"""The page as an ASGI application: its table of addresses, behind the guard."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from spoolrunner.client.acted import note_line
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.system.clock import SYSTEM, Clock
from spoolrunner.web import actions, coming_in, live, screens
from spoolrunner.web.access import Access
from spoolrunner.web.answers import Screen, Web, make_templates, show
from spoolrunner.web.deeds import Deeds
from spoolrunner.web.desk import Desk
from spoolrunner.web.notes import Notes
from spoolrunner.web.pulse import Pulse
from spoolrunner.web.security import Guard
from spoolrunner.web.settings import Settings

ROUTES: list[BaseRoute] = [
    *coming_in.ROUTES,
    *screens.ROUTES,
    *actions.ROUTES,
    *live.ROUTES,
    Mount("/static", StaticFiles(directory=os.path.join(os.path.dirname(__file__), "static"))),
]
"""Every address. A room of the page adds its `ROUTES` here."""


def make_app(
    desk: Desk,
    settings: Settings,
    announce: Callable[[str], object] = str,
    clock: Clock = SYSTEM,
    log: Callable[[str, str, int], str] | None = None,
) -> ASGIApp:
    """Return the application.

    `announce` is given each new one-time token, the first one at once. `log` is told who did what, by which command line, with
    how many files, in place of the spool's log.
    """
    pulse = Pulse(lambda: desk.index.version, clock)
    access = Access(desk.layout.root, settings.password, announce, clock)
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: _open(desk),
        exception_handlers={404: _not_found, SpoolRunnerError: _bad_request},
    )
    app.router.redirect_slashes = False  # it would name a host, which a proxy may call otherwise
    app.state.web = Web(
        desk,
        settings,
        access,
        Notes(),
        Deeds(pulse.touch),
        log or partial(note_line, desk.layout),
        pulse,
        make_templates(),
        clock,
    )
    return Guard(app, settings, access)


@asynccontextmanager
async def _open(desk: Desk) -> AsyncIterator[None]:
    """The desk is open for as long as the application runs."""
    with desk:
        yield


def _not_found(request: Request, _error: Exception) -> Response:
    return show(request, Screen("missing.html", {"what": "There is no such page."}, None, status=404))


def _bad_request(request: Request, error: Exception) -> Response:
    return show(request, Screen("missing.html", {"what": f"{error}. Nothing was done."}, None, status=400))


def _broken(_request: Request, _error: Exception) -> Response:
    """An error of ours: its traceback is printed by the server, and the reader is told where to look."""
    return PlainTextResponse("The page failed at this; what its server printed says why. The spool goes on.\n", 500)
