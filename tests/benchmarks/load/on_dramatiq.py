"""Dramatiq's actors, for its worker and its producer."""

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from tests.benchmarks.load import jobs

broker = RedisBroker(url=os.environ["BENCH_REDIS"])
dramatiq.set_broker(broker)
noop = dramatiq.actor(actor_name="noop")(jobs.noop)
job = dramatiq.actor(actor_name="stamp")(jobs.stamp)


def publish():
    noop.send()


def fill(count):
    for _ in range(count):
        noop.send()


def stamp(fifo):
    now = time.monotonic_ns()
    job.send(fifo)
    return now
