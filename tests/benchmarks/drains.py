"""The parts whose drains stand between two of a floor, on each place; and what the processes of a drain use.

The machine is not as fast in one minute as in the next, nor is a file system. So whatever is held against a floor (the bare
loop, or a loop of bare interpreters) is measured right after one drain of the floor and right before another, and each of its
figures is divided by the mean of these two. Peers are, too: ours / theirs is the quotient of two such ratios of one round.
"""

from __future__ import annotations

import functools
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable

from tests.benchmarks import measure
from tests.benchmarks.file_peers import HueyFiles, HueySqlite
from tests.benchmarks.measure import Stretch, Usage, Window
from tests.benchmarks.ours import (
    STEPS,
    BareLoop,
    Fork,
    ForkFsync,
    ForkImport,
    Spawn,
    SpawnFsync,
    SpawnOneSlot,
    Spoolrunner,
)
from tests.benchmarks.parts import OURS, PEERS, Bench
from tests.benchmarks.redis_peers import CeleryOneTask, Dramatiq
from tests.benchmarks.results import on
from tests.benchmarks.subject import Subject

INTERPRETERS = 120
UNJUDGED = (Spawn, SpawnFsync, CeleryOneTask, Dramatiq, HueyFiles, HueySqlite)
"""Those whose drain beside the bare loop no target is about: drained on the main place alone, which saves five minutes."""
JOB, TEMPLATE, DISPATCHER = "job's process", "template", "dispatcher"

Floor = tuple[str, Callable[[], Window]]


def drain(bench: Bench) -> None:
    """Drain rate and CPU per job, on each place, of everybody between two drains of the bare loop."""
    for number in bench.rounds():
        for place in bench.places:
            kinds = [kind for kind in (*OURS, *PEERS) if place == bench.main or kind not in UNJUDGED]
            pairs(bench, place, f"drain {number + 1}", "drain", _bare_loop(bench), kinds)


def steps(bench: Bench) -> None:
    """Drain rate and CPU per job of what lies between the bare loop and spoolrunner."""
    for number in bench.rounds():
        pairs(bench, bench.main, f"steps {number + 1}", "step", _bare_loop(bench), (*STEPS, Fork))


def interpreters(bench: Bench) -> None:
    """Drain rate of the spawn executor, between two loops that start bare interpreters, as many at a time."""
    count = bench.count(INTERPRETERS)
    for number in bench.rounds():
        for place in bench.places:
            for slots, kind in ((1, SpawnOneSlot), (2, Spawn)):
                floor = bare_name(slots), functools.partial(bare_interpreters, slots, count)
                pairs(bench, place, f"interpreters {number + 1}", "interpreters", floor, (kind,), count)


def pairs(
    bench: Bench, place: str, what: str, metric: str, floor: Floor, kinds: Iterable[type[Subject]], count: int = 0
) -> None:
    """Drain the floor, and again after each of these: so each stands between two. `count` is how many jobs, if not theirs."""
    bench.go_to(place)
    before: Window | None = None
    for kind in [kind for kind in kinds if kind in bench.subjects]:
        found: list[Window] = []

        def one(subject: Subject, found: list[Window] = found) -> None:
            found.append(subject.drain(count or bench.count(subject.jobs)))

        before = before or _drain_floor(bench, place, metric, floor)
        bench.each((kind,), f"{what}, {place}", one)
        after = _drain_floor(bench, place, metric, floor)
        for window in found:  # none if it failed
            _note(bench, place, metric, kind.name, window)
            _note_ratios(bench, place, metric, kind.name, window, (before, after))
        before = after


def _drain_floor(bench: Bench, place: str, metric: str, floor: Floor) -> Window:
    name, drain_it = floor
    window = drain_it()
    _note(bench, place, metric, name, window)
    return window


def _note(bench: Bench, place: str, metric: str, name: str, window: Window) -> None:
    add = bench.results.add
    add(on(place, metric), name, window.rate)
    add(on(place, f"{metric} cpu"), name, window.cpu_ms)
    add(on(place, f"{metric} cpu with server"), name, window.cpu_with_server_ms)


