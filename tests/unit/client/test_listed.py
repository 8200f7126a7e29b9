"""The folders as an index holds them: what was listed is what lies there, whatever happens meanwhile."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client import listed as module
from spoolrunner.client.listed import Folders
from spoolrunner.protocol.states import State


@pytest.fixture
def folders(spool) -> Folders:
    return Folders(spool.layout)


def finish(folders: Folders, *states: State) -> None:
    """List them to the end."""
    for _ in folders.listing(states or list(State)):
        assert not folders.lock.locked()


def names(folders: Folders, state: State) -> list[str]:
    return sorted(came.id for came in folders.of[state].older(None))


def test_a_listing(folders, drop) -> None:
    """All job files are counted and in order, and no other file is among them; then nothing is unknown any more."""
    for number in range(600):  # more than are taken in at a time
        drop(State.DONE, f"d{number}")
    drop(State.FAILED, "f")
    with open(folders._spool.layout.reason("f"), "wb"):
        pass
    assert folders.uncounted == folders.unordered == set(State)
    finish(folders)
    assert {state: len(folder) for state, folder in folders.of.items()} == {
        State.PENDING: 0,
        State.RUNNING: 0,
        State.DONE: 600,
        State.FAILED: 1,
    }
    assert folders.of[State.DONE].placed == 600
    assert folders.uncounted == folders.unordered == set()


def test_all_are_counted_before_the_first_is_looked_at(folders, drop) -> None:
    """The counts are there when the names are listed; when each came is found out behind that."""
    drop(State.DONE, "d")
    drop(State.FAILED, "f")
    listing = folders.listing(list(State))
    while folders.uncounted:
        next(listing)
    assert [len(folders.of[state]) for state in State] == [0, 0, 1, 1]
    assert folders.of[State.DONE].placed == 0
    assert State.DONE in folders.unordered


def test_what_goes_while_it_is_listed_is_gone(folders, drop) -> None:
    """A name that the system had listed already, and whose file has gone by then, does not stay."""
    path = drop(State.PENDING, "x")
    listing = folders.listing([State.PENDING])
    next(listing)
    os.unlink(path)
    for _ in listing:
        pass
    assert len(folders.of[State.PENDING]) == 0


def test_a_second_listing_finds_what_came_and_went(folders, drop) -> None:
    """Where events were lost a listing finds all that is new, and all that is gone, also when as many went as came."""
    gone, moved = drop(State.DONE, "gone"), drop(State.DONE, "moved")
    finish(folders)
    os.unlink(gone)
    drop(State.DONE, "new")
    os.rename(moved, folders._spool.layout.job(State.FAILED, "moved"))
    finish(folders)
    assert (names(folders, State.DONE), names(folders, State.FAILED)) == (["new"], ["moved"])


def test_a_second_listing_looks_at_what_is_new_alone(folders, drop, monkeypatch) -> None:
    """Where nothing went, the files that are known are not looked at again."""
    drop(State.DONE, "a")
    finish(folders)
    drop(State.DONE, "b")
    looked = []
    real = os.lstat
    monkeypatch.setattr(module.os, "lstat", lambda path: looked.append(path) or real(path))
    finish(folders)
    assert [os.path.basename(path) for path in looked] == ["b.json"]


def test_a_folder_that_is_missing_is_empty(folders, drop) -> None:
    """What lay in a folder that was removed is gone; the others are there."""
    drop(State.PENDING, "x")
    os.unlink(drop(State.DONE, "y"))
    finish(folders)
    drop(State.DONE, "z")
    with folders.lock:
        folders.look(State.DONE, ["z"])
    os.unlink(folders._spool.layout.job(State.DONE, "z"))
    os.rmdir(folders._spool.layout.folder(State.DONE))
    assert folders.mark(State.DONE) is None
    finish(folders)
    assert [len(folders.of[state]) for state in State] == [1, 0, 0, 0]


def test_a_look(folders, drop) -> None:
    """A look takes over what lies there, and says whether that is new."""
    path = drop(State.PENDING, "x")
    with folders.lock:
        assert folders.look(State.PENDING, ["x", "nowhere"])
        assert not folders.look(State.PENDING, ["x"])
        os.unlink(path)
        assert folders.look(State.PENDING, ["x"])
    assert len(folders.of[State.PENDING]) == 0
