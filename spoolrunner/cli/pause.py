"""`pause`: no more jobs are started, or none of a method or a group."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.cli.found import spool_of
from spoolrunner.client import operate
from spoolrunner.config.load import load_config

GROUP = "group-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="only this one: app.reports.Report.build")
    parser.add_argument("--group", action="append", default=[], metavar="NAME", help="only this group")


def parts(arguments: argparse.Namespace) -> list[str]:
    """Return what is meant by the arguments, as the files in control/ name it; empty when all is meant."""
    return [*arguments.methods, *(GROUP + name for name in arguments.group)]


def run(arguments: argparse.Namespace) -> int:
    """Make control/pause or, for each method and group that is named, control/pause-WHAT."""
    wanted = parts(arguments)
    if not wanted:
        layout = spool_of(arguments)
        operate.pause(layout)
        out.say(as_typed.touched(layout.pause))
        return 0
    settings = load_config(arguments.config)
    for what in wanted:
        operate.pause_part(settings, what)
        out.say(as_typed.touched(settings.layout.pause_of(what)))
    return 0
