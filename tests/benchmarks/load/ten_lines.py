"""A module that a job's process imports by itself: ten lines, and nothing that would have to be imported for it."""


def noop():
    """Nothing, as in `jobs`."""


def stamp(fifo):
    import os
    import time

    now = time.monotonic_ns()
    pipe = os.open(fifo, os.O_WRONLY)
    os.write(pipe, b"%d\n" % now)
    os.close(pipe)
