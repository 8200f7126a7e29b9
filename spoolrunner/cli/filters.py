"""Which jobs a verb is for: named by their ids, or chosen by what they are and how they went, and counted before it begins."""

from __future__ import annotations

import argparse
import sys

from spoolrunner.cli import out
from spoolrunner.client import search
from spoolrunner.client.search import Filter
from spoolrunner.errors import JobFormatError

_WORDS = ("job", "method", "kind", "group", "error", "match", "older", "newer")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Give a verb the options by which jobs are chosen."""
    chosen = parser.add_argument_group("which jobs: all that fit every option given")
    chosen.add_argument("--job", metavar="JOB", help="the class or module, as in the job file")
    chosen.add_argument("--method", metavar="METHOD", help="the method or function")
    chosen.add_argument("--kind", metavar="JOB.METHOD", help="both, in one word")
    chosen.add_argument("--group", metavar="GROUP", help="the group")
    chosen.add_argument("--error", metavar="WORD", help="type of the last exception, or outcome: ValueError, timed_out")
    chosen.add_argument("--match", metavar="TEXT", help="a text in the id or anywhere in the job file")
    chosen.add_argument("--older", metavar="DURATION", help="in its folder for at least so long: 90s, 5m, 2h, 7d")
    chosen.add_argument("--newer", metavar="DURATION", help="in its folder for less than that")


def add_bulk(parser: argparse.ArgumentParser, states: tuple[str, ...]) -> None:
    """Give a verb that changes jobs its ids, the options by which they are chosen instead, and those about asking first."""
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--state", choices=states, help="only those in this state")
    parser.add_argument("-n", "--limit", type=_number, default=0, metavar="N", help="N of them at most (0: all)")
    parser.add_argument("--dry-run", action="store_true", help="only say which")
    parser.add_argument("--yes", action="store_true", help="do not ask, though standard input is a terminal")
    add_filters(parser)


def has_any(arguments: argparse.Namespace) -> bool:
    """Return whether jobs are to be chosen by a filter."""
    return any(getattr(arguments, word) is not None for word in _WORDS)


def wanted(arguments: argparse.Namespace) -> Filter:
    """Return the filter that was given; JobFormatError when it means nothing."""
    job, method = arguments.job, arguments.method
    if arguments.kind is not None:
        if job is not None or method is not None:
            raise JobFormatError("--kind", "is --job and --method in one word: give either that or these")
        job, dot, method = arguments.kind.rpartition(".")
        if not dot:
            raise JobFormatError("--kind", f"{arguments.kind!r} is not JOB.METHOD")
    return Filter(
        job,
        method,
        arguments.group,
        arguments.error,
        arguments.match,
        seconds("--older", arguments.older),
        seconds("--newer", arguments.newer),
    )


def seconds(option: str, text: str | None) -> float | None:
    """Return a duration that was given on the command line in seconds: `90` or `5m`; None for None."""
    if text is None:
        return None
    try:
        return search.seconds(option, float(text))
    except ValueError:
        return search.seconds(option, text)


def check_choice(verb: str, arguments: argparse.Namespace, *, everything: bool = False) -> bool:
    """Return whether jobs are to be chosen by filters, and not named; JobFormatError when it is both, or neither."""
    chooses = everything or has_any(arguments) or arguments.state is not None
    if chooses and arguments.ids:
        raise JobFormatError(verb, "name the jobs, or choose them by options, not both")
    if not chooses and not arguments.ids:
        raise JobFormatError(verb, "name the jobs, or choose them: by --state, --job, --error, --match, --older …")
    return chooses


def may_go_on(verb: str, count: int, arguments: argparse.Namespace) -> bool:
    """Say how many jobs it is about and, when a person sits there and it is more than one, ask; return whether to go on."""
    jobs = "1 job" if count == 1 else f"{count} jobs"
    if arguments.dry_run:
        out.complain(f"would {verb} {jobs}")
        return False
    out.complain(f"{verb}: {jobs}")
    is_asked = sys.stdin is not None and sys.stdin.isatty()
    if count <= 1 or arguments.yes or not is_asked:
        return True
    out.complain("go on? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return int(text)
