"""`cancel`: jobs that wait or run are ended."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from spoolrunner.cli import as_typed, filters, out
from spoolrunner.client import bulk, operate
from spoolrunner.client.bulk import Choice
from spoolrunner.client.look import check_id, states_of
from spoolrunner.client.operate import CancelEnd, Cancelled
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.client.search import Jobs
from spoolrunner.config.load import Config, load_config
from spoolrunner.errors import hint_at_ending
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout

_FROM = (State.PENDING, State.RUNNING)
_MARGIN = 10.0
"""Seconds given beyond what the configuration allows a cancel to take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    filters.add_bulk(parser, tuple(state.value for state in _FROM))
    parser.add_argument("--no-wait", action="store_true", help="ask, and do not wait for the effect")


def run(arguments: argparse.Namespace) -> int:
    """Ask for jobs to be cancelled, and wait for the effect; 1 when one of them was not cancelled."""
    settings = load_config(arguments.config)
    chooses = filters.check_choice("cancel", arguments)
    chosen = _chosen(settings, arguments) if chooses else _named(settings.layout, arguments.ids)
    if arguments.dry_run:
        out.say(*(as_typed.touched(settings.layout.cancel(choice.name)) for choice in chosen))
    if chooses and not chosen:
        out.complain("nothing to cancel in pending/ and running/")
    elif chooses and not filters.may_go_on("cancel", len(chosen), arguments):
        return 0 if arguments.dry_run else 1
    known = {choice.name for choice in chosen}
    missing = [job_id for job_id in arguments.ids if job_id not in known]
    out.complain(*(_nowhere(job_id) for job_id in missing))
    code = 1 if missing else 0
    if arguments.dry_run or not chosen:
        return code
    return max(code, _cancel(settings, chosen, waits=not arguments.no_wait))


def _chosen(settings: Config, arguments: argparse.Namespace) -> list[Choice]:
    states = [State(arguments.state)] if arguments.state else list(_FROM)
    return bulk.choose(Jobs(settings, states, filters.wanted(arguments)).looks(), arguments.limit)


def _named(layout: Layout, ids: list[str]) -> list[Choice]:
    chosen = []
    for job_id in dict.fromkeys(map(check_id, ids)):
        states = states_of(layout, job_id)
        chosen += [Choice(job_id, state) for state in _FROM if state in states][:1]
    return chosen


def _cancel(settings: Config, chosen: list[Choice], *, waits: bool) -> int:
    """Ask for these to be cancelled; return the exit code."""
    layout = settings.layout
    if waits and dispatcher_of(layout) is None:
        out.complain("no dispatcher runs; the next one cancels before it starts anything")
        waits = False

    def asked(choice: Choice) -> None:
        out.say(as_typed.touched(layout.cancel(choice.name)))

    limit = settings.kill_grace + _MARGIN
    code = 0
    for choice, answer in bulk.cancel(layout, chosen, limit, asked) if waits else _ask(layout, chosen, asked):
        if answer is None:
            out.complain(_nowhere(choice.name))
            code = 1
        elif waits:
            code = max(code, _tell(choice.name, answer, limit))
    return code


def _ask(
    layout: Layout, chosen: list[Choice], asked: Callable[[Choice], None]
) -> Iterator[tuple[Choice, Cancelled | None]]:
    for choice in chosen:
        if operate.cancel(layout, choice.name) is None:
            yield choice, None
        else:
            asked(choice)


def _nowhere(job_id: str) -> str:
    return f"{job_id}: neither in pending/ nor in running/{hint_at_ending(job_id)}"


def _tell(name: str, answer: Cancelled, limit: float) -> int:
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
