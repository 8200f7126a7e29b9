"""`list`: the jobs, a line each."""

from __future__ import annotations

import argparse
from typing import Any

from spoolrunner.cli import out, render
from spoolrunner.client.look import Look, last_names, look
from spoolrunner.config.load import load_config
from spoolrunner.protocol.states import State

_DEFAULT_ROWS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    states = [state.value for state in State]
    parser.add_argument("state", nargs="?", choices=states, metavar="STATE", help="pending, …")
    parser.add_argument("--json", action="store_true", help="as JSON, all of them")
    parser.add_argument("-n", "--limit", type=int, metavar="N", help="the last N of each state (default 20; 0: all)")


def run(arguments: argparse.Namespace) -> int:
    """Print the jobs of one state, or of all."""
    layout = load_config(arguments.config).layout
    states = [State(arguments.state)] if arguments.state else list(State)
    limit = arguments.limit if arguments.limit is not None else (0 if arguments.json else _DEFAULT_ROWS)
    found: list[dict[str, Any]] = []
    hidden = 0
    for state in states:
        names, earlier = last_names(layout, state, limit)
        hidden += earlier
        found += [_summary(job) for name in names if (job := look(layout, state, name)) is not None]
    if arguments.json:
        render.as_json(found)
        return 0
    rows = [[job["id"], job["state"], job["what"], str(job["attempts"] or ""), job["note"]] for job in found]
    render.table(["id", "state", "job", "tries", "note"], rows)
    if hidden:
        out.complain(f"… and {hidden} older; --limit 0 shows all")
    return 0


def _summary(found: Look) -> dict[str, Any]:
    raw = found.document or {}
    job, method = str(raw.get("job", "")), str(raw.get("method", ""))
    return {
        "id": found.id,
        "state": found.state.value,
        "job": job,
        "method": method,
        "what": ".".join([*job.rsplit(".", 1)[-1:], method]).strip("."),
        "priority": raw.get("priority"),
        "created_at": raw.get("created_at"),
        "next_run_at": raw.get("next_run_at"),
        "attempts": len(found.attempts),
        "outcome": found.outcome,
        "note": _note(found),
    }


def _note(found: Look) -> str:
    what = str((found.reason or {}).get("what") or render.error(found.error) or found.problem)
    next_run_at = (found.document or {}).get("next_run_at")
    if found.state is State.PENDING and next_run_at:
        what = f"next run {next_run_at}" + (f"; {what}" if what else "")
    outcome = found.outcome if found.state is State.FAILED else None
    return ": ".join(part for part in (outcome, what) if part)
