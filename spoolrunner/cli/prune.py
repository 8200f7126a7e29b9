"""`prune`: what lies in done/ and failed/ longer than the configuration keeps it is removed."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.client.operate import remove
from spoolrunner.client.prune import outdated, sweep_leftovers
from spoolrunner.config.load import load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def run(arguments: argparse.Namespace) -> int:
    """Remove jobs that lie in done/ and failed/ longer than they are kept, with their logs; 1 when one could not be removed."""
    settings = load_config(arguments.config)
    layout = settings.layout
    removed = failed = 0
    for state, job_id in outdated(settings):
        path = layout.job(state, job_id)
        try:
            if arguments.dry_run:
                out.say(f"would remove {path}")
                removed += 1
            elif remove(layout, state, job_id):
                out.say(as_typed.removed(path))
                removed += 1
        except OSError as error:  # of this one: the others go all the same
            out.complain(f"{job_id}: {error}")
            failed += 1
    if not arguments.dry_run:
        sweep_leftovers(settings)
    out.complain(f"{'would remove' if arguments.dry_run else 'removed'} {removed} jobs")
    return 1 if failed else 0
