"""The command: `python -m tests.benchmarks` measures everything, prints the tables, and writes page and figure.

Linux only. Takes some 45 minutes; `--quick` a quarter of an hour, for trying the benchmarks themselves. To see whether a change
made a job's process cheaper takes one or two: `drain --pairs 5 --jobs 2000 --only "spoolrunner, fork" --place tmpfs`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import signal
import sys
import tempfile

from tests.benchmarks import crowds, drains, machine, measure, parts, plot, report
from tests.benchmarks.million import million
from tests.benchmarks.parts import Bench, Plan
from tests.benchmarks.places import FOLDER, IMAGE, MAKERS, TMPFS, Places
from tests.benchmarks.results import Results
from tests.benchmarks.subject import ROOT, Ground
from tests.benchmarks.targets import targets

PARTS = {
    "drain": drains.drain,
    "processes": drains.processes,
    "steps": drains.steps,
    "interpreters": drains.interpreters,
    "costs": parts.costs,
    "enqueue": parts.enqueue,
    "commands": parts.commands,
    "latency": parts.latency,
    "idle": parts.idle,
    "backlog": parts.backlog,
    "million": million,
    "groups": crowds.groups,
    "kept": crowds.kept,
    "bulk": crowds.bulk,
}

DEFAULT_PLACES = (TMPFS, IMAGE)
PLACE_HELP = (
    f"where drains are measured: in memory, on an ext4 that is made for it (needs root), or `{FOLDER}`: in --folder"
)


def main() -> int:
    """Do what the arguments say."""
    arguments = _arguments()
    if arguments.list:
        for name, part in PARTS.items():
            print(f"{name:12} {(part.__doc__ or '').partition(chr(10))[0]}")
        return 0
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(f"ended by signal {number}"))
    plan = _plan(arguments)
    results = Results()
    began = measure.now()

    def say(text: str) -> None:
        print(f"[{measure.now() - began:6.0f} s] {text}", file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="spoolrunner-benchmarks-", dir=arguments.folder) as home,
        Places(home, arguments.place) as places,
    ):
        if not places.folders:
            sys.exit("; ".join(f"{name}: {why}" for name, why in places.missing.items()))
        described = machine.describe(places.folders)
        results.left_out |= {f"the place `{name}`": why for name, why in places.missing.items()}
        results.places, results.main = list(places.folders), places.main
        ground = Ground(home)
        try:
            bench = Bench(ground, places, plan, results, say, arguments.only)
            for name in arguments.parts or PARTS:
                bench.begin(name)
                PARTS[name](bench)
        finally:
            ground.close()
            say("removing the files")
    _tell(arguments, plan, results, described)
    return 0


def _tell(arguments: argparse.Namespace, plan: Plan, results: Results, described: dict[str, str]) -> None:
    """Print the page, and write it with the figure, unless it would replace that of a whole run by less."""
    command = shlex.join(["python", "-m", "tests.benchmarks", *sys.argv[1:]])
    judged = targets(results, plan.waiting)
    if arguments.parts or arguments.only:
        judged = [target for target in judged if target.value is not None]
    output = arguments.output
    if output is None and is_whole(arguments):
        output = os.path.join(ROOT, "docs")
    print(report.page(described, command, plan, results, judged, plot=output is not None))
    if arguments.raw:
        with open(arguments.raw, "w") as stream:
            json.dump(results.as_json(), stream, indent=1)
    if output is None:
        print("Not written: this was not a whole run. --output DIR writes it.", file=sys.stderr)
        return
    os.makedirs(output, exist_ok=True)
    can_draw = importlib.util.find_spec("matplotlib") is not None
    with open(os.path.join(output, "benchmarks.md"), "w") as stream:
        stream.write(report.page(described, command, plan, results, judged, plot=can_draw))
    if can_draw:
        plot.draw(os.path.join(output, "benchmarks.png"), plan, results)
    else:
        print("No figure: matplotlib is not installed.", file=sys.stderr)


def is_whole(arguments: argparse.Namespace) -> bool:
    """Whether this run measures everything as the page has it."""
    less = (arguments.parts, arguments.quick, arguments.only, arguments.jobs, arguments.place != list(DEFAULT_PLACES))
    return not any(less)


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = parts.QUICK if arguments.quick else Plan()
    if arguments.rounds:
        plan = plan._replace(rounds=arguments.rounds)
    if arguments.jobs:
        plan = plan._replace(jobs=arguments.jobs)
    if arguments.waiting:
        plan = plan._replace(waiting=tuple(sorted({1000, *arguments.waiting})))
    if arguments.backlogs:
        plan = plan._replace(backlogs=tuple(sorted(arguments.backlogs)))
    return plan


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these parts; --list names them")
    parser.add_argument("--list", action="store_true", help="list the parts and end")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller numbers")
    parser.add_argument("--rounds", "--pairs", type=int, help="rounds of every measurement")
    parser.add_argument("--jobs", type=int, metavar="N", help="jobs of every drain, whoever is drained")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these subjects, and the bare loop")
    parser.add_argument("--place", nargs="+", default=list(DEFAULT_PLACES), choices=list(MAKERS), help=PLACE_HELP)
    parser.add_argument("--waiting", type=int, nargs="+", metavar="N", help="numbers of files for the part `million`")
    parser.add_argument("--backlogs", type=int, nargs="+", metavar="N", help="numbers of jobs for the part `backlog`")
    parser.add_argument("--folder", help="where the temporary folder with the image is made")
    parser.add_argument("--output", metavar="DIR", help="where benchmarks.md and benchmarks.png go (whole runs: docs)")
    parser.add_argument("--raw", metavar="FILE", help="also write every value of every round, as JSON")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    names = [kind.name for kind in parts.ALL]
    unknown = [name for name in arguments.only if name not in names]
    if unknown:
        parser.error(f"no such subject: {'; '.join(unknown)}; there are {'; '.join(names)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
