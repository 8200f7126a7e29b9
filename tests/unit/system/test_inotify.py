"""What is reported of a watched file."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.system import inotify
from spoolrunner.system.inotify import ARRIVALS, CHANGES, Happened, open_watch

SOON = 10.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def watch():
    made = open_watch()
    assert made is not None
    yield made
    made.close()


def numbers(found) -> set[int]:
    return {event.number for event in found}


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
    assert numbers(watch.wait(SOON)) == {number}
    os.rename(path + "2", path + "3")
    assert numbers(watch.wait(SOON)) == {number}
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
    assert number in numbers(watch.wait(SOON))
    if reader is not None:
        os.close(reader)


@on_linux
def test_a_file_that_is_removed(watch, path) -> None:
    """A file that is removed is reported; one that is watched no more is not."""
    number = watch.add(path)
    os.unlink(path)
    assert number in numbers(watch.wait(SOON))
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


@on_linux
def test_arrivals_in_a_folder(watch, tmp_path) -> None:
    """What comes into a folder is named: by a rename, a link or a write; what goes is not. A name may be no UTF-8."""
    folder = tmp_path / "folder"
    folder.mkdir()
    number = watch.add(str(folder), ARRIVALS)
    for name in ("written", "linked", "renamed"):
        (tmp_path / name).write_bytes(b"")
    (folder / "linked").hardlink_to(tmp_path / "linked")
    os.rename(os.fsencode(tmp_path / "renamed"), os.fsencode(folder) + b"/re\xffnamed")
    os.unlink(folder / "linked")
    (folder / "written").write_bytes(b"1")
    seen = []
    while not seen or seen[-1] != Happened(number, "written"):
        seen += watch.wait(SOON)
    assert list(dict.fromkeys(seen)) == [
        Happened(number, "linked"),
        Happened(number, "re\udcffnamed"),
        Happened(number, "written"),
    ]


@on_linux
def test_changes_in_a_folder(watch, tmp_path) -> None:
    """What goes out of a folder is named too, where that is asked for; a folder that goes itself says so."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").write_bytes(b"")
    number = watch.add(str(folder), CHANGES)
    os.unlink(folder / "x")
    assert watch.wait(SOON) == [Happened(number, "x")]
    folder.rmdir()
    assert watch.wait(SOON)[0] == Happened(number, "", is_gone=True)


@on_linux
def test_a_wait_is_ended_from_outside(watch) -> None:
    """A wait ends when another descriptor can be read."""
    reader, writer = os.pipe()
    os.write(writer, b"!")
    assert watch.wait(None, reader) == []
    os.close(reader)
    os.close(writer)
