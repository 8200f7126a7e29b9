"""The pages, each with its addresses: what can be looked at. What can be done is in `actions`."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spoolrunner.web import job, lists, overview, raw_files

ROUTES: list[BaseRoute] = [
    *overview.ROUTES,
    *lists.ROUTES,
    *job.ROUTES,
    *raw_files.ROUTES,
]
