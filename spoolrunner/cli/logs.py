"""`logs`: what a job printed."""

from __future__ import annotations

import argparse
import sys

from spoolrunner.cli import out, render
from spoolrunner.cli.found import spool_of
from spoolrunner.client.following import Follower
from spoolrunner.client.look import check_id
from spoolrunner.client.printed import printed
from spoolrunner.client.result import problem_of
from spoolrunner.client.waiting import until_over
from spoolrunner.errors import JobFormatError, JobNotFoundError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="until the job is over; the exit code is that of `wait`"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a job's own output; 1 when there is no file to read. With --follow until it is over, and then as `wait` ends."""
    layout, job_id = spool_of(arguments), check_id(arguments.id)
    follower = Follower(layout, job_id)
    if arguments.follow and follower.look() is None:
        out.complain(str(JobNotFoundError(job_id)))
        return 2
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
    return _end_of(follower) if arguments.follow else 0


def _end_of(follower: Follower) -> int:
    """Wait for what little is left, and return the exit code for how the job ended."""
    for ended in until_over([follower]):
        problem = problem_of(follower.id, ended.found)
        if problem:
            out.complain(problem)
            return 1
    return 0
