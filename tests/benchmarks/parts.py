"""The parts that measure every subject alike, on one place: enqueue, latency, idle, and so on. Rounds are interleaved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.benchmarks import measure
from tests.benchmarks.file_peers import HueyFiles, HueySqlite, Nq, TaskSpooler
from tests.benchmarks.ours import (
    JOBS,
    STEPS,
    BareLoop,
    Fork,
    ForkDefault,
    ForkFsync,
    ForkFsync8,
    ForkImport,
    Spawn,
    SpawnFsync,
    SpawnOneSlot,
)
from tests.benchmarks.places import Places
from tests.benchmarks.redis_peers import Celery, CeleryOneTask, Dramatiq, RedisPeer, Rq
from tests.benchmarks.results import Results
from tests.benchmarks.subject import Ground, Subject, environment, load_program, script

OURS = (Fork, ForkImport, ForkFsync, ForkFsync8, ForkDefault, Spawn, SpawnFsync)
PEERS = (Rq, Celery, CeleryOneTask, Dramatiq, HueyFiles, HueySqlite, TaskSpooler, Nq)
SUBJECTS: tuple[type[Subject], ...] = (BareLoop, *OURS, *PEERS)
ALL: tuple[type[Subject], ...] = (*SUBJECTS, SpawnOneSlot, *STEPS)
IDLE_SECONDS = 30.0
BATCH = 10_000
BACKLOG_SECONDS = 8.0
"""How long the drain of one backlog is watched at most."""


class Plan(NamedTuple):
    """How much of everything: what `--quick` and the options change."""

    rounds: int = 5
    scale: float = 1.0
    jobs: int = 0
    """Jobs of every drain; 0: as many as the subject says, times `scale`."""
    samples: int = 100
    commands: int = 15
    idle_seconds: float = IDLE_SECONDS
    backlogs: tuple[int, ...] = (1000, 10_000, 100_000)
    waiting: tuple[int, ...] = (1000, 10_000, 100_000, 1_000_000)


QUICK = Plan(rounds=3, scale=0.5, samples=30, commands=5, idle_seconds=5, backlogs=(1000, 5000), waiting=(1000, 50_000))


class Bench:
    """What the parts are given: the subjects that are here, the places, the plan, and where the figures go.

    `only` names the subjects that are wanted, beside the bare loop; empty: all.
    """

    def __init__(
        self,
        ground: Ground,
        places: Places,
        plan: Plan,
        results: Results,
        say: Callable[[str], None],
        only: Iterable[str],
    ) -> None:
        self.ground = ground
        self.places = places.folders
        self.main = places.main
        self.plan = plan
        self.results = results
        self._say = say
        self._part = ""
        self.subjects: dict[type[Subject], Subject] = {}
        for kind in ALL:
            if only and kind is not BareLoop and kind.name not in only:
                continue
            missing = kind.missing()
            if missing:
                results.left_out[kind.name] = f"not installed: {missing}"
            else:
                self.subjects[kind] = kind(ground)

    def each(self, kinds: Iterable[type[Subject]], what: str, measured: Callable[[Subject], None]) -> None:
        """Measure each of these subjects that is here; one that fails is named as left out, and the run goes on."""
        for kind in kinds:
            subject = self.subjects.get(kind)
            if subject is None:
                continue
            self.say(f"{what}: {kind.name}")
            try:
                measured(subject)
            except (OSError, TimeoutError, ValueError, subprocess.SubprocessError) as error:
                subject.stop()
                del self.subjects[kind]
                self.results.left_out[kind.name] = f"failed in {what}: {type(error).__name__}: {error}"[:400]
                self.say(f"LEFT OUT {kind.name}: {error}")

    def begin(self, part: str) -> None:
        """A part begins: on the main place, unless it goes to another."""
        self._part = part
        self.go_to(self.main)
        self.say(f"-- {part}")

    def say(self, text: str) -> None:
        """Tell how far we are; the machine's load is looked at on this occasion."""
        self.results.note_load(self._part, os.getloadavg()[0])
        self._say(text)

    def go_to(self, place: str) -> None:
        """What is made anew from now on is made there."""
        self.ground.folder = self.places[place]

    def rounds(self) -> range:
        """The rounds of a part."""
        return range(self.plan.rounds)

    def count(self, jobs: int) -> int:
        """How many jobs a drain has, where by itself it would have so many."""
        return self.plan.jobs or max(20, int(jobs * self.plan.scale))


