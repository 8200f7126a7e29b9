"""`init`: an installation made."""

from __future__ import annotations

import argparse
import os

from spoolrunner.cli import out
from spoolrunner.client.install import make_config, make_spool

_FIRST_CONFIG = {
    "allowed_jobs": {"spoolrunner.demo_jobs.Text": ["count_words", "checksum"]},
    "spool": "spool",
    "python_path": ["."],
    "auto_prune": True,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR", help="where (default: here)")


def run(arguments: argparse.Namespace) -> int:
    """Make DIR with config.json, unless it has one, and the spool's folders."""
    path, is_new = make_config(arguments.dir, _FIRST_CONFIG, fsync=True)
    out.say(f"{path} made: put your own jobs under allowed_jobs" if is_new else f"{path} exists: left as it is")
    settings = make_spool(path)
    out.say(f"{settings.layout.root} is ready: `spoolrunner run` in {os.path.dirname(path)} serves it")
    return 0
