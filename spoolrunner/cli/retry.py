"""`retry`: jobs moved from failed/ (or done/) back to pending/."""

from __future__ import annotations

import argparse

from spoolrunner.cli import as_typed, out
from spoolrunner.client import dependants, operate
from spoolrunner.client.look import check_id
from spoolrunner.config.load import Config, load_config
from spoolrunner.errors import JobFormatError, hint_at_ending
from spoolrunner.protocol.states import State


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--all", action="store_true", help="all in failed/ but those that were rejected or cancelled")
    parser.add_argument("--with-dependants", action="store_true", help="and those that failed because these did")
    parser.add_argument(
        "--without-after", action="store_true", help="let them start, also waiting ones, without what they wait for"
    )
    parser.add_argument("--sign", action="store_true", help="sign them first, as they are now (with signing_key only)")


def run(arguments: argparse.Namespace) -> int:
    """Move jobs from failed/ (or done/) back to pending/; 1 when one of them could not be moved."""
    settings = load_config(arguments.config)
    ids = [check_id(job_id) for job_id in arguments.ids]
    if arguments.all:
        ids += _all(settings)
    if not ids and not arguments.all:
        raise JobFormatError("retry", "name the jobs, or say --all")
    if arguments.without_after:
        return _without_after(settings, ids, everything=arguments.all)
    if arguments.sign:
        _sign(settings, ids, everything=arguments.all)
    if arguments.with_dependants:
        ids = _with_dependants(settings, ids)
    moved = [job_id for job_id in ids if _retry(settings, job_id)]
    if arguments.all and not ids:
        out.complain("nothing to retry in failed/")
    return 0 if len(moved) == len(ids) else 1


def _all(settings: Config) -> list[str]:
    found = operate.retryable(settings.layout)
    if found.rejected:
        out.complain(f"{found.rejected} rejected jobs left: mend the file, then `spoolrunner retry ID`")
    if found.cancelled:
        out.complain(f"{found.cancelled} cancelled jobs left: `spoolrunner retry ID` runs one all the same")
    if found.dependent:
        out.complain(f"{found.dependent} left, since a job that each waits for lies in failed/")
    return found.ids


def _with_dependants(settings: Config, ids: list[str]) -> list[str]:
    """Return the ids, each with those that failed because it did behind it."""
    layout = settings.layout
    return list(dict.fromkeys(name for job_id in ids for name in (job_id, *dependants.of(layout, job_id))))


def _without_after(settings: Config, ids: list[str], *, everything: bool) -> int:
    if everything:
        raise JobFormatError("--without-after", "name the jobs: each would start without what it waits for")
    freed = [(job_id, dependants.without_after(settings.layout, job_id, settings.signing_key)) for job_id in ids]
    for job_id, one in freed:
        if one.problem:
            out.complain(f"{job_id}: {one.problem}{hint_at_ending(job_id)}")
        else:
            out.say(f"took after out of {settings.layout.job(State.PENDING, one.name)}")
    return 1 if any(one.problem for _, one in freed) else 0


def _sign(settings: Config, ids: list[str], *, everything: bool) -> None:
    if settings.signing_key is None:
        raise JobFormatError("--sign", "config.json names no signing_key")
    if everything:
        raise JobFormatError("--sign", "name the jobs: each is to be read before it is signed")
    for job_id in ids:
        if operate.sign(settings.layout, job_id, settings.signing_key):
            out.say(f"signed {settings.layout.job(State.FAILED, job_id)}")


def _retry(settings: Config, job_id: str) -> bool:
    layout = settings.layout
    retried = operate.retry(layout, job_id, settings.signing_key)
    if retried.lost_expiry:
        out.say(f"took expires_at out of {layout.job(State.FAILED, job_id)}")
    if retried.source is not None:
        out.say(as_typed.moved(layout.job(retried.source, job_id), layout.job(State.PENDING, job_id)))
        return True
    problem = (
        "another job of that id waits in pending/ already" if retried.is_taken else "neither in failed/ nor in done/"
    )
    out.complain(f"{job_id}: {problem}{hint_at_ending(job_id)}")
    return False
