"""`status`: what the dispatcher does, and how many jobs are where."""

from __future__ import annotations

import argparse
from typing import Any

from spoolrunner.cli import render
from spoolrunner.cli.found import spool_of
from spoolrunner.client.overview import Overview, overview
from spoolrunner.config.pausable import in_words
from spoolrunner.system import clock, times


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--no-dispatcher-ok", action="store_true", help="exit code 0 also when no dispatcher runs")


def run(arguments: argparse.Namespace) -> int:
    """Print what the dispatcher does and how many jobs are where; 1 when no dispatcher runs."""
    found = overview(spool_of(arguments))
    if arguments.json:
        render.as_json(found._asdict())
    else:
        _print_spool(found)
        if found.running:
            _print_running(found)
    return 0 if found.dispatcher or arguments.no_dispatcher_ok else 1


def _print_spool(found: Overview) -> None:
    holder, counts = found.dispatcher, found.counts
    serving = "no dispatcher runs; start one with `spoolrunner run`"
    if holder:
        serving = f"{holder['state']}, pid {holder['pid']} on {holder['host']} since {holder['since']}"
    due = f" ({found.due} due)" if found.due is not None else ""
    told = f"; what the dispatcher told, as of {render.to_the_second(found.told_at)}" if found.told_at else ""
    render.fields(
        [
            ("spool", found.spool),
            ("dispatcher", serving),
            ("paused", "yes: `spoolrunner resume` goes on" if found.paused else ""),
            *(("paused", in_words(name)) for name in found.pauses),
            ("pending", f"{counts['pending']}{due}"),
            ("running", str(counts["running"])),
            ("done", str(counts["done"])),
            ("failed", str(counts["failed"])),
            ("as of", render.to_the_second(found.at) + told),
            *(("held", _held(entry)) for entry in found.held),
            *(("put off", _put_off(entry)) for entry in found.postponed),
            *(("no job", text) for text in found.strays),
            *(("trouble", text) for text in found.trouble),
        ]
    )


def _held(entry: dict[str, Any]) -> str:
    """What due jobs wait for, and how many: `group mail: its group runs as many jobs as it may at once; 7 wait, x first`."""
    by = {"group": "group ", "rate": "group "}.get(entry["by"], "")
    until = f", until {entry['until']}" if entry.get("until") else ""
    first = f", {entry['first']} first" if entry.get("first") else ""
    name = in_words(entry["name"]) or "after others"
    return f"{by}{name}: {entry['why']}; {entry.get('waiting', '')} wait{first}{until}"


def _put_off(entry: dict[str, Any]) -> str:
    until = f", until {entry['until']}" if entry.get("until") else ""
    return f"{entry['id']}: {entry['why']}{until}"


def _print_running(found: Overview) -> None:
    rows = [
        [
            job["id"],
            ".".join([job["job"].rpartition(".")[2], job["method"]]),
            str(job.get("attempt") or ""),
            _lasts(job["started_at"]),
            render.progress(job["progress"]),
        ]
        for job in found.running
    ]
    render.table(["id", "job", "try", "for", "progress"], rows)


def _lasts(started_at: str | None) -> str:
    """How long it has run; empty when that is not known yet."""
    try:
        return f"{max(0.0, clock.SYSTEM.wall() - times.parse_time(started_at or '')):.0f} s"
    except ValueError:
        return ""
