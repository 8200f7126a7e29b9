"""`pause`: no more jobs are started."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.client import operate
from spoolrunner.config.load import find_spool


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments: it has none."""


def run(arguments: argparse.Namespace) -> int:
    """Make control/pause."""
    layout = find_spool(arguments.config).layout
    operate.pause(layout)
    out.say(as_typed.touched(layout.pause))
    return 0
