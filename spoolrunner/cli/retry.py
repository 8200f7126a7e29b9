"""`retry`: jobs moved from failed/ (or done/) back to pending/."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, filters, out
from spoolrunner.client import bulk, dependants, operate, steps
from spoolrunner.client.look import check_id, states_of
from spoolrunner.client.operate import Retried
from spoolrunner.client.search import Jobs
from spoolrunner.config.load import Config, load_config
from spoolrunner.errors import JobFormatError, hint_at_ending
from spoolrunner.protocol.states import State

_FROM = (State.FAILED, State.DONE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    filters.add_bulk(parser, tuple(state.value for state in _FROM))
    parser.add_argument("--all", action="store_true", help="all in failed/ but those that were rejected or cancelled")
    parser.add_argument("--from-start", action="store_true", help="forget the steps that they have made")
    parser.add_argument("--with-dependants", action="store_true", help="and those that failed because these did")
    parser.add_argument(
        "--without-after", action="store_true", help="let them start, also waiting ones, without what they wait for"
    )
    parser.add_argument("--sign", action="store_true", help="sign them first, as they are now (with signing_key only)")


def run(arguments: argparse.Namespace) -> int:
    """Move jobs from failed/ (or done/) back to pending/; 1 when one of them could not be moved."""
    settings = load_config(arguments.config)
    if filters.check_choice("retry", arguments, everything=arguments.all):
        if arguments.sign:
            raise JobFormatError("--sign", "name the jobs: each is to be read before it is signed")
        if arguments.without_after:
            raise JobFormatError("--without-after", "name the jobs: each would start without what it waits for")
        return _retry_chosen(settings, arguments)
    ids = [check_id(job_id) for job_id in arguments.ids]
    if arguments.without_after and not arguments.dry_run:
        return _without_after(settings, ids)
    if arguments.sign and not arguments.dry_run:
        _sign(settings, ids)
    if arguments.from_start and not arguments.dry_run:
        _forget_steps(settings, ids)
    if arguments.with_dependants:
        ids = _with_dependants(settings, ids)
    moved = [job_id for job_id in ids if _retry(settings, job_id, is_rehearsed=arguments.dry_run)]
    return 0 if len(moved) == len(ids) else 1


def _retry_chosen(settings: Config, arguments: argparse.Namespace) -> int:
    wanted = filters.wanted(arguments)
    found = Jobs(settings, [State(arguments.state or State.FAILED)], wanted)
    chosen = bulk.retryable(settings.layout, found.looks(), wanted.error, arguments.limit)
    if chosen.rejected:
        out.complain(f"{chosen.rejected} rejected jobs left: mend the file, then `spoolrunner retry ID`")
    if chosen.cancelled:
        out.complain(f"{chosen.cancelled} cancelled jobs left: `spoolrunner retry ID` runs one all the same")
    if chosen.dependent:
        out.complain(f"{chosen.dependent} left, since a job that each waits for lies in failed/")
    if not chosen.jobs:
        out.complain(f"nothing to retry in {arguments.state or State.FAILED}/")
        return 0
    if arguments.dry_run:
        out.say(*(_move(settings, choice.name, choice.state) for choice in chosen.jobs))
    if not filters.may_go_on("retry", len(chosen.jobs), arguments):
        return 0 if arguments.dry_run else 1
    if arguments.from_start:
        _forget_steps(settings, [choice.name for choice in chosen.jobs if choice.state is State.FAILED])
    done = [
        _told(settings, choice.name, choice.state, retried) for choice, retried in bulk.retry(settings, chosen.jobs)
    ]
    return 0 if all(done) else 1


def _with_dependants(settings: Config, ids: list[str]) -> list[str]:
    """Return the ids, each with those that failed because it did behind it."""
    layout = settings.layout
    return list(dict.fromkeys(name for job_id in ids for name in (job_id, *dependants.of(layout, job_id))))


def _without_after(settings: Config, ids: list[str]) -> int:
    freed = [(job_id, dependants.without_after(settings.layout, job_id, settings.signing_key)) for job_id in ids]
    for job_id, one in freed:
        if one.problem:
            out.complain(f"{job_id}: {one.problem}{hint_at_ending(job_id)}")
        else:
            out.say(f"took after out of {settings.layout.job(State.PENDING, one.name)}")
    return 1 if any(one.problem for _, one in freed) else 0


def _sign(settings: Config, ids: list[str]) -> None:
    if settings.signing_key is None:
        raise JobFormatError("--sign", "config.json names no signing_key")
    for job_id in ids:
        if operate.sign(settings.layout, job_id, settings.signing_key):
            out.say(f"signed {settings.layout.job(State.FAILED, job_id)}")


def _forget_steps(settings: Config, ids: list[str]) -> None:
    for job_id in ids:
        path = steps.forget(settings.layout, State.FAILED, job_id)
        if path is not None:
            out.say(as_typed.removed(path))


def _retry(settings: Config, job_id: str, *, is_rehearsed: bool) -> bool:
    if not is_rehearsed:
        retried = operate.retry(settings.layout, job_id, settings.signing_key)
        return _told(settings, job_id, retried.source or State.FAILED, retried)
    states = states_of(settings.layout, job_id)
    source = next((state for state in _FROM if state in states), None)
    if source is None or State.PENDING in states:
        return _told(settings, job_id, State.FAILED, Retried(is_taken=source is not None))
    out.say(_move(settings, job_id, source))
    return True


def _told(settings: Config, job_id: str, source: State, retried: Retried) -> bool:
    """Print what became of a retry; return whether the job was moved."""
    if retried.lost_expiry:
        out.say(f"took expires_at out of {settings.layout.job(State.FAILED, job_id)}")
    if retried.source is not None:
        out.say(_move(settings, job_id, source))
        return True
    problem = "neither in failed/ nor in done/"
    if retried.is_taken:
        problem = "another job of that id waits in pending/ already"
    out.complain(f"{job_id}: {retried.error or problem}{hint_at_ending(job_id)}")
    return False


def _move(settings: Config, job_id: str, source: State) -> str:
    return as_typed.moved(settings.layout.job(source, job_id), settings.layout.job(State.PENDING, job_id))
