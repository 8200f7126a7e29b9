"""When a lock file may go: only under its lock, and only for an id that neither waits nor runs."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import locks
from spoolrunner.spool.lock_files import drop_lock, sweep_lock

NEEDED = [State.PENDING, State.RUNNING]


@pytest.mark.parametrize("state", [*NEEDED, State.DONE, State.FAILED, None])
def test_drop(spool, drop, state) -> None:
    """The file of a lock that we hold goes when its id neither waits nor runs; one that is done may have left it."""
    if state is not None:
        drop(state, "x")
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    assert drop_lock(spool, lock, "x") is (state not in NEEDED)
    lock.close()
    assert os.path.exists(spool.layout.lock("x")) is (state in NEEDED)


@pytest.mark.parametrize("state", [*NEEDED, None])
def test_sweep(spool, drop, state) -> None:
    """A lock file is swept away only if its id neither waits nor runs; its lock is free afterwards."""
    if state is not None:
        drop(state, "x")
    with open(spool.layout.lock("x"), "wb"):
        pass
    assert sweep_lock(spool, "x") is (state is None)
    assert os.path.exists(spool.layout.lock("x")) is (state is not None)
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.close()


def test_sweep_of_a_held_lock(spool) -> None:
    """A lock that is held is not swept away."""
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    assert sweep_lock(spool, "x") is False
    lock.close()
    assert os.path.exists(spool.layout.lock("x"))
