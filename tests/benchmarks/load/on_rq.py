"""Load for RQ."""

import os
import time

from redis import Redis
from rq import Queue

from tests.benchmarks.load.jobs import noop
from tests.benchmarks.load.jobs import stamp as job

queue = Queue(connection=Redis.from_url(os.environ["BENCH_REDIS"]))


def publish():
    queue.enqueue(noop)


def fill(count):
    for first in range(0, count, 1000):
        queue.enqueue_many([Queue.prepare_data(noop) for _ in range(min(1000, count - first))])


def stamp(fifo):
    now = time.monotonic_ns()
    queue.enqueue(job, fifo)
    return now
