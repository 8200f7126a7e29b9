"""Locks and markers: who holds a job, and what its file remembers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.spool import locks
from spoolrunner.spool.locks import CLAIM, START, Marker

posix = pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed on Windows")
MARKER = Marker(START, 1, 77, 123, "456-boot", "2026-11-23T17:45:01Z")
HOLD = """
import sys
from spoolrunner.spool import locks
held = locks.acquire(sys.argv[1])
print("held" if held else "busy", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "x.lock")


@pytest.fixture
def lock(path):
    """A lock that is held for the time of the test."""
    held = locks.acquire(path)
    assert held is not None
    yield held
    held.close()


def append(path: str, data: bytes) -> None:
    with open(path, "ab") as stream:
        stream.write(data)


def test_one_holder(path, lock) -> None:
    """A lock that is held is given to nobody else, and to the next one when it is closed."""
    assert locks.acquire(path) is None
    second = locks.acquire(path + "2")
    assert second is not None
    second.close()


def test_the_end_of_a_process_frees_its_lock(path) -> None:
    """A lock of another process is held as long as that process lives, and free when it was killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        assert locks.acquire(path) is None
        process.kill()
        process.wait(10)
    held = locks.acquire(path)
    assert held is not None
    held.close()


@posix
def test_what_is_executed_does_not_inherit_the_lock(path) -> None:
    """A program that the holder starts does not keep the lock when the holder is gone."""
    held = locks.acquire(path)
    assert held is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        held.close()
        again = locks.acquire(path, 5.0)  # Race: the kernel closes the copies a moment after the program was started.
        assert again is not None
        again.close()
        child.communicate(b"\n", timeout=10)


def test_patience(path, lock, clock, monkeypatch) -> None:
    """A lock that stays held is tried for as long as was asked, and not longer."""
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    began = clock.monotonic()
    assert locks.acquire(path, 2.0) is None
    assert 2.0 <= clock.monotonic() - began < 2.1


def test_patience_is_rewarded(path, clock, monkeypatch) -> None:
    """A lock that is freed within the patience is taken."""
    held = locks.acquire(path)
    assert held is not None
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", lambda seconds: (held.close(), clock.advance(seconds)))
    second = locks.acquire(path, 2.0)
    assert second is not None
    second.close()


@posix
@pytest.mark.parametrize("replaced", [True, False])
def test_a_lock_guards_the_file_of_its_name(path, monkeypatch, replaced) -> None:
    """A file that was removed, or replaced, between opening and locking is not taken for the lock."""
    take, stolen = locks._try_lock, []

    def race(descriptor: int) -> bool:
        if not stolen:
            stolen.append(os.fstat(descriptor).st_ino)
            append(path + ".new", b"")
            os.replace(path + ".new", path) if replaced else os.unlink(path)
        return take(descriptor)

    monkeypatch.setattr(locks, "_try_lock", race)
    held = locks.acquire(path)
    assert held is not None
    assert os.fstat(held.descriptor).st_ino == os.stat(path).st_ino
    held.close()


@posix
def test_a_link_is_no_lock(path, tmp_path) -> None:
    """A symbolic link in the place of a lock is refused, and nothing is made where it leads."""
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(OSError, match=r"."):
        locks.acquire(path)
    assert not os.path.exists(tmp_path / "elsewhere")


@posix
def test_lock_files_are_private(path, lock) -> None:
    """A lock file is its owner's alone."""
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_no_marker(path, lock) -> None:
    """A new lock file has no marker."""
    assert lock.marker() is None
    assert locks.peek(path) is None


def test_peek_at_nothing(path) -> None:
    """A lock file that is not there has no marker, and is not made by looking."""
    assert locks.peek(path) is None
    assert not os.path.exists(path)


def test_the_last_marker_counts(path, lock) -> None:
    """Of several markers the last one counts, and all stay in the file."""
    for attempt in (1, 2, 3):
        lock.append(replace(MARKER, attempt=attempt))
    assert lock.marker() == locks.peek(path) == replace(MARKER, attempt=3)
    with open(path, "rb") as stream:
        assert stream.read().count(b'"start"') == 3


def test_markers_survive_the_holder(path) -> None:
    """A marker is read by the next holder."""
    first = locks.acquire(path)
    assert first is not None
    first.append(Marker(CLAIM, 4, 5))
    first.close()
    second = locks.acquire(path)
    assert second is not None
    assert second.marker() == Marker(CLAIM, 4, 5, 0, "", "")
    second.close()


def test_byte_0_is_the_locks(path, lock) -> None:
    """Markers begin at byte 1, since byte 0 belongs to the lock of Windows."""
    lock.append(MARKER)
    with open(path, "rb") as stream:
        assert stream.read(2)[1:] == b"{"


@pytest.mark.parametrize(
    "torn",
    [b'{"kind":"start","att', b"\n{", b"\0\0\0\0", b"garbage\n", b"[1,2]\n", b'{"x":1}\n', b"\xff\xfe\n", b"5\n"],
)
def test_a_torn_marker_harms_no_other(path, lock, torn) -> None:
    """What is no whole marker is passed over, and the one written after it is read."""
    lock.append(MARKER)
    append(path, torn)
    assert lock.marker() == MARKER
    later = replace(MARKER, attempt=2)
    lock.append(later)
    assert lock.marker() == later


def marker_in(data: bytes) -> Marker | None:
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.flush()
        return locks._last_marker(stream.fileno())


@given(st.integers(0, 400))
def test_a_marker_cut_anywhere(length) -> None:
    """A marker of which only a part is on disk is not read, and the one before it is."""
    lines = b"".join(
        b"\n" + m + b"\n"
        for m in (b'{"kind":"start","attempt":1,"inode":5}', b'{"kind":"claim","attempt":2,"inode":6}')
    )
    found = marker_in(lines[:length])
    assert found in (None, Marker(START, 1, 5), Marker(CLAIM, 2, 6))
    assert (found == Marker(CLAIM, 2, 6)) == (length >= len(lines))


def test_a_marker_that_did_not_get_in(lock, monkeypatch) -> None:
    """A marker of which the disk took only a part is an error."""
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:5]))
    with pytest.raises(OSError, match="in part only"):
        lock.append(MARKER)
    assert lock.marker() is None


@pytest.mark.parametrize(
    ("attempts", "inode", "fits"), [(0, 77, True), (1, 77, False), (0, 78, False), (2, 77, False), (1, 78, False)]
)
def test_fits(attempts, inode, fits) -> None:
    """A marker fits the next attempt of a document in the file that it names, and no other."""
    assert MARKER.fits(attempts, inode) is fits


@posix
def test_remove(path, lock) -> None:
    """The file is removed while the lock is held, and removing it twice does no harm."""
    lock.remove()
    assert not os.path.exists(path)
    lock.remove()


def test_close_if_ours(path, tmp_path) -> None:
    """In a child the copy of the descriptor is closed, unless its number means another file by now."""
    held = locks.acquire(path)
    assert held is not None
    held.close_if_ours()
    with pytest.raises(OSError, match=r"."):
        os.fstat(held.descriptor)
    held.close_if_ours()
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    os.dup2(other, held.descriptor)
    try:
        held.close_if_ours()
        os.fstat(held.descriptor)
    finally:
        for descriptor in {other, held.descriptor}:
            os.close(descriptor)
