"""Celery's application, for its worker and its producer: JSON, results ignored, many short tasks fetched ahead."""

import os
import time

from celery import Celery

from tests.benchmarks.load import jobs

app = Celery("benchmarks", broker=os.environ["BENCH_REDIS"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "64")),
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
noop = app.task(name="noop")(jobs.noop)
job = app.task(name="stamp")(jobs.stamp)


def publish():
    noop.delay()


def fill(count):
    for _ in range(count):
        noop.delay()


def stamp(fifo):
    now = time.monotonic_ns()
    job.delay(fifo)
    return now
