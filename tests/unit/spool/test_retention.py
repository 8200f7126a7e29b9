"""When a job ended, and what goes with its file."""

from __future__ import annotations

import os
import time

import pytest

from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import retention, step_files
from spoolrunner.spool.retention import ended_at, look_through, remove, remove_if_same, sweep_logs
from spoolrunner.system import durable

RECORDED = {"attempts": [{"ended_at": "2026-11-23T12:00:00Z"}]}
ENDED = 1795435200.0


def when(spool, state: State, job_id: str = "x", **keys) -> float:
    return ended_at(spool.layout, state, job_id, os.stat(spool.layout.job(state, job_id)), **keys)


def log(spool, job_id: str) -> str:
    path = spool.layout.log(job_id)
    with open(path, "w", encoding="ascii") as stream:
        stream.write("said\n")
    return path


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_our_record_counts(spool, drop, state) -> None:
    """Also where the file came just now; one that is older than what is asked for is not read."""
    drop(state, "x", RECORDED)
    assert when(spool, state) == ENDED
    assert when(spool, state, before=time.time() + 60) > time.time() - 60


def test_without_a_record_its_arrival_counts(spool, drop) -> None:
    """So it is of a refused file, whatever that says of itself, and of one whose record cannot be read."""
    drop(State.FAILED, "x", RECORDED)
    spool.explain("x", Outcome.REJECTED, "", "", 0.0)
    assert abs(when(spool, State.FAILED) - time.time()) < 60
    drop(State.DONE, "x", b"{")
    assert abs(when(spool, State.DONE) - time.time()) < 60


def test_a_record_of_the_future(spool, drop) -> None:
    """No record is newer than its file: a clock that was wrong keeps nothing for ever."""
    drop(State.DONE, "x", {"attempts": [{"ended_at": "2126-11-23T12:00:00Z"}]})
    assert abs(when(spool, State.DONE) - time.time()) < 60


def test_look_through(spool, drop) -> None:
    """Only regular files with the name of a job are jobs; each other file is one step."""
    drop(State.DONE, "x")
    folder = spool.layout.folder(State.DONE)
    os.mkdir(os.path.join(folder, "folder.json"))
    for name in (".hidden.json", "notes.txt"):
        os.link(spool.layout.job(State.DONE, "x"), os.path.join(folder, name))
    found = list(look_through(spool.layout, State.DONE))
    assert [one[0] for one in found if one is not None] == ["x"]
    assert len(found) == 4


def test_a_job_goes_with_all_that_is_its_own(spool, drop) -> None:
    """Reason and log go with the file; what is gone is said to be."""
    drop(State.FAILED, "x")
    spool.explain("x", Outcome.REJECTED, "", "", 0.0)
    path = log(spool, "x")
    assert remove(spool.layout, State.FAILED, "x")
    assert (os.listdir(spool.layout.folder(State.FAILED)), os.path.exists(path)) == ([], False)
    assert not remove(spool.layout, State.FAILED, "x")


@pytest.mark.parametrize("owner", ["mine", "another"])
def test_its_steps_go_with_it(spool, drop, owner) -> None:
    """The steps of a job go with its file; those of another job with its id stay."""
    drop(State.FAILED, "x", {"key": "mine"})
    step_files.begin(
        spool.layout, spool.layout.step_file("x"), step_files.first_line(owner, "a", "b", "0"), fsync=False
    )
    assert remove(spool.layout, State.FAILED, "x")
    assert step_files.names(spool.layout) == ([] if owner == "mine" else ["x"])


@pytest.mark.parametrize("other", [State.PENDING, State.RUNNING, State.FAILED])
def test_the_log_of_another_job_of_that_id_stays(spool, drop, other) -> None:
    """What the job printed that has the same id is not removed with this one."""
    drop(State.DONE, "x")
    drop(other, "x")
    path = log(spool, "x")
    assert remove(spool.layout, State.DONE, "x")
    assert os.path.exists(path)


@pytest.mark.parametrize("state", list(State))
def test_logs_of_ids_that_are_nowhere(spool, drop, state) -> None:
    """A log goes when its job lies in no folder; that of a job in any folder stays, and so does what is no log of ours."""
    drop(state, "x")
    kept = [log(spool, "x"), log(spool, "-no-id"), os.path.join(spool.layout.job_logs, "notes.txt")]
    os.link(kept[0], kept[2])
    os.mkdir(os.path.join(spool.layout.job_logs, "folder.log"))
    gone = log(spool, "y")
    assert sweep_logs(spool.layout, time.time() + 60) == 1
    assert (all(map(os.path.exists, kept)), os.path.exists(gone)) == (True, False)


def test_a_fresh_log_stays(spool) -> None:
    """Its job may have been taken out to be mended: it is kept for a day since it was last written to."""
    path = log(spool, "x")
    assert sweep_logs(spool.layout, time.time() - retention.LOG_AGE) == 0
    assert os.path.exists(path)


def test_a_job_that_is_moved_back_while_it_is_looked_for(spool, drop, monkeypatch) -> None:
    """A person who moves a job from failed/ to pending/ between two looks does not cost it its log."""
    drop(State.FAILED, "x")
    path = log(spool, "x")
    exists = type(spool).exists

    def moving(self, state: State, job_id: str) -> bool:
        found = exists(self, state, job_id)
        if state is State.PENDING and exists(self, State.FAILED, job_id):
            os.rename(self.layout.job(State.FAILED, job_id), self.layout.job(State.PENDING, job_id))
        return found

    monkeypatch.setattr(type(spool), "exists", moving)
    assert sweep_logs(spool.layout, time.time() + 60) == 0
    assert os.path.exists(path)


def test_a_job_of_the_same_id_that_came_since(spool, drop) -> None:
    """What was found is removed, and not what ran again meanwhile under its id."""
    path = drop(State.DONE, "x")
    found = os.stat(path)
    os.rename(drop(State.PENDING, "x"), path)
    assert not remove_if_same(spool.layout, State.DONE, "x", found)
    assert remove_if_same(spool.layout, State.DONE, "x", os.stat(path))
    assert not remove_if_same(spool.layout, State.DONE, "x", found)


def test_one_log_that_stays_keeps_no_other(spool, monkeypatch) -> None:
    """What cannot be removed is named at the end, when all the others are gone."""
    for job_id in ("a", "b", "c"):
        log(spool, job_id)
    unlink = durable.unlink

    def refuse(path: str) -> bool:
        if path.endswith("b.log"):
            raise PermissionError(1, "Operation not permitted", path)
        return unlink(path)

    monkeypatch.setattr(durable, "unlink", refuse)
    with pytest.raises(PermissionError):
        sweep_logs(spool.layout, time.time() + 60)
    assert os.listdir(spool.layout.job_logs) == ["b.log"]
