"""Publishing an id that may lie in no folder yet, whatever became of it: in none of pending/, running/, done/ and failed/.

The file system refuses a name that is taken in pending/ alone. For the other folders two producers of one id have to come one
after the other: each holds a lock for as long as it looks and publishes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from spoolrunner.errors import DuplicateJobError
from spoolrunner.protocol.states import State
from spoolrunner.spool import locks
from spoolrunner.spool.folders import Spool

PATIENCE = 10.0
"""Seconds for which another producer of the same id is waited for; it needs milliseconds."""


def state_of(spool: Spool, job_id: str) -> State | None:
    """Return the state in which a file of that id lies, in the order of a job's way; None when it lies in none."""
    return next((state for state in State if spool.exists(state, job_id)), None)


@contextmanager
def reserved(spool: Spool, job_ids: Iterable[str]) -> Iterator[None]:
    """Let no other producer that asks for this publish these ids within the block.

    DuplicateJobError when a file of one of them lies in any folder; OSError when another producer holds one for PATIENCE.
    """
    with ExitStack() as stack:
        for job_id in sorted(job_ids):  # in one order, so that no two wait for each other
            lock = locks.acquire(spool.layout.unique(job_id), PATIENCE)
            if lock is None:
                raise OSError(errno.EBUSY, "another program publishes a job of this id", job_id)
            stack.callback(lock.close)
            stack.callback(lock.remove)
            state = state_of(spool, job_id)
            if state is not None:
                raise DuplicateJobError(job_id, state)
        yield