def costs(bench: Bench) -> None:
    """The bare costs of what a job is made of, in microseconds."""
    in_memory = {"bare Python": "-", "with orjson": "orjson", "as the template": "spoolrunner.executors.forkserver"}
    for number in bench.rounds():
        bench.say(f"costs {number + 1}")
        for words, module in in_memory.items():
            folder = bench.ground.new_folder("costs")
            os.mkdir(f"{folder}/there")
            found = bench.ground.answer([sys.executable, load_program("costs.py"), folder, module], folder, {})
            for name, cost in found["costs"].items():
                bench.results.add("cost", f"{name}, {words}" if name.startswith("fork") else name, cost)
            bench.results.add("cost", f"faults of the memory in that, {words} (a count)", found["faults"])


def enqueue(bench: Bench) -> None:
    """Enqueue rate of one client, job by job; and of spoolrunner's batch."""

    def one(subject: Subject) -> None:
        subject.fresh()
        rate = subject.enqueue(int(subject.enqueues * bench.plan.scale))
        bench.results.add("enqueue", subject.name, rate)

    def batch(subject: Subject) -> None:
        subject.fresh()
        bench.results.add("enqueue_many", subject.name, subject.fill(BATCH))

    kinds = [
        kind for kind in SUBJECTS if kind not in (ForkImport, ForkFsync8, ForkDefault, Spawn, SpawnFsync, CeleryOneTask)
    ]
    for number in bench.rounds():
        bench.each(kinds, f"enqueue {number + 1}", one)
        bench.each((Fork, ForkFsync), f"batch {number + 1}", batch)


def commands(bench: Bench) -> None:
    """Wall time of enqueueing one job from a shell and from a fresh interpreter."""
    found = shell_commands(bench)
    for number in range(bench.plan.commands):
        bench.say(f"commands {number + 1}")
        for name, (words, folder, env) in found.items():
            taken = measure.run(words, folder, env)
            if number:  # the first one reads the programs from the disk
                bench.results.add("command", name, 1000 * taken)


def shell_commands(bench: Bench) -> dict[str, tuple[list[str], str, dict[str, str]]]:
    """Name -> words, folder and environment of each way to enqueue a no-op; nobody runs it."""
    ours = ForkFsync(bench.ground)
    ours.fresh()
    here = ours.folder
    python = f"import spoolrunner; spoolrunner.enqueue({JOBS!r}, 'noop')"
    drop = f'printf \'{{"job":"{JOBS}","method":"noop"}}\' > spool/tmp/$$ && mv -n spool/tmp/$$ spool/pending/$$.json'
    found = {
        "spoolrunner: python -c": [sys.executable, "-c", python],
        "spoolrunner: shell": [script("spoolrunner"), "enqueue", JOBS, "noop"],
        "spoolrunner: printf and mv": ["sh", "-c", drop],
    }
    rq, celery = bench.subjects.get(Rq), bench.subjects.get(Celery)
    env = environment({})
    if isinstance(rq, RedisPeer):
        port = f"port={rq.redis.port}, db={rq.database}"
        job = f"{JOBS}.noop"
        python = f"from redis import Redis; from rq import Queue; Queue(connection=Redis({port})).enqueue({job!r})"
        found["RQ: python -c"] = [sys.executable, "-c", python]
        found["RQ: shell"] = [script("rq"), "enqueue", "--quiet", "--url", rq.redis.url(rq.database), job]
    if isinstance(celery, RedisPeer):
        env |= celery.env()
        found["Celery: shell"] = [script("celery"), "-A", "tests.benchmarks.load.on_celery", "call", "noop"]
    if Nq in bench.subjects:
        found["nq: shell"] = ["nq", "-q", "true"]
        env["NQDIR"] = os.path.join(here, "nq")
    return {name: (words, here, env) for name, words in found.items()}


