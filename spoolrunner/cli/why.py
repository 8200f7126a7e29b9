"""`why`: every reason why a job has not started."""

from __future__ import annotations

import argparse

from spoolrunner.cli import out, render
from spoolrunner.cli.found import found_spool
from spoolrunner.client.look import check_id
from spoolrunner.client.why import why, why_by_files
from spoolrunner.config.load import load_config
from spoolrunner.errors import ConfigError
from spoolrunner.protocol.states import State

_STARTED = {
    State.RUNNING: "it runs",
    State.DONE: "it is done",
    State.FAILED: "it failed; `spoolrunner show` tells how",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--json", action="store_true", help="as JSON: its state, and the reasons")


def run(arguments: argparse.Namespace) -> int:
    """Print why a job has not started, a reason a line; 1 when there is no job of that id."""
    job_id = check_id(arguments.id)
    try:
        answer = why(load_config(arguments.config), job_id)
    except ConfigError:
        found = found_spool(arguments)
        answer = why_by_files(found.layout, found.path, job_id)
    if arguments.json:
        render.as_json({"id": arguments.id, "state": answer.state.value, "reasons": answer.reasons})
    elif answer.state is State.PENDING:
        out.say(*(answer.reasons or ["nothing keeps it: it is about to start"]))
    else:
        out.say(_STARTED[answer.state])
    return 0
