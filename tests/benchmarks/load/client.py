"""A producer in a process of its own: `python -m tests.benchmarks.load.client LOAD ACTION COUNT` prints JSON.

LOAD is a module beside this one with `publish()`, `fill(count)` and `stamp(fifo)`; `stamp` publishes the job of that
name and returns the moment it did so, in ns.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import select
import sys
import time
from types import ModuleType
from typing import Self

PATIENCE = 30.0
PAUSE = (0.02, 0.06)
"""Between two jobs of an idle system, at random, so that no peer's polling falls into step with it."""
WARM_UP = 4
"""The first jobs of a run, not counted: connections are made and modules imported."""


def enqueue(load: ModuleType, count: int) -> float:
    """Jobs a second, published one by one by one client that is already connected."""
    for _ in range(WARM_UP):
        load.publish()
    began = time.monotonic()
    for _ in range(count):
        load.publish()
    return count / (time.monotonic() - began)


def fill(load: ModuleType, count: int) -> float:
    """Jobs a second, published in the fastest way that the subject offers for many."""
    began = time.monotonic()
    load.fill(count)
    return count / (time.monotonic() - began)


def latency(load: ModuleType, count: int) -> list[float]:
    """Milliseconds from the publication of a job to its first line, one job at a time."""
    with Pipe() as pipe:
        return [pipe.time_one(load) for _ in range(count + WARM_UP)][WARM_UP:]


def arrivals(load: ModuleType, _count: int) -> list[float]:
    """As `latency`, until standard input ends."""
    found = []
    with Pipe() as pipe:
        while not select.select([sys.stdin], [], [], 0)[0]:
            found.append(pipe.time_one(load))
    return found


class Pipe:
    """The named pipe that jobs write the moment of their first line to."""

    def __enter__(self) -> Self:
        self._path = os.path.join(os.environ["BENCH_FOLDER"], f"fifo-{os.getpid()}")
        os.mkfifo(self._path)
        self._descriptor = os.open(self._path, os.O_RDWR)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        os.unlink(self._path)

    def time_one(self, load: ModuleType) -> float:
        """Publish one job and wait for it; milliseconds."""
        time.sleep(random.uniform(*PAUSE))
        published = load.stamp(self._path)
        if not select.select([self._descriptor], [], [], PATIENCE)[0]:
            raise TimeoutError(f"no job started within {PATIENCE:g} s")
        return (int(os.read(self._descriptor, 100)) - published) / 1e6


def main() -> None:
    """Do what the arguments say."""
    name, action, count = sys.argv[1:]
    load = importlib.import_module(f"tests.benchmarks.load.{name}")
    actions = {"enqueue": enqueue, "fill": fill, "latency": latency, "arrivals": arrivals}
    print(json.dumps(actions[action](load, int(count))))


if __name__ == "__main__":
    main()
