"""Names of files that appeared, as Linux tells them."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from spoolrunner.dispatch import folder_watch as module
from spoolrunner.dispatch.folder_watch import FolderWatch, watch_of
from spoolrunner.dispatch.watch import Hints, Watch

SOON = 20.0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Bell:
    """Is rung from another thread, and can be waited for."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def __call__(self) -> None:
        self._rung.set()

    def wait(self, seconds: float) -> None:
        self._rung.wait(seconds)
        self._rung.clear()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def folders(tmp_path) -> tuple[str, str]:
    for name in ("pending", "control", "tmp"):
        (tmp_path / name).mkdir()
    return str(tmp_path / "pending"), str(tmp_path / "control")


@pytest.fixture
def watching(folders, bell):
    made = FolderWatch(*folders, bell)
    made.start()
    assert made.has_events
    yield made
    made.stop()


def names_until(hints: Hints, bell: Bell, last: str) -> list[str]:
    """The names that were hinted at, up to and with `last`; "lost" where events were dropped."""
    names: list[str] = []
    deadline = time.monotonic() + SOON
    while last not in names:
        assert time.monotonic() < deadline, f"only {names} came"
        found, lost = hints.take()
        names += [*found, *(["lost"] if lost else [])]
        if last not in names:
            bell.wait(0.1)
    return names


def test_arrivals_and_no_departures(watching, folders, bell, tmp_path) -> None:
    """Files that come by a rename, a link or a write are named, those that are claimed are not."""
    for name in ("renamed", "linked", "last"):
        (tmp_path / "tmp" / name).write_bytes(b"1")
    pending = tmp_path / "pending"
    (tmp_path / "tmp" / "renamed").rename(pending / "renamed")
    (pending / "linked").hardlink_to(tmp_path / "tmp" / "linked")
    (pending / "written").write_bytes(b"1")
    (pending / "renamed").rename(tmp_path / "tmp" / "claimed")
    (tmp_path / "tmp" / "last").rename(pending / "last")
    names = names_until(watching.arrivals, bell, "last")
    # A file that is written is two events, which may be taken by one look or by two.
    assert list(dict.fromkeys(names)) == ["renamed", "linked", "written", "last"]
    assert watching.control.take() == ([], False)


def test_control(watching, folders, bell, tmp_path) -> None:
    """What is made and removed in control/ is named, and nothing of that among the arrivals."""
    made = tmp_path / "tmp" / "made"
    made.write_bytes(b"1")
    path = os.path.join(folders[1], "pause")
    os.link(made, path)  # a single event
    assert names_until(watching.control, bell, "pause") == ["pause"]
    os.unlink(path)
    assert names_until(watching.control, bell, "pause") == ["pause"]
    assert watching.arrivals.take() == ([], False)


def test_twenty_thousand_at_once(watching, folders, bell) -> None:
    """Twenty thousand files that come as fast as they can are all named, while the names are taken now and then."""
    seen: dict[str, None] = {}
    for number in range(20_000):
        with open(f"{folders[0]}/{number}", "wb"):
            pass
        if number % 1000 == 999:
            names, lost = watching.arrivals.take()
            assert not lost
            seen |= dict.fromkeys(names)
    deadline = time.monotonic() + SOON
    while len(seen) < 20_000:
        assert time.monotonic() < deadline, len(seen)
        seen |= dict.fromkeys(watching.arrivals.take()[0])
        bell.wait(0.1)


def test_a_folder_that_goes(watching, folders, bell, tmp_path) -> None:
    """When a folder is removed both need a scan; after a restart what lies at the path now is watched."""
    os.rmdir(folders[0])
    assert "lost" in names_until(watching.arrivals, bell, "lost")
    assert "lost" in names_until(watching.control, bell, "lost")
    os.mkdir(folders[0])
    watching.restart()
    (tmp_path / "pending" / "x").write_bytes(b"1")
    assert "x" in names_until(watching.arrivals, bell, "x")


def test_dropped_events(folders, bell, monkeypatch) -> None:
    """When the kernel dropped events, both folders need a scan, and the watch goes on."""
    watch = FolderWatch(*folders, bell)
    dropped = iter([None])
    real = module.FileWatch.wait
    monkeypatch.setattr(module.FileWatch, "wait", lambda self, *about: next(dropped, real) and real(self, *about))
    watch.start()
    assert "lost" in names_until(watch.arrivals, bell, "lost")
    assert "lost" in names_until(watch.control, bell, "lost")
    with open(folders[0] + "/x", "wb"):
        pass
    assert "x" in names_until(watch.arrivals, bell, "x")
    watch.stop()


def test_no_events_to_be_had(folders, bell, monkeypatch, tmp_path) -> None:
    """Without a watch, a folder or a thread there are no events, it is said why, and a later start is none the worse."""
    descriptors = len(os.listdir("/proc/self/fd"))
    watch = FolderWatch(*folders, bell)
    with monkeypatch.context() as patch:
        patch.setattr(module, "open_watch", lambda: None)
        watch.start()
        assert (watch.has_events, "inotify" in watch.reason) == (False, True)
    with monkeypatch.context() as patch:
        patch.setattr(
            threading.Thread, "start", lambda _self: (_ for _ in ()).throw(RuntimeError("can't start new thread"))
        )
        watch.restart()
        assert (watch.has_events, "can't start new thread" in watch.reason) == (False, True)
    gone = FolderWatch(str(tmp_path / "gone"), folders[1], bell)
    gone.start()
    assert (gone.has_events, "cannot be watched" in gone.reason) == (False, True)
    watch.restart()
    assert (watch.has_events, watch.reason) == (True, "")
    watch.stop()
    watch.stop()
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died(folders, bell, monkeypatch) -> None:
    """A thread that dies is said, until the watch is started anew."""

    def fail(*_about: object) -> None:
        raise OSError("of the test")

    watch = FolderWatch(*folders, bell)
    with monkeypatch.context() as patch:
        patch.setattr(module.FileWatch, "wait", fail)
        watch.start()
        watch._reading.join(SOON)
    assert (watch.has_events, "died" in watch.reason) == (False, True)
    watch.restart()
    assert watch.has_events
    watch.stop()


def test_each_system_has_its_watch(folders, bell, monkeypatch) -> None:
    """Linux has this one, other systems that of watchdog."""
    assert isinstance(watch_of(*folders, bell), FolderWatch)
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert isinstance(watch_of(*folders, bell), Watch)
