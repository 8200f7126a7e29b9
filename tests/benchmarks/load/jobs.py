"""The jobs: the same two functions for every subject that runs Python."""

import os
import time


def noop():
    """Nothing: what is measured is everything around it."""


def stamp(fifo):
    """Say, into a named pipe, at what moment (CLOCK_MONOTONIC, ns) the first line of this job ran."""
    now = time.monotonic_ns()
    pipe = os.open(fifo, os.O_WRONLY)
    os.write(pipe, b"%d\n" % now)
    os.close(pipe)
