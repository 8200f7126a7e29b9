"""`stop`: the dispatcher ends."""

from __future__ import annotations

import argparse
import sys

from spoolrunner.cli import as_typed
from spoolrunner.client import operate
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.config.load import load_config

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
        print("no dispatcher runs", file=sys.stderr)
        return 1
    operate.stop(layout, leave_running=arguments.leave_running)
    if arguments.leave_running:
        print(as_typed.written(layout.stop, operate.LEAVE_RUNNING))
    else:
        print(as_typed.touched(layout.stop))
    if arguments.no_wait:
        return 0
    limit = settings.stop_grace + settings.kill_grace + _MARGIN
    if operate.await_stop(layout, holder, limit):
        print(f"dispatcher {holder['pid']} stopped")
        return 0
    print(f"dispatcher {holder['pid']} still runs after {limit:g} s", file=sys.stderr)
    return 1
