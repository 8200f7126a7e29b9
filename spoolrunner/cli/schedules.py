"""`schedules`: what is published at which times, and running, pausing or resuming one of them."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out, render
from spoolrunner.client import schedules
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.client.schedules import Scheduled
from spoolrunner.config.load import Config, load_config
from spoolrunner.errors import JobFormatError

_ACTIONS = ("run", "pause", "resume")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=_ACTIONS,
        metavar="ACTION",
        help="run: publish a job of it now, besides its times; pause: skip its times; resume: no more. Left out: list them all",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the schedule")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    """List the schedules, or do with one what was asked for."""
    settings = load_config(arguments.config)
    if arguments.action is None:
        return _list(settings, as_json=arguments.json)
    if arguments.name is None:
        raise JobFormatError("NAME", f"missing; write `spoolrunner schedules {arguments.action} NAME`")
    if arguments.action == "run":
        out.say(schedules.run(settings, arguments.name).id)
    elif arguments.action == "pause":
        out.say(as_typed.touched(schedules.pause(settings, arguments.name)))
    else:
        path = schedules.resume(settings, arguments.name)
        if path is None:
            out.complain(f"the schedule {arguments.name} was not paused")
        else:
            out.say(as_typed.removed(path))
    return 0


def _list(settings: Config, *, as_json: bool) -> int:
    found = schedules.schedules(settings)
    if as_json:
        render.as_json([one._asdict() for one in found])
        return 0
    for number, one in enumerate(found):
        if number:
            out.say()
        _print(one)
    if not found:
        out.complain(f"{settings.path} has no schedules; docs/schedules.md shows how to write one")
    elif dispatcher_of(settings.layout) is None:
        out.complain("no dispatcher runs, so nothing is published; start one with `spoolrunner run`")
    return 0


def _print(one: Scheduled) -> None:
    render.fields(
        [
            ("schedule", one.name),
            ("when", one.words),
            ("job", f"{one.job}.{one.method}"),
            ("paused", f"yes: `spoolrunner schedules resume {one.name}` goes on" if one.paused else ""),
            ("next", ", ".join(one.next) or "never"),
            ("last", "" if one.last_job is None else f"{one.last_slot}: {_last(one)}"),
            ("skipped", _skipped(one.skipped[-1]) if one.skipped else ""),
            ("trouble", one.problem),
        ]
    )


def _skipped(skip: dict[str, str]) -> str:
    until = "" if skip["last"] == skip["first"] else f" to {skip['last']}"
    return f"{skip['first']}{until}: {skip['why']}"


def _last(one: Scheduled) -> str:
    if one.last_state == "removed":
        return f"{one.last_job}, which lies in no folder any more"
    how = f" ({one.last_outcome})" if one.last_outcome not in (None, "succeeded") else ""
    return f"{one.last_job} is {one.last_state}{how}"
