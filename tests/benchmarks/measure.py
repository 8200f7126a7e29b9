"""What is read from the machine: clocks, CPU time and memory of trees of processes, counts that grow. Judges nothing."""

from __future__ import annotations

import math
import os
import select
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import psutil

POLL = 0.005
LOOK_SHARE = 20
"""A look at a count is followed by a pause at least this many times as long, so that looking costs the subject little."""


class Window(NamedTuple):
    """A stretch of a drain: how many jobs ended in it, how long it was, and the CPU seconds it took."""

    jobs: int
    seconds: float
    cpu: float
    server_cpu: float

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a job, of the subject's own processes."""
        return 1000 * self.cpu / self.jobs

    @property
    def cpu_with_server_ms(self) -> float:
        """As `cpu_ms`, with those of the server that the subject needs."""
        return 1000 * (self.cpu + self.server_cpu) / self.jobs


class Stretch(NamedTuple):
    """A stretch of a drain: how many jobs ended in it, how long it was, and by how much each of the readings grew."""

    jobs: int
    seconds: float
    grown: tuple[float, ...]


class Usage(NamedTuple):
    """What a process has used so far, and what those used that it has waited for: minor page faults, CPU seconds."""

    faults: float
    faults_of_children: float
    cpu: float
    cpu_of_children: float


class Spread(NamedTuple):
    """The middle of the rounds' values, with the quartiles."""

    lower: float
    median: float
    upper: float


class _Sample(NamedTuple):
    at: float
    jobs: int
    read: Sequence[float]


def now() -> float:
    """Seconds of CLOCK_MONOTONIC."""
    return time.monotonic()


def wall() -> float:
    """Seconds since 1970."""
    return time.time()


def run(words: list[str], folder: str, env: dict[str, str], limit: float = 30.0) -> float:
    """Run a program to its end; seconds. Waits for its descriptor: `subprocess` with a limit looks every 50 ms only."""
    began = now()
    with subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.DEVNULL) as started:
        descriptor = os.pidfd_open(started.pid)
        try:
            ended, _, _ = select.select([descriptor], [], [], limit)
            taken = now() - began
        finally:
            os.close(descriptor)
        if not ended:
            started.kill()
    if started.returncode:
        raise ChildProcessError(f"{' '.join(words)} ended with {started.returncode}")
    return taken


def pause(seconds: float) -> None:
    """Let that much time pass."""
    time.sleep(seconds)


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something outside of this process; TimeoutError naming it after that many seconds."""
    deadline = now() + seconds
    while not condition():
        if now() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        pause(POLL)


def watch(
    completed: Callable[[], int],
    first: int,
    last: int,
    read: Callable[[], Sequence[float]],
    limit: float = 120.0,
) -> Stretch:
    """The stretch from the first look that finds `first` jobs completed to the first that finds `last`.

    What grows meanwhile is read at both ends. After `limit` seconds it ends where it is; TimeoutError when it has not
    even begun then.
    """
    deadline = now() + limit
    begun: _Sample | None = None
    while True:
        looked = now()
        count = completed()
        at = now()
        if begun is None and count >= first:
            begun = _Sample(at, count, read())
        elif begun is not None and (count >= last or (at > deadline and count > begun.jobs)):
            grown = tuple(after - before for before, after in zip(begun.read, read(), strict=True))
            return Stretch(count - begun.jobs, at - begun.at, grown)
        elif at > deadline:
            raise TimeoutError(f"only {count} of {last} jobs were completed within {limit:g} s")
        pause(max(POLL, LOOK_SHARE * (at - looked)))


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """These processes and all that descend from them and live."""
    found = []
    for pid in roots:
        try:
            root = psutil.Process(pid)
            found += [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these trees so far, children that were waited for included."""
    total = 0.0
    for process in tree(roots):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def fine_cpu_seconds(roots: Iterable[int]) -> float:
    """As `cpu_seconds` of processes that live through the measurement, but exact to the microsecond, not to the tick."""
    total = 0
    for process in tree(roots):
        try:
            for thread in process.threads():
                with open(f"/proc/{process.pid}/task/{thread.id}/schedstat") as stream:
                    total += int(stream.read().split()[0])
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            continue
    return total / 1e9


def usage(pid: int) -> Usage:
    """What /proc says of one process."""
    with open(f"/proc/{pid}/stat") as stream:
        fields = [float(field) for field in stream.read().rpartition(")")[2].split()[1:]]
    ticks = os.sysconf("SC_CLK_TCK")
    return Usage(fields[6], fields[7], (fields[10] + fields[11]) / ticks, (fields[12] + fields[13]) / ticks)


def memory(roots: Iterable[int]) -> float:
    """PSS of these trees in bytes: what they have alone, and their part of what they share."""
    return sum(_pss(process.pid) for process in tree(roots))


def _pss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as stream:
            return sum(1024 * int(line.split()[1]) for line in stream if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def spread(values: list[float]) -> Spread:
    """Median and quartiles; all three are the value where there is but one."""
    if len(values) == 1:
        values = values * 2
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))
