"""`resume`: jobs are started again, all or those of a method or a group."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out, pause
from spoolrunner.cli.found import spool_of
from spoolrunner.client import operate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments: those of `pause`."""
    pause.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Remove control/pause or, for each method and group that is named, control/pause-WHAT."""
    layout, wanted = spool_of(arguments), pause.parts(arguments)
    for what in wanted:
        if operate.resume_part(layout, what):
            out.say(as_typed.removed(layout.pause_of(what)))
        else:
            out.complain(f"{what.removeprefix(pause.GROUP)} was not paused by itself")
    if not wanted:
        if operate.resume(layout):
            out.say(as_typed.removed(layout.pause))
        else:
            out.complain("the spool was not paused")
    return 0
