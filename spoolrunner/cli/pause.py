"""`pause`: no more jobs are started."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.cli.found import spool_of
from spoolrunner.client import operate


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments: it has none."""


def run(arguments: argparse.Namespace) -> int:
    """Make control/pause."""
    layout = spool_of(arguments)
    operate.pause(layout)
    out.say(as_typed.touched(layout.pause))
    return 0
