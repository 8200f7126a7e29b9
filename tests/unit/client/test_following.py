"""One publication is told from all others of its id, wherever it goes."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from spoolrunner.client.following import Follower, Publication
from spoolrunner.client.look import Look, look
from spoolrunner.errors import SpoolLayoutError
from spoolrunner.protocol.states import State


def follow(spool, state: State, name: str, job_id: str = "x") -> Follower:
    """Follow the job that lies there now."""
    follower = Follower(spool.layout, job_id, Publication.of(look(spool.layout, state, name)))
    follower.name = name
    return follower


def where(follower: Follower, **how) -> tuple[str, str] | None:
    """The name and the state of the job that is followed."""
    found = follower.look(**how)
    return None if found is None else (found.id, str(found.state))


@pytest.mark.parametrize("said", [{"key": "k2"}, {"created_at": "second"}, {"created_at": "first", "key": "k2"}])
def test_by_what_it_says(spool, drop, said) -> None:
    """By its time of creation and its key a job is found under ID~2, and no other job of the id is taken for it."""
    drop(State.DONE, "x", {"created_at": "first", "key": "k1"})
    path = drop(State.PENDING, "x", said)
    follower = follow(spool, State.PENDING, "x")
    assert where(follower) == ("x", "pending")
    os.rename(path, spool.layout.job(State.DONE, "x~2"))
    drop(State.PENDING, "x", {"created_at": "third", "key": "k3"})
    assert where(follower) == ("x~2", "done")
    os.unlink(spool.layout.job(State.DONE, "x~2"))
    assert where(follower) is None
    assert where(follower, thoroughly=True) is None


def test_by_its_file(spool, drop) -> None:
    """A job that says neither is known by its file, and by the record that says which files it replaces."""
    path = drop(State.PENDING, "x", {})
    follower = follow(spool, State.PENDING, "x")
    running = spool.layout.job(State.RUNNING, "x")
    os.rename(path, running)
    assert where(follower) == ("x", "running")
    inode = os.stat(running).st_ino
    os.rename(running, spool.layout.tmp + "/held")  # or the next file may get the same number
    drop(State.RUNNING, "x", {"replaces": [[inode, 5, 6]]})
    assert where(follower) == ("x", "running")
    drop(State.PENDING, "x", {})  # a second one of the id
    os.rename(running, spool.layout.job(State.FAILED, "x"))
    assert where(follower) == ("x", "failed")
    os.unlink(spool.layout.job(State.FAILED, "x"))
    assert where(follower) is None


@pytest.mark.parametrize("replaces", [None, 5, [5], [[]], [["x"]]])
def test_a_note_of_another_shape(spool, drop, replaces) -> None:
    """What a stranger wrote as the note of a record leads nowhere, and does no harm."""
    raw = {"job": "a", "method": "b", "replaces": replaces}
    assert not Publication(inode=1).is_in(Look("x", State.DONE, raw, inode=2), "x")


def test_a_file_that_became_unreadable(spool, drop) -> None:
    """A file that cannot be read is taken for the job under its own id, and for no other."""
    drop(State.PENDING, "x", {"key": "k1"})
    follower = follow(spool, State.PENDING, "x")
    os.unlink(spool.layout.job(State.PENDING, "x"))
    drop(State.FAILED, "x", b"torn")
    assert where(follower) == ("x", "failed")
    drop(State.FAILED, "x", {"key": "k2"})
    drop(State.FAILED, "x~2", b"torn")
    assert where(follower) is None


def test_it_is_found_behind_a_gap(spool, drop) -> None:
    """A job that was called x~3 is found where x and x~2 are gone: by its last name, else in the list of the folder."""
    path = drop(State.PENDING, "x", {"key": "k1"})
    follower = follow(spool, State.PENDING, "x")
    os.rename(path, spool.layout.job(State.DONE, "x~3"))
    drop(State.DONE, "y~3", {"key": "k1"})
    drop(State.DONE, "x~a", {"key": "k1"})
    assert where(follower) is None
    assert where(follower, thoroughly=True) == ("x~3", "done")
    assert where(follower) == ("x~3", "done")
    os.rename(spool.layout.job(State.DONE, "x~3"), spool.layout.job(State.PENDING, "x~3"))  # a retry by hand
    assert where(follower) == ("x~3", "pending")


def test_without_a_publication_it_becomes_that_of_the_first_look(spool, drop) -> None:
    """A follower that was given an id alone follows the job that it met first."""
    follower = Follower(spool.layout, "x")
    assert where(follower) is None
    path = drop(State.PENDING, "x", {"key": "k1"})
    assert where(follower) == ("x", "pending")
    os.unlink(path)
    drop(State.PENDING, "x", {"key": "k2"})
    assert where(follower) is None


def test_a_record_keeps_what_a_publication_says(spool, drop) -> None:
    """What a record writes back is of the same publication."""
    raw = json.loads(b'{"job": "a", "method": "b", "created_at": "t", "key": "k"}')
    before, after = Look("x", State.RUNNING, raw, inode=1), Look("x~2", State.DONE, {**raw, "attempts": []}, inode=2)
    assert Publication.of(before).is_in(after, "x")


def test_a_spool_that_is_gone(spool, drop) -> None:
    """Where a folder of the spool is missing, as on a disk that is not mounted, nothing is said of a job."""
    drop(State.PENDING, "x")
    follower = follow(spool, State.PENDING, "x")
    follower.check_spool()
    shutil.rmtree(spool.layout.root)
    with pytest.raises(SpoolLayoutError, match="missing"):
        follower.check_spool()