def _note_ratios(
    bench: Bench, place: str, metric: str, name: str, window: Window, neighbours: tuple[Window, Window]
) -> None:
    rate = window.rate / statistics.mean(neighbour.rate for neighbour in neighbours)
    cpu = statistics.mean(neighbour.cpu_ms for neighbour in neighbours)
    bench.results.add(on(place, f"{metric} / floor"), name, rate)
    bench.results.add(on(place, f"{metric} cpu / floor"), name, window.cpu_ms / cpu if cpu else None)
    bench.say(f"    {window.rate:,.0f}/s, {rate:.3f} of the floor")


def _bare_loop(bench: Bench) -> Floor:
    loop = bench.subjects[BareLoop]
    return loop.name, lambda: loop.drain(bench.count(loop.jobs))


def bare_name(slots: int) -> str:
    """What the loop of bare interpreters is called."""
    return f"bare interpreters, {slots} at a time"


def bare_interpreters(slots: int, count: int) -> Window:
    """A loop that starts interpreters and waits for them, with so many at a time, and that do nothing."""
    command = [sys.executable, "-I", "-S", "-c", "pass"]
    running: list[subprocess.Popen[bytes]] = []
    began, cpu = measure.now(), _own_cpu()
    for _ in range(count):
        if len(running) == slots:
            running.pop(0).wait()
        running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
    for process in running:
        process.wait()
    return Window(count, measure.now() - began, _own_cpu() - cpu, 0.0)


def _own_cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def processes(bench: Bench) -> None:
    """Page faults and CPU time per job of each process of a drain: the job's, the template, the dispatcher; bare too."""
    for number in range(min(3, bench.plan.rounds)):
        for place in bench.places:
            bench.go_to(place)

            def one(subject: Subject, place: str = place) -> None:
                for process, (faults, cpu) in processes_of(subject, bench.count(subject.jobs)).items():
                    bench.results.add(on(place, "faults"), f"{subject.name}: {process}", faults)
                    bench.results.add(on(place, "process cpu"), f"{subject.name}: {process}", cpu)

            bench.each((BareLoop, Fork, ForkImport, ForkFsync), f"processes {number + 1}, {place}", one)


def processes_of(subject: Subject, count: int) -> dict[str, tuple[float, float]]:
    """Process -> page faults and CPU milliseconds per job of a drain, its first tenth left out.

    By /proc/PID/stat of those that live on: a job's process is counted in its parent, once that has waited for it.
    """
    subject.fresh()
    subject.fill(count)
    subject.start()
    parents: list[int] = []

    def read() -> list[float]:
        if not parents:
            parents.extend(subject.roots())
            parents.extend([subject.template()] if isinstance(subject, Spoolrunner) else [])
        return [value for pid in parents for value in measure.usage(pid)]

    try:
        found = subject.stretch(count, count // 10, count, read)
    finally:
        subject.stop()
    usages = [_a_job(found, number) for number in range(len(parents))]
    parent = usages[-1]
    own = {name: (used.faults, used.cpu) for name, used in zip(_names(subject), reversed(usages), strict=True)}
    return {JOB: (parent.faults_of_children, parent.cpu_of_children), **own}


def _names(subject: Subject) -> tuple[str, ...]:
    """The processes that live on, beginning with the one whose children the jobs' are."""
    return (TEMPLATE, DISPATCHER) if isinstance(subject, Spoolrunner) else ("the loop",)


def _a_job(found: Stretch, number: int) -> Usage:
    """What the process of that number used a job: times in milliseconds."""
    size = len(Usage._fields)
    faults, of_children, cpu, cpu_of_children = found.grown[size * number : size * (number + 1)]
    jobs = found.jobs
    return Usage(faults / jobs, of_children / jobs, 1000 * cpu / jobs, 1000 * cpu_of_children / jobs)
