"""`logs`: what a job printed."""

from __future__ import annotations

import argparse
import sys

from spoolrunner.cli import out, render
from spoolrunner.cli.found import spool_of
from spoolrunner.client.look import check_id
from spoolrunner.client.printed import printed
from spoolrunner.errors import JobFormatError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("-f", "--follow", action="store_true", help="go on printing until the job has ended")


def run(arguments: argparse.Namespace) -> int:
    """Print a job's own output; with --follow until it has ended; 1 when there is no file to read."""
    layout, job_id = spool_of(arguments), check_id(arguments.id)
    is_silent = True
    try:
        for piece in printed(layout, job_id, follow=arguments.follow):
            is_silent = False
            render.block(piece.decode("utf-8", "backslashreplace"), indent="")
            sys.stdout.flush()
    except JobFormatError as error:  # its job put something else in its place
        out.complain(f"{layout.log(job_id)}: {error}")
        return 1
    if is_silent:
        out.complain(f"{arguments.id} printed nothing")
    return 0
