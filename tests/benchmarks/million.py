"""How spoolrunner bears many files: up to a million waiting in pending/, and as many finished in done/.

The files are written directly, as fast as they can be. Rates are those of a stretch of the drain, alternating with drains
of a thousand jobs in a spool of their own while the large one is paused, so that both see the same machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.benchmarks import measure
from tests.benchmarks.ours import JOBS, Fork
from tests.benchmarks.parts import Bench, note_latency
from tests.benchmarks.subject import environment

SMALL = 1000
WINDOW = 3000
ARRIVALS = 500
URGENT = "1000"
SCAN_LIMIT = 900.0
SCAN_WATCHED = 20.0
DOCUMENT = b'{"job": "%s", "method": "noop", "params": []}\n' % JOBS.encode()


def million(bench: Bench) -> None:
    """Start, scan, memory, rate and latency of each size of backlog; then the largest number of files in done/."""
    small = Fork(bench.ground)
    full: Waiting | None = None
    for size in bench.plan.waiting:
        if full is not None:
            full.spool.fresh()
        full = Waiting(bench, size)
        full.measure(small)
    if full is not None:
        finished(bench, full.spool, max(bench.plan.waiting), small)


class Waiting:
    """A spool in which `size` jobs wait."""

    def __init__(self, bench: Bench, size: int) -> None:
        self.bench = bench
        self.size = size
        self.label = label(size)
        self.spool = Fork(bench.ground)
        self.window = min(WINDOW, size // 20)

    def note(self, metric: str, value: float | None) -> None:
        """A figure of this size."""
        self.bench.results.add(f"waiting {metric}", self.label, value)

    def measure(self, small: Fork) -> None:
        """All of it, in the order in which a dispatcher meets it."""
        self.bench.say(f"waiting {self.label}: writing the files")
        self.spool.fresh()
        write_files(self.spool.path("pending"), "waiting", self.size)
        os.sync()
        self.bench.say(f"waiting {self.label}: starting")
        began = measure.wall()
        self.spool.start()
        try:
            self.first_scan(began)
            self.bench.say(f"waiting {self.label}: paused")
            self.note("memory", measure.memory(self.spool.roots()[:1]) - self.template())
            self.note("left", float(self.spool.status().get("waiting", 0)))
            for number in self.bench.rounds():
                self.arrivals(number)
            self.bench.say(f"waiting {self.label}: draining")
            self.rates(small)
        finally:
            self.spool.stop()

    def first_scan(self, began: float) -> None:
        """From the start of the process to the first job, and what the jobs have of the machine until all are known.

        A scan gives way to jobs, so a large one is watched for a while beside them and then, paused, left to itself.
        """
        first = started(self.spool)
        self.note("first", first - began)
        urgent = Urgent(self.spool) if self.size > SMALL else None
        measure.until(lambda: self.is_scanned() or measure.wall() - first > SCAN_WATCHED, SCAN_LIMIT, "a while")
        seconds = measure.wall() - first
        self.spool.completed(0)
        if urgent is not None:
            self.note("rate while scanning", self.spool.log.completed / seconds)
            self.latencies("while scanning", urgent.end())
        self.pause()
        measure.until(self.is_scanned, SCAN_LIMIT, "the end of the first scan")
        if urgent is not None:
            self.note("scan", measure.wall() - began)

    def is_scanned(self) -> bool:
        """Whether the dispatcher knows of all files: by status.json, which it writes once a second."""
        measure.pause(0.1)
        status = self.spool.status()
        known = status.get("waiting", 0) + sum(status.get("totals", {}).get(key, 0) for key in ("succeeded", "failed"))
        return bool(known + len(status.get("running", [])) >= self.size * 0.999)

    def latencies(self, when: str, values: list[float]) -> None:
        """Median and largest of the start latencies of urgent arrivals."""
        if len(values) >= 5:
            self.note(f"latency p50 {when}", measure.median(values))
            self.note(f"latency max {when}", max(values))

    def pause(self) -> None:
        """Pause, and wait until nothing runs."""
        with open(self.spool.path("control", "pause"), "w"):
            pass
        measure.until(self.is_quiet, 30, "the pause")

    def is_quiet(self) -> bool:
        """Whether nothing has been completed for a while; status.json would tell it a second late."""
        before = self.spool.completed(0)
        measure.pause(0.3)
        return self.spool.completed(0) == before

    def resume(self) -> None:
        """Go on."""
        os.unlink(self.spool.path("control", "pause"))

    def template(self) -> float:
        """The memory of the processes that the dispatcher has started."""
        return measure.memory([child.pid for child in measure.tree(self.spool.roots())[1:]])

    def arrivals(self, number: int) -> None:
        """The CPU time the dispatcher spends on one new file, while all others wait; the jobs are paused."""
        write_files(self.spool.path("tmp"), f"arrival-{number}", ARRIVALS)
        moments = [measure.fine_cpu_seconds(self.spool.roots())]
        for move in (False, True):  # the first time only to know what goes on anyway: status.json, a bit of a scan
            for name in sorted(os.listdir(self.spool.path("tmp"))):
                if move:
                    os.rename(self.spool.path("tmp", name), self.spool.path("pending", name))
                measure.pause(0.001)
            measure.pause(1.5)
            moments.append(measure.fine_cpu_seconds(self.spool.roots()))
        without, with_arrivals = moments[1] - moments[0], moments[2] - moments[1]
        self.note("cpu of an arrival", 1000 * (with_arrivals - without) / ARRIVALS)

    def rates(self, small: Fork) -> None:
        """Stretches of this drain, alternating with drains of a thousand; then urgent arrivals in the midst of it."""
        results = self.bench.results
        for _ in self.bench.rounds():
            rate = small.drain(SMALL).rate
            self.note("rate of a thousand", rate)
            if self.size > SMALL:
                self.resume()
                self.spool.completed(0)
                done = self.spool.log.completed
                few = self.window // 10
                self.note("rate", self.spool.watch(self.size, done + few, done + self.window).rate)
                self.pause()
            else:
                self.note("rate", rate)
        self.resume()
        urgent = Urgent(self.spool)
        measure.pause(5)
        values = urgent.end()
        self.latencies("while draining", values)
        results.remarks.append(f"{len(values)} urgent arrivals while {self.label} were drained")


class Urgent:
    """A producer that publishes a job of the highest priority again and again, from now until `end`."""

    def __init__(self, spool: Fork) -> None:
        words = [sys.executable, "-m", "tests.benchmarks.load.client", "on_spool", "arrivals", "0"]
        env = environment(spool.env() | {"BENCH_PRIORITY": URGENT})
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = spool.ground.launch(words, spool.folder, env, **pipes)
        self._ground = spool.ground

    def end(self) -> list[float]:
        """The milliseconds that each took to its first line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        text = self._process.stdout.read()
        self._ground.end(self._process)
        return [float(value) for value in json.loads(text or b"[]")]


