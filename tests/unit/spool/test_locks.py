"""Locks: who holds a job, and the lines that are appended to its file."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from spoolrunner.spool import locks

posix = pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed on Windows")
LINE = b"\n{}\n"
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


def test_a_new_file_has_no_lines(path, lock) -> None:
    """A lock file that was made by taking the lock is new until something is appended."""
    assert lock.is_new
    assert lock.read() == b""
    lock.append(LINE)
    assert not lock.is_new


def test_lines_survive_the_holder(path) -> None:
    """What one holder appended is read by the next, whose file is not new."""
    first = locks.acquire(path)
    assert first is not None
    first.append(LINE)
    first.close()
    second = locks.acquire(path)
    assert second is not None
    assert not second.is_new
    second.append(LINE)
    assert second.read() == (LINE + LINE)[1:]
    second.close()


def test_byte_0_is_the_locks(path, lock) -> None:
    """Lines are read from byte 1 on, since byte 0 belongs to the lock of Windows; no line loses anything by that."""
    lock.append(LINE)
    with open(path, "rb") as stream:
        assert stream.read() == LINE
    assert lock.read() == LINE[1:]


def test_a_file_that_is_large(path, lock) -> None:
    """A file of any size is read whole."""
    lines = b"\n" + b"x" * 200_000 + b"\n"
    append(path, lines)
    assert lock.read() == lines[1:]


def test_a_file_that_grows_while_it_is_read(path, lock, monkeypatch) -> None:
    """What is appended after the size was asked for is read too."""
    lock.append(LINE)
    real = os.lseek

    def grown(descriptor: int, *where: int) -> int:
        append(path, b"x" * 100_000 + b"\n")
        return real(descriptor, *where)

    monkeypatch.setattr(os, "lseek", grown)
    assert lock.read() == LINE[1:] + b"x" * 100_000 + b"\n"


@pytest.mark.parametrize("lines", [b"", LINE, LINE * 50_000])
def test_reads_that_are_cut_short(path, lock, monkeypatch, lines) -> None:
    """A file is read to its end though the system gives less at once than was asked for."""
    append(path, lines)
    real = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: real(descriptor, min(size, 1000)))
    assert lock.read() == lines[1:]


def test_a_line_that_did_not_get_in(lock, monkeypatch) -> None:
    """A line of which the disk took only a part is an error."""
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:2]))
    with pytest.raises(OSError, match="in part only"):
        lock.append(LINE)
    assert lock.read() == LINE[1:2]


@posix
def test_a_lock_in_its_place(path, lock) -> None:
    """A lock is in place as long as its very file lies at the path."""
    assert lock.is_in_place()
    os.unlink(path)
    assert not lock.is_in_place()
    append(path, b"")
    assert not lock.is_in_place()


def test_append_in_place(path, lock) -> None:
    """A line is appended while the descriptor and the file at the path are the ones of the lock."""
    assert lock.append_in_place(LINE)
    assert lock.read() == LINE[1:]


def test_append_in_place_with_another_descriptor(path, tmp_path) -> None:
    """Nothing is appended when the descriptor is closed, or its number means another file by now."""
    held = locks.acquire(path)
    assert held is not None
    kept = os.dup(held.descriptor)
    os.close(held.descriptor)
    assert not held.append_in_place(LINE)
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    if other != held.descriptor:
        os.dup2(other, held.descriptor)
    assert not held.append_in_place(LINE)
    assert os.fstat(other).st_size == 0
    os.dup2(kept, held.descriptor)
    assert held.append_in_place(LINE)
    for descriptor in {kept, other, held.descriptor}:
        os.close(descriptor)


@posix
def test_append_in_place_of_a_removed_file(path, lock) -> None:
    """Nothing is appended to a file that was removed, also when there is a new one of that name."""
    os.unlink(path)
    assert not lock.append_in_place(LINE)
    append(path, b"")
    assert not lock.append_in_place(LINE)
    assert os.stat(path).st_size == 0


def test_a_system_that_does_not_say(lock, monkeypatch) -> None:
    """When the system does not say whether the descriptor is open, that is an error, and the lock is not taken for closed."""

    def refuse(descriptor: int) -> os.stat_result:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", refuse)
        with pytest.raises(OSError, match="Input/output"):
            lock.append_in_place(LINE)
    assert lock.append_in_place(LINE)


def test_opened_without_the_lock(path, lock) -> None:
    """The file can be opened for appending while another holds the lock; it is made where there is none."""
    lock.append(LINE)
    other = locks.opened(path)
    assert not other.is_new
    assert other.is_in_place()
    other.append(LINE)
    other.close()
    assert lock.read() == (LINE + LINE)[1:]
    assert locks.acquire(path) is None
    made = locks.opened(path + "2")
    assert made.is_new
    made.close()


def test_a_lock_that_the_job_closed(path) -> None:
    """Closing a lock whose descriptor was closed already does no harm."""
    held = locks.acquire(path)
    assert held is not None
    os.close(held.descriptor)
    held.close()
    again = locks.acquire(path)
    assert again is not None
    again.close()


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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
@pytest.mark.parametrize("make", ["mkfifo", "mkdir", "symlink"])
@pytest.mark.parametrize("take", [locks.acquire, locks.opened])
def test_what_is_no_lock_file(path, make, take) -> None:
    """A pipe, a folder or a link in the place of a lock file is an error of that file, and leaves nothing open."""
    os.symlink(os.devnull, path) if make == "symlink" else getattr(os, make)(path)
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    with pytest.raises(OSError, match=r"not a plain file|directory|symbolic"):
        take(path)
    assert before == (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0)
