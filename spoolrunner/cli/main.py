"""The verbs, their arguments, and the exit codes: 0 done, 1 it did not happen, 2 usage or configuration, 75 busy.

Each verb is a function of the parsed arguments that returns its exit code; it is imported only when it is called, so that
`spoolrunner enqueue` does not pay for the dispatcher.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TypeAlias

import spoolrunner
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.protocol.states import State
from spoolrunner.spool import output
from spoolrunner.telling.lines import printable

_EXAMPLES = """\
examples:
  spoolrunner init .                     make config.json and the spool here
  spoolrunner run                        run jobs until Ctrl-C
  spoolrunner enqueue app.Report build 2026 --delay 5m
  spoolrunner list failed                what went wrong
  spoolrunner retry --all                and once more

exit codes: 0 done; 1 the thing asked for did not happen; 2 usage or configuration; 75 busy, try again
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    output.write_utf8()
    arguments = _parser().parse_args(argv)
    name = "list_" if arguments.verb == "list" else arguments.verb
    verb = getattr(import_module(f"spoolrunner.cli.{arguments.module}"), name)
    try:
        code: int = verb(arguments)
    except SpoolRunnerError as error:
        print("\n".join(f"spoolrunner: {printable(row)}" for row in str(error).splitlines()), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`| head`). Python would complain once more while closing: nothing may be left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"spoolrunner: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spoolrunner",
        description="Background jobs out of plain files.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"spoolrunner {spoolrunner.__version__}")
    parser.add_argument(
        "--config", metavar="FILE", help="path of config.json (default: $SPOOLRUNNER_CONFIG, else upwards)"
    )
    verbs = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB", required=True)
    _add_setup(verbs)
    _add_run(verbs)
    _add_enqueue(verbs)
    _add_inspection(verbs)
    _add_operation(verbs)
    return parser


_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- it has no public name


def _verb(verbs: _Verbs, name: str, module: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
    made.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    made.set_defaults(module=module)
    return made


def _add_setup(verbs: _Verbs) -> None:
    init = _verb(verbs, "init", "setup", "make config.json and the spool's folders")
    init.add_argument("dir", nargs="?", default=".", metavar="DIR", help="where (default: here)")
    check = _verb(verbs, "check", "setup", "print the configuration in force and look up every allowed job")
    check.add_argument("--json", action="store_true", help="as JSON")
    _verb(verbs, "schema", "setup", "print the JSON Schema of a job file")
    demo = _verb(verbs, "demo", "demo", "show the whole life of jobs, live, in under 20 seconds")
    demo.add_argument("dir", nargs="?", metavar="DIR", help="make a fresh installation there and use it")


def _add_run(verbs: _Verbs) -> None:
    run = _verb(verbs, "run", "run", "run jobs, in the foreground, until stopped (Ctrl-C, SIGTERM, control/stop)")
    run.add_argument("--drain", action="store_true", help="run what is due, wait for it, and end")
    run.add_argument("--standby", action="store_true", help="wait for the spool while another dispatcher holds it")
    run.add_argument("-q", "--quiet", action="store_true", help="print nothing; the logs have it all")


def _add_enqueue(verbs: _Verbs) -> None:
    enqueue = _verb(verbs, "enqueue", "enqueue", "write a job file, durably, and print its id")
    enqueue.add_argument("job", metavar="JOB", help="dotted path of a class or module in allowed_jobs")
    enqueue.add_argument("method", metavar="METHOD")
    enqueue.add_argument("params", nargs="*", metavar="PARAM", help="parameters by position, as strings")
    enqueue.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter by name")
    enqueue.add_argument("--json", metavar="JSON", help="all parameters, as a JSON array or object")
    enqueue.add_argument("--delay", default=0, metavar="DURATION", help="start not before this: 90, 90s, 5m, 2h, 7d")
    enqueue.add_argument("--at", metavar="TIME", help="start not before this: 2026-11-23T17:45:01Z")
    enqueue.add_argument("--expires-at", metavar="TIME", help="never start it after this")
    enqueue.add_argument("--priority", type=int, metavar="N", help="-1000 to 1000, higher first")
    enqueue.add_argument("--max-retries", type=int, metavar="N")
    enqueue.add_argument("--timeout", metavar="DURATION")
    enqueue.add_argument("--meta", metavar="JSON", help="free data, carried along: a JSON object")
    enqueue.add_argument("--id", metavar="ID", help="instead of one made from the time")


def _add_inspection(verbs: _Verbs) -> None:
    status = _verb(verbs, "status", "inspect", "what the dispatcher is doing, and how many jobs are where")
    status.add_argument("--json", action="store_true", help="as JSON")
    listing = _verb(verbs, "list", "inspect", "the jobs, of one state or all, oldest first")
    listing.add_argument(
        "state", nargs="?", choices=[state.value for state in State], metavar="STATE", help="pending, …"
    )
    listing.add_argument("--json", action="store_true", help="as JSON, all of them")
    listing.add_argument("-n", "--limit", type=int, metavar="N", help="the last N of each state (default 20; 0: all)")
    show = _verb(verbs, "show", "inspect", "everything about one job: its document, attempts, errors, output")
    show.add_argument("id", metavar="ID")
    show.add_argument("--json", action="store_true", help="as JSON")
    logs = _verb(verbs, "logs", "inspect", "what a job printed")
    logs.add_argument("id", metavar="ID")
    logs.add_argument("-f", "--follow", action="store_true", help="go on printing until the job has ended")


def _add_operation(verbs: _Verbs) -> None:
    retry = _verb(verbs, "retry", "operate", "run failed (or finished) jobs again, with a fresh retry budget")
    retry.add_argument("ids", nargs="*", metavar="ID")
    retry.add_argument("--all", action="store_true", help="all in failed/ that are not rejected")
    retry.add_argument("--sign", action="store_true", help="sign them first, as they are now (with signing_key only)")
    cancel = _verb(
        verbs, "cancel", "operate", "cancel jobs, waiting or running; a running one ends with its whole tree"
    )
    cancel.add_argument("ids", nargs="+", metavar="ID")
    cancel.add_argument("--no-wait", action="store_true", help="ask, and do not wait for the effect")
    _verb(verbs, "pause", "operate", "start no more jobs; those that run run on")
    _verb(verbs, "resume", "operate", "start jobs again")
    stop = _verb(
        verbs, "stop", "operate", "stop the dispatcher; what runs is given stop_grace, then goes back to pending"
    )
    stop.add_argument(
        "--leave-running", action="store_true", help="let the jobs run on, for the next dispatcher to adopt"
    )
    stop.add_argument("--no-wait", action="store_true", help="ask, and do not wait for the effect")
    prune = _verb(
        verbs, "prune", "operate", "remove what lies in done/ and failed/ longer than keep_done and keep_failed"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
