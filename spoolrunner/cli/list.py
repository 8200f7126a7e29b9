"""`list`: the jobs, a line each; those that wait in the order in which they will start."""

from __future__ import annotations

import argparse
from typing import Any

from spoolrunner.cli import filters, out, render
from spoolrunner.client.listing import Listed, list_state
from spoolrunner.config.load import load_config
from spoolrunner.protocol.states import State
from spoolrunner.system import clock
from spoolrunner.system.clock import format_time

_DEFAULT_ROWS = 20
_ALL_COLUMNS = {"id": "id", "state": "state", "job": "what", "tries": "attempts", "note": "due_note"}
_COLUMNS = {
    "pending": {"id": "id", "prio": "priority", "due": "due_at", "job": "what", "tries": "attempts", "note": "note"},
    "running": {
        "id": "id",
        "try": "attempt",
        "started": "started_at",
        "deadline": "deadline",
        "progress": "progress",
        "job": "what",
        "note": "note",
    },
}
"""state -> the columns when it alone is listed: header -> key of the summary."""
_TIMES = ("due_at", "started_at", "deadline")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    states = [state.value for state in State]
    parser.add_argument("state", nargs="?", choices=states, metavar="STATE", help="pending, …")
    parser.add_argument("--json", action="store_true", help="as JSON, all of them")
    parser.add_argument(
        "-n",
        "--limit",
        type=int,
        metavar="N",
        help="N of each state: first to start, or last (20; 0: all)",
    )
    filters.add_filters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the jobs of one state, or of all, that fit the filters."""
    settings = load_config(arguments.config)
    states = [State(arguments.state)] if arguments.state else list(State)
    limit = arguments.limit if arguments.limit is not None else (0 if arguments.json else _DEFAULT_ROWS)
    wanted = filters.wanted(arguments)
    listings = [list_state(settings, state, limit, wanted) for state in states]
    found = [_summary(job) for listing in listings for job in listing.jobs]
    if arguments.json:
        render.as_json(found)
        return 0
    columns = _COLUMNS.get(arguments.state, _ALL_COLUMNS)
    render.table(list(columns), [[_cell(job, key) for key in columns.values()] for job in found])
    for state, listing in zip(states, listings, strict=True):
        if listing.hidden is None:
            out.complain(f"there may be more in {state.value}/; --limit 0 shows all")
        elif listing.hidden:
            which = "start later" if listing.are_first else "older"
            out.complain(f"… and {listing.hidden} {which} in {state.value}/; --limit 0 shows all")
    return 0


def _cell(job: dict[str, Any], key: str) -> str:
    if key == "due_note":
        is_later = job["due_at"] is not None and job["due_at"] > format_time(clock.SYSTEM.wall())
        return "; ".join(filter(None, [f"due {render.to_the_second(job['due_at'])}" if is_later else "", job["note"]]))
    value = job[key]
    if value is None or (key == "attempts" and value == 0):
        return ""
    return render.to_the_second(value) if key in _TIMES else str(value)


def _summary(listed: Listed) -> dict[str, Any]:
    found = listed.look
    raw = found.document or {}
    job, method = str(raw.get("job", "")), str(raw.get("method", ""))
    return {
        "id": found.id,
        "state": found.state.value,
        "job": job,
        "method": method,
        "what": ".".join([*job.rsplit(".", 1)[-1:], method]).strip("."),
        "priority": raw.get("priority") if listed.priority is None else listed.priority,
        "created_at": raw.get("created_at"),
        "next_run_at": raw.get("next_run_at"),
        "due_at": _time(listed.due_at),
        "attempt": listed.attempt,
        "started_at": _time(listed.started_at),
        "deadline": _time(listed.deadline),
        "progress": render.progress(found.progress) or None,
        "attempts": len(found.attempts),
        "outcome": found.outcome,
        "note": _note(listed),
    }


def _time(moment: float | None) -> str | None:
    return None if moment is None else format_time(moment)


def _note(listed: Listed) -> str:
    found = listed.look
    what = str((found.reason or {}).get("what") or render.error(found.error) or found.problem)
    outcome = found.outcome if found.state is State.FAILED else None
    is_said = bool(outcome) and what.lower().startswith(outcome or "")
    return ": ".join(part for part in (None if is_said else outcome, what) if part)
