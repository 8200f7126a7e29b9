"""Jobs that failed or are done, put back for a retry: what moves, what is removed, and what is synced."""

from __future__ import annotations

import os
import shutil

import pytest

from spoolrunner.errors import DuplicateJobError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.missing import FolderMissingError
from spoolrunner.spool.retrying import put_back, put_back_many
from spoolrunner.system import durable

NOW = 1_800_000_000.0


def files(spool) -> set[str]:
    """Every file in the state folders, as state/name."""
    return {f"{state}/{name}" for state in State for name in os.listdir(spool.layout.folder(state))}


@pytest.fixture
def syncs(monkeypatch) -> list[str]:
    """The names of the folders that are synced."""
    seen: list[str] = []
    monkeypatch.setattr(durable, "sync_folder", lambda path: seen.append(os.path.basename(path)))
    return seen


@pytest.mark.parametrize("source", [State.FAILED, State.DONE])
def test_put_back(spool, drop, syncs, source) -> None:
    """A retry moves the very file to pending/ and takes its reason away, both durably."""
    inode = os.stat(drop(source, "x")).st_ino
    spool.explain("x", Outcome.EXPIRED, "too late", "pending/x.json", NOW)
    assert put_back(spool, "x", source) is True
    assert files(spool) == {"pending/x.json"}
    assert os.stat(spool.layout.job(State.PENDING, "x")).st_ino == inode
    assert syncs == ["pending", "failed"]


def test_put_back_of_nothing_and_beside_one_that_waits(spool, drop) -> None:
    """A job that is gone is not put back; one whose id waits already stays where it is, with its reason."""
    assert put_back(spool, "x", State.FAILED) is False
    drop(State.FAILED, "x")
    drop(State.PENDING, "x")
    spool.explain("x", Outcome.EXPIRED, "too late", "pending/x.json", NOW)
    with pytest.raises(DuplicateJobError):
        put_back(spool, "x", State.FAILED)
    assert files(spool) == {"failed/x.json", "failed/x.reason", "pending/x.json"}


def test_many_share_one_sync(spool, drop, syncs) -> None:
    """Of many jobs each moves or stays for its own reason, and what moved is synced once."""
    for name in ("a", "b", "taken", "both"):
        drop(State.FAILED, name)
    drop(State.PENDING, "taken")
    drop(State.DONE, "both")
    jobs = [("a", State.FAILED), ("gone", State.FAILED), ("taken", State.FAILED), ("both", State.FAILED)]
    done = put_back_many(spool, [*jobs, ("b", State.FAILED), ("both", State.DONE)])
    assert [True if one is True else type(one) for one in done] == [
        True, bool, DuplicateJobError, True, True, DuplicateJobError,
    ]  # fmt: skip
    assert done[1] is False
    assert files(spool) == {
        "pending/a.json", "pending/b.json", "pending/both.json", "pending/taken.json", "failed/taken.json", "done/both.json",
    }  # fmt: skip
    assert syncs == ["pending"]
    assert put_back_many(spool, []) == []
    assert put_back_many(spool, [("gone", State.DONE)]) == [False]
    assert syncs == ["pending"]


def test_an_error_of_one_is_none_of_the_others(spool, drop, syncs, monkeypatch) -> None:
    """A file that cannot be moved keeps no other; without the folder nothing goes on, and what moved before is synced."""
    for name in "abc":
        drop(State.FAILED, name)
    real = durable.rename

    def refusing(source: str, target: str) -> None:
        if source.endswith("b.json"):
            raise PermissionError(1, "immutable", source)
        real(source, target)

    monkeypatch.setattr(durable, "rename", refusing)
    done = put_back_many(spool, [(name, State.FAILED) for name in "abc"])
    assert [type(one) for one in done] == [bool, PermissionError, bool]
    with pytest.raises(PermissionError):
        put_back(spool, "b", State.FAILED)

    def tearing(source: str, target: str) -> None:
        real(source, target)
        shutil.rmtree(spool.layout.folder(State.FAILED))

    drop(State.FAILED, "a2")
    syncs.clear()
    monkeypatch.setattr(durable, "rename", tearing)
    with pytest.raises(FolderMissingError):
        put_back_many(spool, [("a2", State.FAILED), ("b", State.FAILED)])
    assert syncs == ["pending"]
