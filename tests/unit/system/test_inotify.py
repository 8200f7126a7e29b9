"""What is reported of a watched file."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.system import inotify
from spoolrunner.system.inotify import open_watch

SOON = 10.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def watch():
    made = open_watch()
    assert made is not None
    yield made
    made.close()


@pytest.fixture
def path(tmp_path) -> str:
    (tmp_path / "x").write_bytes(b"1")
    return str(tmp_path / "x")


@on_linux
def test_a_move(watch, path) -> None:
    """A file that is moved is reported, also when it is moved again under its new name; others are not."""
    number = watch.add(path)
    assert watch.add(path) == number
    os.rename(path, path + "2")
    assert set(watch.wait(SOON)) == {number}
    os.rename(path + "2", path + "3")
    assert set(watch.wait(SOON)) == {number}
    with open(path, "wb") as stream:
        stream.write(b"another")
    assert watch.wait(0) == []


@on_linux
@pytest.mark.parametrize("is_open", [True, False])
def test_a_file_that_is_replaced(watch, path, is_open) -> None:
    """A file whose name another one takes is reported, even while somebody has it open."""
    number = watch.add(path)
    reader = os.open(path, os.O_RDONLY) if is_open else None
    with open(path + "2", "wb") as stream:
        stream.write(b"2")
    os.replace(path + "2", path)
    assert number in watch.wait(SOON)
    if reader is not None:
        os.close(reader)


@on_linux
def test_a_file_that_is_removed(watch, path) -> None:
    """A file that is removed is reported; one that is watched no more is not."""
    number = watch.add(path)
    os.unlink(path)
    assert number in watch.wait(SOON)
    watch.remove(number)


@on_linux
def test_what_cannot_be_watched(watch, path) -> None:
    """A file that is gone has no number; one that is watched no more is not reported."""
    assert watch.add(path + "2") is None
    watch.remove(watch.add(path))
    while watch.wait(0):
        pass  # that it is watched no more
    os.rename(path, path + "2")
    assert watch.wait(0) == []


@on_linux
def test_events_that_were_dropped(watch, monkeypatch) -> None:
    """When the kernel dropped events, that is reported in place of numbers."""
    dropped = (-1).to_bytes(4, sys.byteorder, signed=True) + 0x4000.to_bytes(4, sys.byteorder) + bytes(8)
    reader, writer = os.pipe()
    os.write(writer, dropped)
    monkeypatch.setattr(watch, "_descriptor", reader)
    assert watch.wait(SOON) is None
    monkeypatch.undo()
    os.close(reader)
    os.close(writer)


@on_linux
def test_a_user_with_no_watch_left(monkeypatch) -> None:
    """Where the kernel gives no watch, there is none; nor on another system."""
    import ctypes

    class Refusing:
        @staticmethod
        def inotify_init1(_flags: int) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_: Refusing())
    assert open_watch() is None
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: object())
    assert open_watch() is None
    monkeypatch.setattr(inotify.sys, "platform", "win32")
    assert open_watch() is None
