"""The dispatcher's lock: one holder, named in the file, and the boot that is handed on."""

from __future__ import annotations

import os
import threading

import pytest

from spoolrunner.spool import locks
from spoolrunner.spool.dispatcher_lock import DispatcherLock, holder, is_held

posix = pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed on Windows")


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "x.lock")


@pytest.fixture
def dispatcher_lock(path):
    """The dispatcher's lock, given up at the end."""
    made = DispatcherLock(path)
    yield made
    made.forsake()


ME = {"pid": 5, "host": "h", "since": "2026-11-23T17:45:01Z"}


def test_dispatcher_lock(path, dispatcher_lock) -> None:
    """One dispatcher holds the lock and is named in it; the next gets it when the first gave it up."""
    assert dispatcher_lock.acquire(ME) is True
    second = DispatcherLock(path)
    assert second.acquire({"pid": 6}) is False
    assert holder(path) == ME
    dispatcher_lock.release()
    assert holder(path) == {}
    assert second.acquire({"pid": 6}) is True
    assert holder(path) == {"pid": 6}
    second.release()


def test_what_is_vouched_for_is_handed_on(path, dispatcher_lock) -> None:
    """The next holder learns of what was last vouched for, however those before it ended, and of nothing later."""
    words = {"boot": "first", "mount": "ext4-sda1-17", "place": "2"}
    assert dispatcher_lock.acquire(ME)
    assert not dispatcher_lock.vouched
    dispatcher_lock.vouch(words)
    assert holder(path) == ME | words
    dispatcher_lock.forsake()  # as a kill does
    unvouched = DispatcherLock(path)
    assert unvouched.acquire(ME)
    assert unvouched.vouched == words
    unvouched.release()
    third = DispatcherLock(path)
    assert third.acquire(ME)
    assert third.vouched == words
    third.vouch({"boot": "second"})
    third.release()
    assert holder(path) == {"boot": "second"}


def test_a_short_holder_after_a_long_one(path, dispatcher_lock) -> None:
    """Nothing of a long-winded holder is left when a short one follows it."""
    assert dispatcher_lock.acquire({"host": "h" * 400})
    dispatcher_lock.release()
    assert dispatcher_lock.acquire({"pid": 7})
    assert holder(path) == {"pid": 7}


@pytest.mark.parametrize("data", [None, b"", b"\0", b'\0{"pid": 5', b"\0[1]", b"\0\0\0\0", b"\0garbage"])
def test_holder_of_an_odd_file(path, data) -> None:
    """A lock file that names nobody, or half a holder, has no holder."""
    if data is not None:
        with open(path, "wb") as stream:
            stream.write(data)
    assert holder(path) == {}


@posix
def test_filelock_takes_the_same_lock(path) -> None:
    """The lock of a job, taken the light way, is the very one that filelock takes for the dispatcher."""
    held = locks.acquire(path)
    assert held is not None
    assert DispatcherLock(path).acquire({}) is False
    held.close()


def test_who_holds_it_is_said_by_the_lock(path, dispatcher_lock) -> None:
    """Whatever the file says of pids: it is held while it is locked, also for several who look at once."""
    assert is_held(path) is False
    assert dispatcher_lock.acquire({"pid": 1})
    assert is_held(path) is True
    assert DispatcherLock(path).acquire({"pid": 2}, 0.05) is False
    assert is_held(path) is True
    dispatcher_lock.forsake()  # as one that was killed: its name stays in the file
    assert holder(path) == {"pid": 1}
    assert is_held(path) is False


@posix
def test_who_only_looks_keeps_no_dispatcher_away(path, dispatcher_lock) -> None:
    """A look has the lock for a moment; who takes it meanwhile tries again."""
    import fcntl

    with open(path, "ab") as stream:
        assert locks.try_shared(stream.fileno())
        assert is_held(path) is False
        looked = threading.Timer(0.05, lambda: fcntl.flock(stream, fcntl.LOCK_UN))
        looked.start()
        assert dispatcher_lock.acquire({"pid": 1}, 20.0)
        looked.join()


def test_looking_makes_no_file(path) -> None:
    """To ask for the holder of a lock that was never taken makes no lock file."""
    assert holder(path) == {}
    assert is_held(path) is False
    assert not os.path.exists(path)


@posix
def test_a_removed_file_is_noticed(path, dispatcher_lock) -> None:
    """A lock whose file was removed is in place no more; after it is forsaken, a new file can be locked."""
    assert dispatcher_lock.is_in_place() is False
    assert dispatcher_lock.acquire(ME)
    assert dispatcher_lock.is_in_place() is True
    os.unlink(path)
    assert dispatcher_lock.is_in_place() is False
    dispatcher_lock.forsake()
    assert dispatcher_lock.acquire(ME)
    assert dispatcher_lock.is_in_place() is True
