"""Files that are no jobs by their names."""

from __future__ import annotations

import os

from spoolrunner.client.strays import MOST_NAMED, strays
from spoolrunner.protocol.states import Outcome, State


def put(spool, state: State, name: str) -> None:
    with open(os.path.join(spool.layout.folder(state), name), "wb"):
        pass


def test_names_that_are_no_jobs(spool, drop) -> None:
    """Each is named with its folder; jobs, reasons and hidden files are not."""
    drop(State.DONE, "x")
    drop(State.FAILED, "y")
    spool.explain("y", Outcome.REJECTED, "", "", 0.0)
    for state, name in [
        (State.PENDING, "X.JSON"),
        (State.PENDING, ".hidden"),
        (State.PENDING, "x.json.tmp"),
        (State.DONE, "y.reason"),
    ]:
        put(spool, state, name)
    os.mkdir(os.path.join(spool.layout.folder(State.FAILED), "folder"))
    assert [text.partition(" is no job: ")[0] for text in strays(spool.layout)] == [
        "done/y.reason",
        "failed/folder",
        "pending/X.JSON",
        "pending/x.json.tmp",
    ]


def test_many(spool) -> None:
    """Of many the first are named, and the others counted."""
    for number in range(MOST_NAMED + 3):
        put(spool, State.PENDING, f"{number:03}.txt")
    found = strays(spool.layout)
    assert len(found) == MOST_NAMED + 1
    assert found[-1] == "3 more files are no jobs"


def test_folders_that_are_called_like_a_request(spool) -> None:
    """A folder in control/ asks for nothing, and is named."""
    for name in ("cancel-x", "pause", "notes"):
        os.mkdir(os.path.join(spool.layout.control, name))
    assert strays(spool.layout) == [
        "control/cancel-x is a folder, which asks for nothing",
        "control/pause is a folder, which asks for nothing",
    ]
