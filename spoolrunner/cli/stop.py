"""`stop`: the dispatcher ends."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.client import operate
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.config.load import Config, load_config

_MOST_NAMED = 10
_MARGIN = 10.0
"""Seconds given beyond what the configuration allows a stop to take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument(
        "--leave-running", action="store_true", help="let the jobs run on, for the next dispatcher to adopt"
    )
    parser.add_argument("--no-wait", action="store_true", help="ask, and do not wait for the effect")


def run(arguments: argparse.Namespace) -> int:
    """Make control/stop, and wait until the dispatcher is gone; 1 when none runs, or when it still runs."""
    settings = load_config(arguments.config)
    layout = settings.layout
    holder = dispatcher_of(layout)
    if holder is None:
        out.complain("no dispatcher runs")
        return 1
    operate.stop(layout, leave_running=arguments.leave_running)
    if arguments.leave_running:
        out.say(as_typed.written(layout.stop, operate.LEAVE_RUNNING))
    else:
        out.say(as_typed.touched(layout.stop))
    if arguments.no_wait:
        return 0
    limit = settings.stop_grace + settings.kill_grace + _MARGIN
    _say_what_is_awaited(settings, leave_running=arguments.leave_running)
    if operate.await_stop(layout, holder, limit):
        out.say(f"dispatcher {holder['pid']} stopped")
        return 0
    out.complain(f"dispatcher {holder['pid']} still runs after {limit:g} s")
    _say_what_is_awaited(settings, leave_running=arguments.leave_running)
    return 1


def _say_what_is_awaited(settings: Config, *, leave_running: bool) -> None:
    running = operate.running(settings.layout)
    if not running or leave_running:
        return
    named = ", ".join(running[:_MOST_NAMED]) + (", …" if len(running) > _MOST_NAMED else "")
    jobs = "1 job" if len(running) == 1 else f"{len(running)} jobs"
    out.complain(f"waiting for {jobs} to end, which are interrupted after {settings.stop_grace:g} s: {named}")