def finished(bench: Bench, spool: Fork, size: int, small: Fork) -> None:
    """Rate and idle latency with that many files in done/, and alternating with it, with none.

    The files that waited make most of them: nobody reads what lies in done/, so their content does not matter.
    """
    name = label(size)
    bench.say(f"finished {name}: writing the files")
    there = spool.path("done")
    for entry in os.listdir(spool.path("done")):
        os.rename(spool.path("done", entry), spool.path("pending", entry))
    os.rmdir(there)
    os.rename(spool.path("pending"), there)
    os.mkdir(spool.path("pending"), 0o700)
    write_files(there, "finished", max(0, size - len(os.listdir(there))))
    os.sync()
    for number in bench.rounds():
        bench.say(f"finished {name}: {number + 1}")
        small.fresh()
        for kind, subject in (("none", small), (name, spool)):
            subject.fill(SMALL)
            subject.start()
            try:
                bench.results.add("finished rate", kind, subject.watch(SMALL, SMALL // 10, SMALL).rate)
                subject.settle_down()
                note_latency(bench.results, kind, subject.latency(max(20, bench.plan.samples // 3)), "finished ")
            finally:
                subject.stop()


def started(spool: Fork) -> float:
    """The moment of the first start of a job that waited, as the log has it."""
    found: list[float] = []

    def look() -> bool:
        found.extend(spool.log.parse(line).at for line in spool.log.read() if b" started id=waiting" in line)
        return bool(found)

    measure.until(look, 120, "the start of a job")
    return found[0]


def write_files(folder: str, prefix: str, count: int, document: bytes = DOCUMENT) -> None:
    """Write that many job files into a folder, unsynced."""
    home = os.open(folder, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for number in range(count):
        descriptor = os.open(f"{prefix}-{number:07d}.json", flags, 0o600, dir_fd=home)
        os.write(descriptor, document)
        os.close(descriptor)
    os.close(home)


def label(size: int) -> str:
    """1k, 10k, 100k, 1M."""
    return f"{size // 1_000_000}M" if size % 1_000_000 == 0 else f"{size / 1000:g}k"
