"""`status`, `list`, `show`, `logs`: looking, without touching anything."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from spoolrunner.cli import render
from spoolrunner.config.load import load_config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import dispatcher_lock
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout, is_job_name
from spoolrunner.system import clock, processes
from spoolrunner.telling import status as status_file
from spoolrunner.telling.events import printable

_DEFAULT_ROWS = 20
_FOLLOW_PAUSE = 0.2


def dispatcher_of(layout: Layout) -> dict[str, Any] | None:
    """Who serves the spool: pid, host, since; None when nobody does."""
    held = dispatcher_lock.holder(layout.dispatcher_lock)
    if not held or not processes.lives(held.get("pid", 0), held.get("start", ""), processes.boot_id()):
        return None
    return held


def status(arguments: argparse.Namespace) -> int:
    """Print what the dispatcher does and how many jobs are where."""
    layout = load_config(arguments.config).layout
    holder = dispatcher_of(layout)
    said = status_file.read(layout) if holder else {}
    counts = {state.value: sum(1 for _ in _names(layout, state)) for state in State}
    report = {
        "spool": layout.root,
        "dispatcher": None if holder is None else {**holder, "state": said.get("state", "starting")},
        "counts": counts,
        "due": said.get("due"),
        "running": [{**attempt, "progress": _progress(layout, attempt["id"])} for attempt in said.get("running", [])],
        "totals": said.get("totals", {}),
        "events": said.get("events"),
        "paused": os.path.exists(layout.pause),
        "trouble": said.get("trouble", []),
    }
    if arguments.json:
        render.as_json(report)
    else:
        _print_status(report)
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """Print the jobs of one state, or of all."""
    layout = load_config(arguments.config).layout
    states = [State(arguments.state)] if arguments.state else list(State)
    limit = arguments.limit if arguments.limit is not None else (0 if arguments.json else _DEFAULT_ROWS)
    found: list[dict[str, Any]] = []
    hidden = 0
    for state in states:
        names = sorted(_names(layout, state))
        shown = names[-limit:] if limit > 0 else names
        hidden += len(names) - len(shown)
        found += [summary for name in shown if (summary := _summary(layout, state, name)) is not None]
    if arguments.json:
        render.as_json(found)
        return 0
    rows = [[job["id"], job["state"], job["what"], str(job["attempts"] or ""), job["note"]] for job in found]
    render.table(["id", "state", "job", "tries", "note"], rows)
    if hidden:
        print(f"… and {hidden} older; --limit 0 shows all", file=sys.stderr)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print everything about one job."""
    layout = load_config(arguments.config).layout
    found = [job for state in State if (job := _details(layout, state, check_id(arguments.id))) is not None]
    if not found:
        return _missing(arguments.id)
    if arguments.json:
        render.as_json(found[0] if len(found) == 1 else found)
        return 0
    for job in found:
        _print_job(layout, job)
    return 0


def logs(arguments: argparse.Namespace) -> int:
    """Print a job's own output; with --follow until it has ended."""
    layout = load_config(arguments.config).layout
    if not any(os.path.lexists(layout.job(state, check_id(arguments.id))) for state in State):
        return _missing(arguments.id)
    position = 0
    while True:
        is_over = not _is_active(layout, arguments.id)
        position = _print_log(layout.log(arguments.id), position, is_over or not arguments.follow)
        if is_over or not arguments.follow:
            break
        clock.SYSTEM.sleep(_FOLLOW_PAUSE)
    if position == 0:
        print(f"{printable(arguments.id)} printed nothing", file=sys.stderr)
    return 0


def check_id(job_id: str) -> str:
    """The id, if it can be the name of a file in a folder; JobFormatError when it leads elsewhere."""
    if not job_id or any(separator in job_id for separator in (os.sep, os.altsep or os.sep, "\0")):
        raise JobFormatError("ID", f"{job_id!r} is not the name of a file without .json")
    return job_id


def _names(layout: Layout, state: State) -> Iterator[str]:
    with os.scandir(layout.folder(state)) as entries:
        for entry in entries:
            if is_job_name(entry.name):
                yield entry.name[: -len(".json")]


def _missing(job_id: str) -> int:
    print(f"spoolrunner: no job {printable(job_id)!r} in pending/, running/, done/ or failed/", file=sys.stderr)
    return 1


def _is_active(layout: Layout, job_id: str) -> bool:
    return any(os.path.exists(layout.job(state, job_id)) for state in (State.PENDING, State.RUNNING))


def _read(layout: Layout, state: State, job_id: str) -> tuple[dict[str, Any] | None, str]:
    """The document and, if it cannot be read, why; FileNotFoundError when it is gone."""
    try:
        return jsontext.decode(Spool(layout).read(state, job_id).data), ""
    except JobFormatError as error:
        return None, str(error)


def _reason(layout: Layout, job_id: str) -> dict[str, Any] | None:
    return _small_json(layout.reason(job_id))


def _progress(layout: Layout, job_id: str) -> dict[str, Any] | None:
    return _small_json(layout.progress(job_id))


