"""The spool on which a verb works that needs nothing else of config.json: also while the other keys are unfit."""

from __future__ import annotations

import argparse

from spoolrunner.cli import out
from spoolrunner.config.load import FoundSpool, find_spool
from spoolrunner.spool.paths import Layout


def spool_of(arguments: argparse.Namespace) -> Layout:
    """Return the spool; what is wrong with config.json is said, and keeps the verb from nothing."""
    return found_spool(arguments).layout


def found_spool(arguments: argparse.Namespace) -> FoundSpool:
    """Do the same, and return where config.json is as well."""
    found = find_spool(arguments.config)
    out.complain(*(f"spoolrunner: {found.path}: {problem}" for problem in found.problems))
    return found
