"""Load for the bare loop: a file written in tmp/ and renamed into pending/, unsynced."""

import itertools
import os

FOLDER = os.environ["BENCH_FOLDER"]
DOCUMENT = b'{"job":"tests.benchmarks.load.jobs","method":"noop","params":[]}'
_numbers = itertools.count()


def publish():
    name = f"{os.getpid()}-{next(_numbers):07d}.json"
    staged = f"{FOLDER}/tmp/{name}"
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, DOCUMENT)
    os.close(descriptor)
    os.rename(staged, f"{FOLDER}/pending/{name}")


def fill(count):
    for _ in range(count):
        publish()
