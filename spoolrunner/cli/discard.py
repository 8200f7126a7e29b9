"""`discard`: jobs removed that wait, are done or failed, each with its reason and its log."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, filters, out
from spoolrunner.client import bulk
from spoolrunner.client.bulk import Choice
from spoolrunner.client.look import check_id, states_of
from spoolrunner.client.search import Jobs
from spoolrunner.config.load import Config, load_config
from spoolrunner.errors import JobFormatError, JobNotFoundError
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout

_FROM = (State.FAILED, State.DONE, State.PENDING)
"""The states whose jobs may be removed; of a job that is named, the one in the first of them is meant."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    filters.add_bulk(parser, tuple(state.value for state in _FROM))


def run(arguments: argparse.Namespace) -> int:
    """Remove jobs that wait, are done or failed; 1 when one of them was not removed."""
    settings = load_config(arguments.config)
    layout = settings.layout
    chooses = filters.check_choice("discard", arguments)
    chosen = _chosen(settings, arguments) if chooses else [_named(layout, check_id(job_id)) for job_id in arguments.ids]
    found = [choice for choice in chosen if choice is not None]
    if arguments.dry_run:
        out.say(*(as_typed.removed(layout.job(choice.state, choice.name)) for choice in found))
    code = 0 if len(found) == len(chosen) else 1
    if not found:
        out.complain("nothing to discard")
        return code
    if not filters.may_go_on("discard", len(found), arguments):
        return code if arguments.dry_run else 1
    for choice, gone in bulk.discard(layout, found):
        if gone is True:
            out.say(as_typed.removed(layout.job(choice.state, choice.name)))
            continue
        out.complain(f"{choice.name}: {gone or f'is no longer in {choice.state}/'}")
        code = 1
    return code


def _chosen(settings: Config, arguments: argparse.Namespace) -> list[Choice | None]:
    if arguments.state is None:
        raise JobFormatError("discard", "say of which state: --state failed, --state done or --state pending")
    found = Jobs(settings, [State(arguments.state)], filters.wanted(arguments))
    return [*bulk.choose(found.looks(), arguments.limit)]


def _named(layout: Layout, job_id: str) -> Choice | None:
    """The job of that id which may be removed; None, with a word why, when there is none."""
    found = states_of(layout, job_id)
    for state in _FROM:
        if state in found:
            return Choice(job_id, state)
    if State.RUNNING in found:
        out.complain(f"{job_id}: it runs; `spoolrunner cancel {job_id}` ends it")
    else:
        out.complain(str(JobNotFoundError(job_id)))
    return None