def latency(bench: Bench) -> None:
    """Start latency of an idle system, one job at a time."""

    def one(subject: Subject) -> None:
        subject.fresh()
        subject.start()
        try:
            subject.settle_down()
            values = subject.latency(bench.plan.samples)
            note_latency(bench.results, subject.name, values)
            if isinstance(subject, (Fork, ForkFsync)):
                values = list(subject.client("latency", bench.plan.samples, BENCH_STAMP="enqueue"))
                note_latency(bench.results, f"{subject.name}, by enqueue()", values)
        finally:
            subject.stop()

    kinds = [kind for kind in SUBJECTS if kind.has_latency and kind not in (ForkImport, ForkFsync8, CeleryOneTask)]
    for number in range(min(3, bench.plan.rounds)):
        bench.each(kinds, f"latency {number + 1}", one)


def note_latency(results: Results, name: str, values: list[float], prefix: str = "") -> None:
    """Keep median and 99th percentile of a round."""
    results.add(f"{prefix}latency_p50", name, measure.median(values))
    results.add(f"{prefix}latency_p99", name, measure.percentile(values, 0.99))


def idle(bench: Bench) -> None:
    """Memory of each that is idle, alone; then their CPU time while all are."""
    left = (Fork, ForkImport, ForkFsync8, Spawn, CeleryOneTask)
    kinds = [kind for kind in SUBJECTS if kind.has_latency and kind not in left]

    def one(subject: Subject) -> None:
        subject.fresh()
        subject.start()
        try:
            subject.settle_down()
            bench.results.add("memory", subject.name, measure.memory(subject.roots()))
        finally:
            subject.stop()

    bench.each(kinds, "memory", one)
    watched: list[Subject] = []

    def begin(subject: Subject) -> None:
        subject.fresh()
        subject.start()
        watched.append(subject)

    bench.each(kinds, "idle", begin)
    measure.pause(6)
    before = [measure.fine_cpu_seconds(subject.roots()) for subject in watched]
    servers = {pid for subject in watched for pid in subject.servers()}
    server_before = measure.fine_cpu_seconds(servers)
    measure.pause(bench.plan.idle_seconds)
    for subject, cpu in zip(watched, before, strict=True):
        spent = measure.fine_cpu_seconds(subject.roots()) - cpu
        bench.results.add("idle_cpu", subject.name, spent * IDLE_SECONDS / bench.plan.idle_seconds)
    if servers:
        spent = measure.fine_cpu_seconds(servers) - server_before
        bench.results.add("idle_cpu", "Redis server of all of these", spent * IDLE_SECONDS / bench.plan.idle_seconds)
        bench.results.add("memory", "Redis server of all of these", measure.memory(servers))
    for subject in watched:
        subject.stop()


def backlog(bench: Bench) -> None:
    """Drain rate of the first jobs while so many wait; watched for a while, not to the end."""
    for size in bench.plan.backlogs:

        def one(subject: Subject, size: int = size) -> None:
            if size > subject.largest_backlog:
                return
            few = min(size, bench.count(subject.jobs))
            subject.fresh()
            subject.fill(size)
            subject.start()
            try:
                window = subject.watch(size, few // 10, few, BACKLOG_SECONDS)
            finally:
                subject.stop()
            bench.results.add(f"backlog {size}", subject.name, window.rate)

        bench.each((Fork, *[k for k in PEERS if k.largest_backlog > 1000]), f"backlog {size}", one)
