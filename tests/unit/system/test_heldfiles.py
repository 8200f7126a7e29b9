"""Files that another program holds open: tried again for a while, told from other errors, and put off."""

from __future__ import annotations

import errno
import os

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
