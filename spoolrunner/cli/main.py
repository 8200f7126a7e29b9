"""The verbs, their arguments, and the exit codes: 0 done, 1 it did not happen, 2 usage, 75 busy, 124 time is up.

Each verb is a module of its own name with `add_arguments(parser)` and `run(arguments)`, which returns the exit code. Only the
module of the verb that was given is imported, so that `spoolrunner enqueue` does not pay for the dispatcher.
"""

from __future__ import annotations

import argparse
import sys
from copy import copy
from importlib import import_module
from typing import Any

import spoolrunner
from spoolrunner.cli.out import complain, say
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.system import owners, streams

VERBS = {
    "init": "make config.json and the spool's folders",
    "check": "print the configuration in force and look up every allowed job",
    "schema": "print the JSON Schema of a job file",
    "demo": "show the whole life of jobs, live, in under 20 seconds",
    "run": "run jobs, in the foreground, until stopped (Ctrl-C, SIGTERM, control/stop)",
    "enqueue": "write a job file, durably, and print its id",
    "status": "what the dispatcher is doing, and how many jobs are where",
    "list": "the jobs, of one state or all, oldest first",
    "show": "everything about one job: its document, attempts, errors, output",
    "logs": "what a job printed",
    "wait": "until jobs are done or failed for good; the exit code tells which",
    "why": "why a job has not started",
    "edit": "give a waiting job another priority, time or parameters",
    "retry": "run failed (or finished) jobs again, with a fresh retry budget",
    "cancel": "cancel jobs, waiting or running; a running one ends with its whole tree",
    "discard": "remove jobs that wait, are done or failed, with their logs",
    "schedules": "what is published at which times, with the next three; run, pause or resume one",
    "pause": "start no more jobs, or none of a method or a group; those that run run on",
    "resume": "start jobs again, all or those of a method or a group",
    "stop": "stop the dispatcher; what runs is given stop_grace, then goes back to pending",
    "web": "the operator's page, in a process of its own, until stopped; needs the extra [web]",
    "prune": "remove what lies in done/ and failed/ longer than keep_done and keep_failed",
}
"""verb -> its summary. The module spoolrunner.cli.VERB holds its arguments and its work."""
_WITH_OWN_RIGHTS = ("init", "check", "schema", "demo", "run")
"""Verbs that make an installation or start its programs, which is for its own user."""
_IMPORTED_LATE = ("ctypes", "hmac", "psutil", "rich.console", "rich.table", "rich.text", "spoolrunner.client.overview")
"""What commands import when they need it. Before root becomes another user, who may not be able to read root's Python."""
_EXAMPLES = """\
examples:
  spoolrunner init .                     make config.json and the spool here
  spoolrunner run                        run jobs until Ctrl-C
  spoolrunner enqueue app.Report build 2026 --delay 5m
  spoolrunner list failed                what went wrong
  spoolrunner retry --all                and once more

exit codes: 0 done; 1 the thing asked for did not happen; 2 usage or configuration; 75 busy, try again;
124 the time of a wait is up
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    streams.make_ready()
    try:
        code = _run(argv)
    except SystemExit as ended:  # the help or the version was printed, or the words make no command
        raise SystemExit(_when_printed(int(ended.code or 0))) from None
    return _when_printed(code)


def _when_printed(code: int) -> int:
    """Return the exit code when all is printed; where that cannot be done it is not 0."""
    problem = streams.flush()
    if problem is None:
        return code
    if code == 0 and not isinstance(problem, BrokenPipeError):
        complain(f"spoolrunner: standard output cannot be written: {problem.strerror}")
    return max(code, 1)


def _run(argv: list[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        _act_as_user_of_spool(arguments)
        code: int = arguments.run(arguments)
    except SpoolRunnerError as error:
        complain(*(f"spoolrunner: {row}" for row in str(error).splitlines()))
        return error.exit_code
    except BrokenPipeError:
        streams.discard()  # the reader of our output went away (`| head`)
        return 1
    except OSError as error:
        complain(f"spoolrunner: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="spoolrunner",
        description="Background jobs out of plain files.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    parser.add_argument(
        "--config", metavar="FILE", help="path of config.json (default: $SPOOLRUNNER_CONFIG, else upwards)"
    )
    verbs = parser.add_subparsers(
        title="verbs", dest="verb", metavar="VERB", required=True, parser_class=_VerbParser, prog="spoolrunner"
    )
    for name, summary in VERBS.items():
        description = summary[:1].upper() + summary[1:] + "."
        verbs.add_parser(name, help=summary, description=description).set_defaults(verb=name)
    return parser


def _act_as_user_of_spool(arguments: argparse.Namespace) -> None:
    """As root in the spool of another user, have his rights only: whatever he put in our way leads no further than he gets.

    What is made then is his too, so that his dispatcher can read it. His dispatcher's lock says whose spool it is, else the
    folder; one that is served by root is root's.
    """
    if owners.effective_user() != 0 or arguments.verb in _WITH_OWN_RIGHTS:
        return
    from spoolrunner.config.load import find_spool

    settings = find_spool(arguments.config)
    user = owners.owner_of(settings.layout.dispatcher_lock) or owners.owner_of(settings.layout.root)
    if user is not None and user.uid != 0:
        for module in _IMPORTED_LATE:
            import_module(module)
        owners.become(user)
        arguments.config = settings.path  # he may not be able to look for it


class _Version(argparse.Action):
    """Prints the version. The one of argparse drops the error when that cannot be written."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        say(f"spoolrunner {spoolrunner.__version__}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: Any = None) -> None:
        """Print the help; OSError when it cannot be written, which argparse drops."""
        (file or sys.stdout).write(self.format_help())


class _VerbParser(_Parser):
    """The parser of one verb. It imports the verb's module when it is asked to parse, which only the chosen one is."""

    _is_complete = False
    """Whether it has its arguments: argparse calls `parse_known_args` again to read words and options in any order."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the words behind the verb."""
        if self._is_complete:
            return super().parse_known_args(args, namespace)
        self._is_complete = True
        verb = import_module(f"spoolrunner.cli.{self.get_default('verb')}")
        self.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        verb.add_arguments(self)
        self.set_defaults(run=verb.run)
        found = super().parse_known_args(args, copy(namespace))
        if found[1]:  # perhaps words behind an option that follows other words: `enqueue JOB METHOD --delay 5m 2026`
            return self.parse_known_intermixed_args(args, namespace)
        return found
