"""The settings in force: every key of config.json with its value, secrets hidden, and the keys of the page."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from spoolrunner.config.load import Config, parse_config
from spoolrunner.web.answers import Screen, page, web_of

_HIDDEN = "hidden"


class Key(NamedTuple):
    """A key of config.json: its value as JSON data, and whether it is another than the default."""

    name: str
    value: Any
    is_set: bool


def _view(request: Request) -> Screen:
    web = web_of(request)
    config, problems = web.desk.in_force()
    keys = _keys(config, hides_params=web.settings.hides_params)
    values = {"keys": keys, "problems": problems, "path": config.path, "settings": web.settings}
    data = {"config": config.path, "problems": problems, "effective": {key.name: key.value for key in keys}}
    return Screen("settings.html", values, data)


def _keys(config: Config, *, hides_params: bool) -> list[Key]:
    """Every key with its value, those that were set first; values that may be secrets are not among them."""
    default = parse_config(config.path, {"allowed_jobs": {}}).effective()
    shown = config.effective()
    shown["environment"] = dict.fromkeys(shown["environment"], _HIDDEN)
    if hides_params:
        shown["schedules"] = {name: {**keys, "params": _HIDDEN} for name, keys in shown["schedules"].items()}
    made = [Key(name, value, value != default.get(name)) for name, value in shown.items()]
    return sorted(made, key=lambda key: not key.is_set)


def _keyboard(_request: Request) -> Screen:
    return Screen("keys.html", {}, {})


def _with_slash(request: Request) -> Response:
    return RedirectResponse(f"{request.state.came_for.rpartition('/')[2]}/", 307)


ROUTES: list[BaseRoute] = [
    Route("/settings", _with_slash),
    Route("/keys", _with_slash),
    *page("/settings/", _view),
    *page("/keys/", _keyboard),
]
