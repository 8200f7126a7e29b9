"""`cancel`: jobs that wait or run are ended."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.client import operate
from spoolrunner.client.look import check_id
from spoolrunner.client.operate import CancelEnd, CancelRequest
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.config.load import load_config
from spoolrunner.errors import hint_at_ending
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
    asked = [request for job_id in ids if (request := _ask(layout, job_id)) is not None]
    code = 0 if len(asked) == len(ids) else 1
    if arguments.no_wait or not asked:
        return code
    if dispatcher_of(settings.layout) is None:
        out.complain("no dispatcher runs; the next one cancels before it starts anything")
        return code
    for request in asked:
        code = max(code, _await(layout, request, settings.kill_grace + _MARGIN))
    return code


def _ask(layout: Layout, job_id: str) -> CancelRequest | None:
    request = operate.cancel(layout, job_id)
    if request is None:
        out.complain(f"{job_id}: neither in pending/ nor in running/{hint_at_ending(job_id)}")
        return None
    out.say(as_typed.touched(layout.cancel(job_id)))
    return request


def _await(layout: Layout, request: CancelRequest, limit: float) -> int:
    name, answer = request.job_id, operate.await_cancel(layout, request, limit)
    match answer.end:
        case CancelEnd.CANCELLED:
            out.say(f"{name}: cancelled")
            return 0
        case CancelEnd.STANDS:
            out.complain(f"{name}: not cancelled yet after {limit:g} s; the request stands")
        case CancelEnd.ENDED:
            how = f" ({answer.outcome})" if answer.outcome else ""
            out.complain(f"{name}: it had ended{how} before the cancel reached it; see `spoolrunner show`")
        case CancelEnd.GONE:
            out.complain(f"{name}: its file was taken away; it lies in no folder of the spool")
    return 1
