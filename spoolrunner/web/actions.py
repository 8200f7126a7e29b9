"""All that changes something: the routes of every POST but the one for coming in. Each is a file operation or a few."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spoolrunner.web import acts_on_control, acts_on_many, acts_on_one, editing, enqueueing

ROUTES: list[BaseRoute] = [
    *acts_on_many.ROUTES,
    *acts_on_one.ROUTES,
    *acts_on_control.ROUTES,
    *editing.ROUTES,
    *enqueueing.ROUTES,
]
