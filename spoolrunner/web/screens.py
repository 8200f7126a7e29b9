"""The pages, each with its addresses: what can be looked at. What can be done is in `actions`."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spoolrunner.web import in_force, job, lists, logs, overview, raw_files, schedules

ROUTES: list[BaseRoute] = [
    *overview.ROUTES,
    *lists.ROUTES,
    *job.ROUTES,
    *schedules.ROUTES,
    *raw_files.ROUTES,
    *logs.ROUTES,
    *in_force.ROUTES,
]