def _small_json(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as stream:
            found = orjson.loads(stream.read(1 << 20))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None  # there is none, or it is being written this moment
    return found if isinstance(found, dict) else None


def _summary(layout: Layout, state: State, job_id: str) -> dict[str, Any] | None:
    try:
        raw, problem = _read(layout, state, job_id)
    except FileNotFoundError:
        return None  # Race: it moved on since the folder was listed.
    raw = raw or {}
    attempts = raw.get("attempts") if isinstance(raw.get("attempts"), list) else []
    last = attempts[-1] if attempts and isinstance(attempts[-1], dict) else {}
    reason = _reason(layout, job_id) if state is State.FAILED else None
    fault = last.get("error") or {}
    error = ": ".join(part for part in (fault.get("type", ""), fault.get("message", "")) if part)
    outcome = (reason or {}).get("outcome") or last.get("outcome")
    what = (reason or {}).get("what") or error or problem
    if state is State.PENDING and raw.get("next_run_at"):
        what = f"next run {raw['next_run_at']}" + (f"; {what}" if what else "")
    job, method = str(raw.get("job", "")), str(raw.get("method", ""))
    return {
        "id": job_id,
        "state": state.value,
        "job": job,
        "method": method,
        "what": ".".join([*job.rsplit(".", 1)[-1:], method]).strip("."),
        "priority": raw.get("priority"),
        "created_at": raw.get("created_at"),
        "next_run_at": raw.get("next_run_at"),
        "attempts": len(attempts or []),
        "outcome": outcome,
        "note": ": ".join(part for part in (outcome if state is State.FAILED else "", what) if part),
    }


def _details(layout: Layout, state: State, job_id: str) -> dict[str, Any] | None:
    try:
        raw, problem = _read(layout, state, job_id)
    except FileNotFoundError:
        return None
    reason = _reason(layout, job_id) if state is State.FAILED else None
    progress = _progress(layout, job_id) if state is State.RUNNING else None
    return {
        "id": job_id,
        "state": state.value,
        "document": raw,
        "problem": problem or None,
        "reason": reason,
        "progress": progress,
    }


def _print_status(report: dict[str, Any]) -> None:
    holder = report["dispatcher"]
    serving = "no dispatcher runs; start one with `spoolrunner run`"
    if holder:
        serving = f"{holder['state']}, pid {holder['pid']} on {holder['host']} since {holder['since']}"
    counts = report["counts"]
    due = f" ({report['due']} due)" if report["due"] is not None else ""
    render.fields(
        [
            ("spool", report["spool"]),
            ("dispatcher", serving),
            ("paused", "yes: `spoolrunner resume` goes on" if report["paused"] else ""),
            ("pending", f"{counts['pending']}{due}"),
            ("running", str(counts["running"])),
            ("done", str(counts["done"])),
            ("failed", str(counts["failed"])),
            *(("trouble", text) for text in report["trouble"]),
        ]
    )
    if report["running"]:
        now = clock.SYSTEM.wall()
        render.table(
            ["id", "job", "try", "for", "progress"],
            [
                [
                    job["id"],
                    ".".join([job["job"].rpartition(".")[2], job["method"]]),
                    str(job["attempt"]),
                    f"{max(0.0, now - clock.parse_time(job['started_at'])):.0f} s",
                    _progress_text(job["progress"]),
                ]
                for job in report["running"]
            ],
        )


def _progress_text(progress: dict[str, Any] | None) -> str:
    if not progress:
        return ""
    return f"{float(progress.get('fraction', 0)):.0%} {progress.get('text', '')}".strip()


def _print_job(layout: Layout, job: dict[str, Any]) -> None:
    raw = job["document"] or {}
    reason = job["reason"] or {}
    plain = [(key, value) for key, value in raw.items() if key not in ("attempts", "job", "method")]
    render.fields(
        [
            ("id", job["id"]),
            ("state", job["state"]),
            ("job", f"{raw.get('job', '')}.{raw.get('method', '')}".strip(".")),
            *((key, orjson.dumps(value).decode()) for key, value in plain),
            ("problem", job["problem"] or ""),
            ("refused", ": ".join(str(reason[key]) for key in ("outcome", "what") if key in reason)),
            ("progress", _progress_text(job["progress"])),
            ("output", layout.log(job["id"]) if os.path.exists(layout.log(job["id"])) else ""),
        ]
    )
    for attempt in raw.get("attempts", []):
        known = {key: value for key, value in attempt.items() if key not in ("number", "error")}
        print(f"\nattempt {attempt.get('number')}")
        render.fields([(f"  {key}", str(value)) for key, value in known.items()])
        fault = attempt.get("error") or {}
        render.fields([("  error", ": ".join(part for part in (fault.get("type"), fault.get("message")) if part))])
        render.block(fault.get("traceback", ""))


def _print_log(path: str, position: int, to_the_end: bool) -> int:
    """Print the log from `position` on, by whole lines but for the last one of all; returns the new position."""
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(position if position <= size else 0)  # it was cut since
            start = stream.tell()
            data = stream.read()
    except FileNotFoundError:
        return position
    if not to_the_end:
        data = data[: data.rfind(b"\n") + 1]
    render.block(data.decode("utf-8", "backslashreplace"), indent="")
    sys.stdout.flush()
    return start + len(data)
