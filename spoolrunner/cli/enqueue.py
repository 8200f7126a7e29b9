"""`enqueue`: a job from the command line's words."""

from __future__ import annotations

import argparse
from typing import Any

from spoolrunner.cli import out
from spoolrunner.client.enqueue import enqueue
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("job", metavar="JOB", help="dotted path of a class or module in allowed_jobs")
    parser.add_argument("method", metavar="METHOD")
    parser.add_argument("params", nargs="*", metavar="PARAM", help="parameters by position, as strings")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter by name")
    parser.add_argument("--json", metavar="JSON", help="all parameters, as a JSON array or object")
    parser.add_argument("--delay", default=0, metavar="DURATION", help="start not before this: 90, 90s, 5m, 2h, 7d")
    parser.add_argument("--at", metavar="TIME", help="start not before this: 2026-11-23T17:45:01Z")
    parser.add_argument("--expires-at", metavar="TIME", help="never start it after this")
    parser.add_argument("--priority", type=int, metavar="N", help="-1000 to 1000, higher first")
    parser.add_argument("--max-retries", type=int, metavar="N")
    parser.add_argument("--timeout", metavar="DURATION")
    parser.add_argument("--meta", metavar="JSON", help="free data, carried along: a JSON object")
    parser.add_argument(
        "--after", action="append", default=[], metavar="ID", help="start when this job is done; may come again"
    )
    parser.add_argument("--after-ended", action="store_true", help="or failed: start when those of --after are over")
    parser.add_argument("--group", metavar="NAME", help="whose limits and pauses it is under")
    parser.add_argument("--id", metavar="ID", help="instead of one made from the time")
    parser.add_argument(
        "--unique",
        metavar="WHERE",
        help="refuse the --id: `kept`, while a job of it lies in any folder; `waiting`, in pending/ alone (always so)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Publish the job and print its id."""
    meta = None if arguments.meta is None else _json("--meta", arguments.meta)
    if meta is not None and not isinstance(meta, dict):
        raise JobFormatError("--meta", "must be a JSON object")
    job = enqueue(
        arguments.job,
        arguments.method,
        _params(arguments),
        _seconds(arguments.delay),
        priority=arguments.priority,
        id=arguments.id,
        next_run_at=arguments.at,
        max_retries=arguments.max_retries,
        timeout=None if arguments.timeout is None else _seconds(arguments.timeout),
        expires_at=arguments.expires_at,
        meta=meta,
        unique=arguments.unique,
        after=_after(arguments),
        group=arguments.group,
        config=arguments.config,
    )
    out.say(job.id)
    return 0


def _after(arguments: argparse.Namespace) -> list[str] | dict[str, Any] | None:
    if arguments.after_ended and not arguments.after:
        raise JobFormatError("--after-ended", "name the jobs with --after")
    return {"jobs": arguments.after, "when": "ended"} if arguments.after_ended else arguments.after or None


def _params(arguments: argparse.Namespace) -> list[Any] | dict[str, Any]:
    given = [bool(arguments.params), bool(arguments.param), arguments.json is not None]
    if sum(given) > 1:
        raise JobFormatError("params", "give parameters by position, by name (--param) or as --json, not mixed")
    if arguments.json is not None:
        params = _json("--json", arguments.json)
        if not isinstance(params, (list, dict)):
            raise JobFormatError("--json", "must be a JSON array (by position) or object (by name)")
        return params
    if arguments.param:
        return dict(_pair(text) for text in arguments.param)
    return list(arguments.params)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise JobFormatError("--param", f"{text!r} is not NAME=VALUE")
    return name, value


def _json(option: str, text: str) -> Any:
    return jsontext.decode_value(text, option)


def _seconds(text: str | float) -> str | float:
    """A bare number is seconds, as in a job file; what is neither is for the parser of durations to refuse."""
    try:
        return float(text)
    except ValueError:
        return text
