"""`resume`: jobs are started again."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.cli.found import spool_of
from spoolrunner.client import operate


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments: it has none."""


def run(arguments: argparse.Namespace) -> int:
    """Remove control/pause."""
    layout = spool_of(arguments)
    if operate.resume(layout):
        out.say(as_typed.removed(layout.pause))
    else:
        out.complain("the spool was not paused")
    return 0
