"""What is kept no longer is found by the last write to its file."""

from __future__ import annotations

import os

from spoolrunner.client.prune import outdated, sweep_reasons, written_before
from spoolrunner.client.settings import settings_in_force
from spoolrunner.protocol.states import Outcome, State


def test_outdated(home, drop) -> None:
    """Jobs older than keep_done and keep_failed are found, those that wait or run are not."""
    home(keep_done="1h", keep_failed="2h")
    for state in State:
        drop(state, "old", age=5400)
        drop(state, "older", age=9000)
        drop(state, "new", age=60)
    assert list(outdated(settings_in_force())) == [
        (State.DONE, "old"),
        (State.DONE, "older"),
        (State.FAILED, "older"),
    ]


def test_only_job_files_are_found(spool, drop, clock) -> None:
    """What is no regular file, or not named as a job, is left alone."""
    drop(State.DONE, "x", age=100)
    folder = spool.layout.folder(State.DONE)
    os.mkdir(os.path.join(folder, "folder.json"))
    for name in (".hidden.json", "notes.txt"):
        os.link(spool.layout.job(State.DONE, "x"), os.path.join(folder, name))
    assert written_before(spool.layout, State.DONE, clock.wall()) == ["x"]


def test_sweep_reasons(home, spool, clock) -> None:
    """A reason without a job is removed when it is an hour old, since a fresh one's job may be on its way."""
    for name, age in (("old", 3700), ("fresh", 3500)):
        spool.explain(name, Outcome.REJECTED, "", "", 0.0)
        os.utime(spool.layout.reason(name), (clock.wall() - age, clock.wall() - age))
    assert sweep_reasons(settings_in_force()) == 1
    assert os.listdir(spool.layout.folder(State.FAILED)) == ["fresh.reason"]
