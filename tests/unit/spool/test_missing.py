"""A folder that is missing is no file that is gone."""

from __future__ import annotations

import os
import shutil

import pytest

from spoolrunner.protocol.states import EVENT_OF, Event, Outcome, State, Verdict
from spoolrunner.spool import record
from spoolrunner.spool.missing import FolderMissingError, folder_of


def test_which_folder(tmp_path) -> None:
    """The first that is missing is named; nothing is when all are there, links among them."""
    (tmp_path / "a").mkdir()
    os.symlink("nowhere", tmp_path / "link") if os.name != "nt" else None
    there = [str(tmp_path / "a"), str(tmp_path / "link")][: 1 if os.name == "nt" else 2]
    assert folder_of(*there) is None
    error = folder_of(*there, str(tmp_path / "b"), str(tmp_path / "c"))
    assert error is not None
    assert error.filename == str(tmp_path / "b")
    assert not isinstance(error, FileNotFoundError)


MOVES = {
    "claim": (State.PENDING, State.RUNNING, lambda spool: spool.claim("x")),
    "done": (State.RUNNING, State.DONE, lambda spool: spool.move("x", State.RUNNING, EVENT_OF[Verdict.DONE])),
    "failed": (State.RUNNING, State.FAILED, lambda spool: spool.move("x", State.RUNNING, EVENT_OF[Verdict.FAILED])),
    "retry": (State.RUNNING, State.PENDING, lambda spool: spool.move("x", State.RUNNING, EVENT_OF[Verdict.RETRY])),
    "release": (State.RUNNING, State.PENDING, lambda spool: spool.move("x", State.RUNNING, Event.RELEASE)),
    "put back": (State.FAILED, State.PENDING, lambda spool: spool.put_back("x", State.FAILED)),
    "refuse": (
        State.PENDING,
        State.FAILED,
        lambda spool: spool.refuse("x", State.PENDING, Outcome.REJECTED, "what", "where", 0.0),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_move_whose_target_is_missing(spool, drop, name) -> None:
    """The folder is named, the file stays where it is, and when the folder is back it moves."""
    source, target, move = MOVES[name]
    drop(source, "x")
    folder = spool.layout.folder(target)
    shutil.rmtree(folder)
    with pytest.raises(FolderMissingError) as caught:
        move(spool)
    assert caught.value.filename == folder
    assert spool.exists(source, "x")
    os.mkdir(folder)
    assert move(spool)
    assert spool.exists(target, "x")


@pytest.mark.parametrize("name", MOVES)
def test_a_move_whose_file_is_gone(spool, name) -> None:
    """With all folders there it is the file that is gone, which is no error."""
    _, _, move = MOVES[name]
    assert not move(spool)


@pytest.mark.parametrize("folder", ["tmp", "running"])
def test_a_record_without_a_folder(spool, folder) -> None:
    """A record that cannot be made for want of a folder names it."""
    path = os.path.join(spool.layout.root, folder)
    shutil.rmtree(path)
    with pytest.raises(FolderMissingError) as caught:
        record.commit(spool.layout, "x", b"{}", False)
    assert caught.value.filename == path
