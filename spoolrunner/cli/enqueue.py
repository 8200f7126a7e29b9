"""`enqueue`: a job from the command line's words."""

from __future__ import annotations

import argparse
from typing import Any

import orjson

from spoolrunner.client.enqueue import enqueue as publish
from spoolrunner.errors import JobFormatError


def enqueue(arguments: argparse.Namespace) -> int:
    """Publish the job and print its id."""
    meta = None if arguments.meta is None else _json("--meta", arguments.meta)
    if meta is not None and not isinstance(meta, dict):
        raise JobFormatError("--meta", "must be a JSON object")
    job = publish(
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
        config=arguments.config,
    )
    print(job.id)
    return 0


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
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise JobFormatError(option, f"not valid JSON: {error}") from None


def _seconds(text: str | float) -> str | float:
    """A bare number is seconds, as in a job file; what is neither is for the parser of durations to refuse."""
    try:
        return float(text)
    except ValueError:
        return text
