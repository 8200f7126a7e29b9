"""`edit`: other values for a job that waits."""

from __future__ import annotations

import argparse
from typing import Any

from spoolrunner.cli import out
from spoolrunner.client.edit import KEEP, edit
from spoolrunner.config.load import load_config
from spoolrunner.errors import JobFormatError, hint_at_ending
from spoolrunner.protocol import jsontext

_NONE = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("id", metavar="ID", help="of a job in pending/")
    parser.add_argument("--priority", metavar="N", help="-1000 to 1000, higher first; `none`: that of its method")
    parser.add_argument("--at", metavar="TIME", help="start not before this: 2026-11-23T17:45:01Z; `none`: now")
    parser.add_argument("--delay", metavar="DURATION", help="start not before this from now on: 90, 90s, 5m, 2h, 7d")
    parser.add_argument("--params", metavar="JSON", help="all parameters, as a JSON array or object")


def run(arguments: argparse.Namespace) -> int:
    """Exchange the file for one with these values; 1 when nothing was changed."""
    if all(value is None for value in (arguments.priority, arguments.at, arguments.delay, arguments.params)):
        raise JobFormatError("edit", "say what is to be another: --priority, --at, --delay or --params")
    settings = load_config(arguments.config)
    answer = edit(
        settings,
        arguments.id,
        priority=KEEP if arguments.priority is None else _priority(arguments.priority),
        at=KEEP if arguments.at is None else _unless_none(arguments.at),
        delay=None if arguments.delay is None else _seconds(arguments.delay),
        params=KEEP if arguments.params is None else _params(arguments.params),
    )
    if answer.problem:
        out.complain(f"{arguments.id}: {answer.problem}{hint_at_ending(arguments.id)}")
        return 1
    out.say(f"{arguments.id}: {', '.join(answer.fields)} changed")
    return 0


def _unless_none(text: str) -> str | None:
    return None if text == _NONE else text


def _priority(text: str) -> int | None:
    try:
        return None if text == _NONE else int(text)
    except ValueError:
        raise JobFormatError("--priority", f"{text!r} is neither a whole number nor `none`") from None


def _seconds(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _params(text: str) -> Any:
    params = jsontext.decode_value(text, "--params")
    if not isinstance(params, (list, dict)):
        raise JobFormatError("--params", "must be a JSON array (by position) or object (by name)")
    return params
