"""`show`: everything about one job."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from spoolrunner.cli import out, render
from spoolrunner.cli.found import spool_of
from spoolrunner.client.look import Look, check_id, looks
from spoolrunner.client.printed import log_path
from spoolrunner.client.steps import kept
from spoolrunner.errors import JobNotFoundError

_MOST_OF_VALUE, _WIDEST = 60, 20
"""Characters that are shown of what a step returned, and of the column of their names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print everything about one job; 1 when there is none of that id."""
    layout = spool_of(arguments)
    found = looks(layout, check_id(arguments.id))
    if not found:
        raise JobNotFoundError(arguments.id)
    if arguments.json:
        shown = [_details(job) | {"steps": kept(layout, job)} for job in found]
        render.as_json(shown[0] if len(shown) == 1 else shown)
        return 0
    for job in found:
        _print_job(job, log_path(layout, job.id))
        _print_steps(kept(layout, job))
    return 0


def _details(found: Look) -> dict[str, Any]:
    keys = ("id", "state", "document", "problem", "reason", "progress")
    whole = asdict(found)
    known = {key: whole[key] for key in keys}
    return {**known, "problem": found.problem or None, "result": (found.document or {}).get("result")}


def _print_job(found: Look, log: str) -> None:
    raw, reason = found.document or {}, found.reason or {}
    plain = [(key, value) for key, value in raw.items() if key not in ("attempts", "job", "method")]
    render.fields(
        [
            ("id", found.id),
            ("state", found.state.value),
            ("job", f"{raw.get('job', '')}.{raw.get('method', '')}".strip(".")),
            *((key, render.as_text(value)) for key, value in plain),
            ("problem", found.problem),
            ("refused", ": ".join(str(reason[key]) for key in ("outcome", "what") if key in reason)),
            ("progress", render.progress(found.progress)),
            ("output", log),
        ]
    )
    for attempt in found.attempts:
        _print_attempt(attempt)


def _print_steps(steps: list[dict[str, Any]]) -> None:
    if steps:
        out.say("", "steps that are made")
    width = max((len(step["step"]) for step in steps), default=0)
    for step in steps:
        value = render.as_text(step["value"])
        shown = value if len(value) <= _MOST_OF_VALUE else value[:_MOST_OF_VALUE] + " …"
        render.fields([(f"  {step['step'].ljust(min(width, _WIDEST))}", f"{step.get('ended_at', '')}  {shown}")])


def _print_attempt(attempt: dict[str, Any]) -> None:
    known = {key: value for key, value in attempt.items() if key not in ("number", "error")}
    out.say("", f"attempt {attempt.get('number')}")
    render.fields([(f"  {key}", str(value)) for key, value in known.items()])
    found = attempt.get("error")
    error: dict[str, Any] = found if isinstance(found, dict) else {}
    render.fields([("  error", render.error(error))])
    render.block(str(error.get("traceback", "")))
