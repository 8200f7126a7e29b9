"""The exchange of a waiting job's file: done, or refused with nothing changed. The races are in tests/crash/test_edits.py."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.spool import editing, locks
from spoolrunner.spool.editing import Edited, exchange
from spoolrunner.spool.missing import FolderMissingError
from spoolrunner.system import durable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot exchange two files")
NEW = b'{"job": "app.Report", "method": "build", "priority": 5}'


@pytest.fixture
def known(spool, drop):
    """A job waits, and was read."""
    drop(State.PENDING, "x", {"key": "k1"}, age=100.0)
    return spool.read(State.PENDING, "x")


def content(spool, state: State = State.PENDING, name: str = "x") -> bytes:
    return spool.read(state, name).data


def is_tidy(spool) -> bool:
    """Nothing lies in tmp/, and nobody holds the lock."""
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.close()
    return os.listdir(spool.layout.tmp) == []


def test_it_is_exchanged(spool, known) -> None:
    """The new content lies there, in a file of ours, and nothing is left."""
    assert exchange(spool, "x", known, NEW) is Edited.DONE
    assert content(spool) == NEW
    assert spool.stamp(State.PENDING, "x").mtime_ns != known.mtime_ns
    assert is_tidy(spool)


def test_the_time_of_change_is_kept_where_a_delay_counts_from_it(spool, known) -> None:
    """A delay in the file counts from when it was written, and that is as it was."""
    synced = []
    durable_sync = durable.sync
    spool.fsync = True
    try:
        durable.sync = lambda path: synced.append(path) or durable_sync(path)
        assert exchange(spool, "x", known, NEW, keeps_mtime=True) is Edited.DONE
    finally:
        durable.sync = durable_sync
    assert spool.stamp(State.PENDING, "x").mtime_ns == known.mtime_ns
    assert len(synced) == 1


def test_one_that_is_gone(spool, known) -> None:
    """A job that was claimed, and is over, is not there to be edited; its lock file is not left behind."""
    os.unlink(spool.layout.job(State.PENDING, "x"))
    assert exchange(spool, "x", known, NEW) is Edited.GONE
    assert os.listdir(spool.layout.locks) == []
    assert is_tidy(spool)


def test_one_that_runs(spool, known, drop) -> None:
    """While a file of the id is in running/ the waiting one is left alone: markers speak of that."""
    drop(State.RUNNING, "x")
    assert exchange(spool, "x", known, NEW) is Edited.RUNS
    assert content(spool) == known.data
    assert is_tidy(spool)


def test_one_whose_lock_is_held(spool, known, monkeypatch) -> None:
    """A process that begins has the lock: nothing is changed."""
    monkeypatch.setattr(editing, "LOCK_PATIENCE", 0.0)
    lock = locks.acquire(spool.layout.lock("x"))
    assert exchange(spool, "x", known, NEW) is Edited.RUNS
    lock.close()
    assert content(spool) == known.data
    assert is_tidy(spool)


def test_one_that_was_saved_meanwhile(spool, known, drop) -> None:
    """What somebody else has written since it was read stays."""
    drop(State.PENDING, "x", b"{}")
    assert exchange(spool, "x", known, NEW) is Edited.CHANGED
    assert content(spool) == b"{}"
    assert is_tidy(spool)


def at_the_exchange(monkeypatch, *acts) -> None:
    """Do something just before each exchange."""
    left, real = list(acts), durable.exchange

    def acting(one: str, other: str) -> None:
        if left:
            left.pop(0)()
        real(one, other)

    monkeypatch.setattr(durable, "exchange", acting)


def test_one_that_is_claimed_at_that_moment(spool, known, monkeypatch) -> None:
    """The system refuses the exchange, and the claimed file is as it was."""
    at_the_exchange(monkeypatch, lambda: spool.claim("x"))
    assert exchange(spool, "x", known, NEW) is Edited.GONE
    assert content(spool, State.RUNNING) == known.data
    assert not spool.exists(State.PENDING, "x")
    assert is_tidy(spool)


def test_another_job_that_comes_at_that_moment(spool, known, drop, monkeypatch) -> None:
    """What was taken out is not the file that was read: it is put back."""

    def claimed_and_another() -> None:
        spool.claim("x")
        drop(State.PENDING, "x", b'{"another": 1}')

    at_the_exchange(monkeypatch, claimed_and_another)
    spool.fsync = True
    assert exchange(spool, "x", known, NEW) is Edited.CHANGED
    assert (content(spool), content(spool, State.RUNNING)) == (b'{"another": 1}', known.data)
    assert is_tidy(spool)


def test_ours_is_claimed_before_the_other_is_put_back(spool, known, drop, monkeypatch) -> None:
    """What was put there by mistake and claimed at once gives its place in running/ to what it stood in for."""

    def saved() -> None:
        drop(State.PENDING, "x", b'{"saved": 1}')

    def claimed() -> None:
        assert spool.claim("x")

    at_the_exchange(monkeypatch, saved, claimed)
    assert exchange(spool, "x", known, NEW) is Edited.CHANGED
    assert content(spool, State.RUNNING) == b'{"saved": 1}'
    assert not spool.exists(State.PENDING, "x")
    assert is_tidy(spool)


@pytest.mark.parametrize(
    ("saved", "left"), [(b'{"another": 1}', ["x.json"]), (b'{"key": "k1", "priority": 1}', []), (b"torn", ["x.json"])]
)
def test_ours_is_taken_away_before_the_other_is_put_back(
    spool, known, drop, tmp_path, monkeypatch, saved, left
) -> None:
    """Another job gets its name again; a version of the same job goes with the one that a person took."""
    real = editing._undo

    def taken(*arguments) -> None:
        os.rename(spool.layout.job(State.PENDING, "x"), tmp_path / "taken")
        real(*arguments)

    monkeypatch.setattr(editing, "_undo", taken)
    at_the_exchange(monkeypatch, lambda: drop(State.PENDING, "x", saved))
    assert exchange(spool, "x", known, NEW) is Edited.CHANGED
    assert os.listdir(spool.layout.pending) == left
    assert is_tidy(spool)


def test_the_name_is_taken_again_before_the_other_is_put_back(spool, known, drop, monkeypatch) -> None:
    """Of two jobs of one id the second gets the next name."""
    real = editing._undo

    def replaced(*arguments) -> None:
        drop(State.PENDING, "x", b'{"third": 1}')
        real(*arguments)

    monkeypatch.setattr(editing, "_undo", replaced)
    at_the_exchange(monkeypatch, lambda: drop(State.PENDING, "x", b'{"second": 1}'))
    assert exchange(spool, "x", known, NEW) is Edited.CHANGED
    assert (content(spool), content(spool, name="x~2")) == (b'{"third": 1}', b'{"second": 1}')
    assert is_tidy(spool)


def test_a_system_without_exchange(spool, known, monkeypatch) -> None:
    """Where files cannot be exchanged the job is as it was."""

    def refused(one: str, other: str) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(durable, "_exchange", lambda: refused)
    with pytest.raises(NotImplementedError, match="cannot exchange"):
        exchange(spool, "x", known, NEW)
    assert content(spool) == known.data
    assert is_tidy(spool)


def test_a_disk_that_refuses(spool, known, monkeypatch) -> None:
    """An error of the disk passes through, and the job is as it was."""

    def failing(one: str, other: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durable, "_exchange", lambda: failing)
    with pytest.raises(OSError, match="Input/output error"):
        exchange(spool, "x", known, NEW)
    assert content(spool) == known.data
    assert is_tidy(spool)


def test_what_was_taken_out_is_not_removed_when_nobody_can_look_at_it(spool, known, drop, monkeypatch) -> None:
    """The disk fails just behind the exchange: what came out may be another job, so it stays, and the error says where."""
    at_the_exchange(monkeypatch, lambda: drop(State.PENDING, "x", b'{"another": 1}'))
    real, calls = editing.stamp, []

    def failing(path: str):
        calls.append(path)
        if len(calls) > 1:
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    monkeypatch.setattr(editing, "stamp", failing)
    with pytest.raises(
        OSError, match=r"Input/output error; what an edit has taken out of pending/x\.json may lie in "
    ) as caught:
        exchange(spool, "x", known, NEW)
    (left,) = os.listdir(spool.layout.tmp)
    assert left in str(caught.value)
    with open(os.path.join(spool.layout.tmp, left), "rb") as stream:
        assert stream.read() == b'{"another": 1}'


def test_a_spool_without_tmp(spool, known) -> None:
    """A folder that is missing is named."""
    os.rmdir(spool.layout.tmp)
    with pytest.raises(FolderMissingError):
        exchange(spool, "x", known, NEW)


def test_a_key_alone_tells_that_two_are_one_job(spool, drop, known) -> None:
    """Without a key nobody can say so."""
    other = drop(State.PENDING, "y", {"key": "k1", "priority": 1})
    assert editing._is_same_job(other, known)
    for raw in ({"key": "k2"}, {"key": "k1", "created_at": "2026-11-23T17:45:01Z"}, {}):
        assert not editing._is_same_job(drop(State.PENDING, "z", raw), known)
    with pytest.raises(JobFormatError):
        editing.read(spool.layout.pending)
