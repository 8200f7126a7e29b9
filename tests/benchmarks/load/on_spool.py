"""Load for spoolrunner: by its Python interface, and, where a rename is what is timed, as a stranger does it."""

import json
import os
import time

import spoolrunner

JOB = os.environ["BENCH_JOB"]
CONFIG = os.environ["BENCH_CONFIG"]
SPOOL = os.path.join(os.path.dirname(CONFIG), "spool")
PRIORITY = int(os.environ.get("BENCH_PRIORITY", "0"))
BY_RENAME = os.environ.get("BENCH_STAMP") != "enqueue"


def publish():
    spoolrunner.enqueue(JOB, "noop", config=CONFIG)


def fill(count):
    spoolrunner.enqueue_many([{"job": JOB, "method": "noop"}] * count, config=CONFIG)


def stamp(fifo):
    if not BY_RENAME:
        now = time.monotonic_ns()
        spoolrunner.enqueue(JOB, "stamp", [fifo], config=CONFIG)
        return now
    name = f"stamp-{os.getpid()}-{time.monotonic_ns()}"
    staged, target = f"{SPOOL}/tmp/{name}", f"{SPOOL}/pending/{name}.json"
    with open(staged, "w") as stream:
        json.dump({"job": JOB, "method": "stamp", "params": [fifo], "priority": PRIORITY}, stream)
    now = time.monotonic_ns()
    os.rename(staged, target)
    return now
