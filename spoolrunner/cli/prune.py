"""`prune`: what lies in done/ and failed/ longer than the configuration keeps it is removed."""

from __future__ import annotations

import argparse
import sys

from spoolrunner.cli import as_typed
from spoolrunner.client.operate import remove
from spoolrunner.client.prune import outdated, sweep_reasons
from spoolrunner.config.load import load_config
from spoolrunner.telling.line_format import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def run(arguments: argparse.Namespace) -> int:
    """Remove jobs that lie in done/ and failed/ longer than the configuration keeps them, with their logs."""
    settings = load_config(arguments.config)
    layout = settings.layout
    removed = 0
    for state, job_id in outdated(settings):
        path = layout.job(state, job_id)
        if arguments.dry_run:
            print(f"would remove {printable(path)}")
            removed += 1
        elif remove(layout, state, job_id):
            print(as_typed.removed(path))
            removed += 1
    if not arguments.dry_run:
        sweep_reasons(settings)
    print(f"{'would remove' if arguments.dry_run else 'removed'} {removed} jobs", file=sys.stderr)
    return 0
