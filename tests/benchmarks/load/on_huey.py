"""Huey's instance, for its consumer and its producer: in files or in SQLite (unsynced), without results."""

import os
import time

from huey import FileHuey, SqliteHuey

from tests.benchmarks.load import jobs

_path = os.path.join(os.environ["BENCH_FOLDER"], "huey")
if os.environ["BENCH_HUEY"] == "sqlite":
    huey = SqliteHuey("benchmarks", filename=f"{_path}.db", fsync=False, results=False)
else:
    huey = FileHuey("benchmarks", path=_path, results=False)
noop = huey.task(name="noop")(jobs.noop)
job = huey.task(name="stamp")(jobs.stamp)


def publish():
    noop()


def fill(count):
    for _ in range(count):
        noop()


def stamp(fifo):
    now = time.monotonic_ns()
    job(fifo)
    return now
