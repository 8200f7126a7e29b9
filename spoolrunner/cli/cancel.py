"""`cancel`: jobs that wait or run are ended."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.client import operate
from spoolrunner.client.look import check_id
from spoolrunner.client.operate import CancelEnd
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.config.load import load_config
from spoolrunner.spool.paths import Layout

_MARGIN = 10.0
"""Seconds given beyond what the configuration allows a cancel to take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("ids", nargs="+", metavar="ID")
    parser.add_argument("--no-wait", action="store_true", help="ask, and do not wait for the effect")


def run(arguments: argparse.Namespace) -> int:
    """Ask for jobs to be cancelled, and wait for the effect; 1 when one of them was not cancelled."""
    settings = load_config(arguments.config)
    layout = settings.layout
    ids = [check_id(job_id) for job_id in arguments.ids]
    asked = [job_id for job_id in ids if _ask(layout, job_id)]
    code = 0 if len(asked) == len(ids) else 1
    if arguments.no_wait or not asked:
        return code
    if dispatcher_of(settings.layout) is None:
        out.complain("no dispatcher runs; the next one cancels before it starts anything")
        return code
    for job_id in asked:
        code = max(code, _await(layout, job_id, settings.kill_grace + _MARGIN))
    return code


def _ask(layout: Layout, job_id: str) -> bool:
    if not operate.cancel(layout, job_id):
        out.complain(f"{job_id}: neither in pending/ nor in running/")
        return False
    out.say(as_typed.touched(layout.cancel(job_id)))
    return True


def _await(layout: Layout, job_id: str, limit: float) -> int:
    name = job_id
    match operate.await_cancel(layout, job_id, limit):
        case CancelEnd.CANCELLED:
            out.say(f"{name}: cancelled")
            return 0
        case CancelEnd.STANDS:
            out.complain(f"{name}: not cancelled yet after {limit:g} s; the request stands")
        case CancelEnd.ENDED:
            out.complain(f"{name}: it had ended before the cancel reached it; see `spoolrunner show`")
    return 1
