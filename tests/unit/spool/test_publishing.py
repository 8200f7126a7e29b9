"""Publishing an id that may lie in no folder: one of many producers at the same moment gets it, and nobody after that."""

from __future__ import annotations

import os
import threading

import pytest

from spoolrunner.errors import DuplicateJobError
from spoolrunner.protocol.states import State
from spoolrunner.spool import locks, publishing
from spoolrunner.spool.folders import Spool


@pytest.mark.parametrize("state", State)
def test_an_id_that_lies_in_a_folder_is_refused(spool, drop, state) -> None:
    """Whatever became of the job, its id is taken, and the error names the file."""
    drop(state, "x")
    assert publishing.state_of(spool, "x") is state
    with pytest.raises(DuplicateJobError, match=rf"{state}/x\.json exists"), publishing.reserved(spool, ["x"]):
        raise AssertionError("the block was entered")
    assert os.listdir(spool.layout.tmp) == []


def test_an_id_that_lies_nowhere_is_reserved(spool) -> None:
    """Within the block another producer waits for the id; afterwards nothing of that is left."""
    assert publishing.state_of(spool, "x") is None
    with publishing.reserved(spool, ["x", "y"]):
        assert locks.acquire(spool.layout.unique("x")) is None
        assert locks.acquire(spool.layout.unique("y")) is None
    assert os.listdir(spool.layout.tmp) == []


def test_a_producer_that_hangs_is_not_waited_for_for_ever(spool, monkeypatch) -> None:
    """An id that another producer holds for too long is an error that says so."""
    monkeypatch.setattr(publishing, "PATIENCE", 0.05)
    held = locks.acquire(spool.layout.unique("x"))
    with pytest.raises(OSError, match="another program publishes a job of this id"), publishing.reserved(spool, ["x"]):
        raise AssertionError("the block was entered")
    held.remove()
    held.close()


def test_of_many_at_once_one_gets_it(spool) -> None:
    """Of many producers of one id one publishes, though each job is moved on at once, as a dispatcher does."""
    begin, got, refused = threading.Barrier(8), [], []

    def produce() -> None:
        mine = Spool(spool.layout, fsync=False)
        begin.wait()
        try:
            with publishing.reserved(mine, ["x"]):
                mine.publish("x", b"{}")
                os.rename(mine.layout.job(State.PENDING, "x"), mine.layout.job(State.DONE, "x"))
        except DuplicateJobError as error:
            refused.append(error.state)
        else:
            got.append(1)

    threads = [threading.Thread(target=produce) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)
    assert os.listdir(spool.layout.tmp) == []
