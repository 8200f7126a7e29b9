"""`schema`: the shape of a job file, for other programs."""

from __future__ import annotations

import argparse

from spoolrunner.cli import render
from spoolrunner.protocol import document


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments: it has none."""


def run(_arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of a job file."""
    render.as_json(document.schema())
    return 0
