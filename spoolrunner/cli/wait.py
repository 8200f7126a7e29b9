"""`wait`: until jobs are done, or failed for good."""

from __future__ import annotations

import argparse
from typing import Any

from spoolrunner.cli import filters, out, render
from spoolrunner.client.following import Follower
from spoolrunner.client.look import check_id
from spoolrunner.client.result import problem_of, result_of
from spoolrunner.client.waiting import Ended, until_over
from spoolrunner.config.load import load_config
from spoolrunner.errors import JobNotFoundError, ResultDroppedError, WaitTimeoutError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("ids", nargs="+", metavar="ID")
    parser.add_argument("--timeout", metavar="DURATION", help="for so long at most: 90, 90s, 5m (exit code 124)")
    parser.add_argument("--any", action="store_true", help="until the first of them is over, instead of all")
    parser.add_argument(
        "--result", action="store_true", help="print what was returned, as JSON; by its id, if more than one is named"
    )


def run(arguments: argparse.Namespace) -> int:
    """Wait for jobs; 0 when all are done, 1 when one failed, 2 when one is unknown, 124 when the time is up."""
    timeout = filters.seconds("--timeout", arguments.timeout)
    layout = load_config(arguments.config).layout
    followers = [Follower(layout, job_id) for job_id in dict.fromkeys(map(check_id, arguments.ids))]
    unknown = [follower.id for follower in followers if follower.look() is None]
    if unknown:
        out.complain(*(str(JobNotFoundError(job_id)) for job_id in unknown))
        return 2
    left = {follower.id: follower for follower in followers}
    values: dict[str, Any] = {}
    code = 0
    for ended in until_over(followers, timeout):
        del left[ended.follower.id]
        code = max(code, _tell(ended, values if arguments.result else None))
        if arguments.any:
            left.clear()
            break
    if arguments.result and values:
        render.as_json(values if len(followers) > 1 else values.popitem()[1])
    for follower in left.values():
        found = follower.look()
        where = "in no folder" if found is None else str(found.state)
        out.complain(str(WaitTimeoutError(follower.id, where, timeout or 0.0)))
    return code or (WaitTimeoutError.exit_code if left else 0)


def _tell(ended: Ended, values: dict[str, Any] | None) -> int:
    """Print how a job ended, or put its result into `values`; return the exit code for it."""
    job_id, problem = ended.follower.id, problem_of(ended.follower.id, ended.found)
    if not problem and values is not None and ended.found is not None:
        try:
            values[job_id] = result_of(job_id, ended.found)
        except ResultDroppedError as error:
            problem = str(error)
    if problem:
        out.complain(problem)
        return 1
    if values is None:
        out.say(f"{job_id}: done")
    return 0
