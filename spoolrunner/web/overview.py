"""The overview: whether all is well, and what is not."""

from __future__ import annotations

from starlette.requests import Request

from spoolrunner.web.answers import Screen, page


def _view(_request: Request) -> Screen:
    return Screen("overview.html", {}, {}, tab="spool")


ROUTES = page("/", _view)
