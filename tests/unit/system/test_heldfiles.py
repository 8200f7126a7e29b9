"""Files that another program holds open: tried again for a while, told from other errors, and put off."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from spoolrunner.system import clock as clock_module
from spoolrunner.system import durable, heldfiles
from spoolrunner.system.heldfiles import HeldError


class SharingViolationError(PermissionError):
    """What Windows answers for a file that is open elsewhere."""

    def __init__(self, winerror: int) -> None:
        super().__init__(errno.EACCES, "in use", "x")
        self.winerror = winerror


@pytest.fixture
def time(monkeypatch, clock):
    """The time that is waited in."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    return clock


def held(times: int, winerror: int, then=None):
    """A call that meets a held file so many times."""
    tries: list[object] = []

    def call(*arguments: object) -> object:
        tries.append(arguments)
        if len(tries) <= times:
            raise SharingViolationError(winerror)
        return then(*arguments) if then else None

    return call, tries


@pytest.mark.parametrize("winerror", [5, 32, 33])
@pytest.mark.parametrize("name", ["unlink", "rename", "replace", "open"])
def test_a_file_that_is_let_go(tmp_path, monkeypatch, time, winerror, name) -> None:
    """What meets an open file is tried again until that is let go, and then done."""
    source, target = str(tmp_path / "source"), str(tmp_path / "target")
    with open(source, "wb"):
        call, tries = held(2, winerror, getattr(os, name))
    monkeypatch.setattr(os, name, call)
    if name == "unlink":
        assert durable.unlink(source) is True
    elif name == "open":
        os.close(heldfiles.open_file(source, os.O_RDONLY))
    else:
        heldfiles.patiently(call, source, target)
        assert os.listdir(tmp_path) == ["target"]
    assert len(tries) == 3


def test_a_file_that_stays_open(monkeypatch, time) -> None:
    """One that stays open is given up after about two seconds, as an error that says what it was about."""
    began = time.monotonic()
    call, _ = held(10**6, 32)
    monkeypatch.setattr(os, "unlink", call)
    with pytest.raises(HeldError, match=r"another program has it open.*'x'"):
        durable.unlink("x")
    assert 2.0 <= time.monotonic() - began < 2.2


def test_no_patience_with_other_errors(monkeypatch, time) -> None:
    """An error that waiting does not mend is raised at once."""
    began = time.monotonic()

    def read_only(path: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    monkeypatch.setattr(os, "unlink", read_only)
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        durable.unlink("x")
    assert time.monotonic() == began


def test_a_missing_permission_elsewhere(monkeypatch) -> None:
    """A missing permission is no open file, but where the system gives both the same number."""
    refused = PermissionError(errno.EACCES, "denied", "x")
    monkeypatch.setattr(heldfiles.sys, "platform", "linux")
    assert not heldfiles.is_violation(refused)
    monkeypatch.setattr(heldfiles.sys, "platform", "win32")
    assert heldfiles.is_violation(refused)
    assert not heldfiles.is_violation(FileNotFoundError(errno.ENOENT, "gone", "x"))


def test_pauses_grow() -> None:
    """The longer a file has been held, the longer the pause, within limits."""
    assert [heldfiles.next_pause(seconds, 0.5) for seconds in (0, 0.5, 2, 30, 600)] == [0.5, 0.5, 2, 30, 60]


def odd(folder, kind: str) -> str:
    """Something that is no plain file."""
    path = os.path.join(folder, kind)
    if kind == "link":
        os.symlink(__file__, path)
    elif kind == "dangling":
        os.symlink(os.path.join(folder, "nowhere"), path)
    elif kind == "folder":
        os.mkdir(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path)
    elif kind == "pipe":
        os.mkfifo(path)
    return os.devnull if kind == "device" else path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files here")
@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe", "socket", "device"])
def test_only_a_plain_file_is_opened(tmp_path, kind) -> None:
    """Anything else is an error at once, for reading and for writing: no link is followed, and no pipe waited for."""
    path = odd(tmp_path, kind)
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR):
        with pytest.raises(OSError, match=r"\[Errno"):
            heldfiles.open_plain(path, flags)
    assert heldfiles.read_plain(path, 10) is None
    assert not (tmp_path / "nowhere").exists()


def test_a_plain_file_is_read(tmp_path) -> None:
    """Of a plain file as much is read as was asked for; where there is none, None."""
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    assert heldfiles.read_plain(str(path), 4) == b"0123"
    assert heldfiles.read_plain(str(tmp_path / "y"), 4) is None


def test_a_file_that_cannot_be_read_is_no_missing_one(monkeypatch) -> None:
    """An error of the disk, or a refusal, is told from there being no file."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "x")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(heldfiles, "PATIENCE", 0.0)
    with pytest.raises(PermissionError):
        heldfiles.read_plain("x", 4)
