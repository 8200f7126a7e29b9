"""Names of files that appeared, as the file system tells them."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from spoolrunner.dispatch import watch
from spoolrunner.dispatch.watch import MAX_HINTS, Hints, Watch

PATIENCE = 10.0
"""Seconds after which an event that did not come is missed."""


class Bell:
    """Counts how often it was rung, and can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self._rung = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self._rung.set()

    def wait(self, seconds: float) -> None:
        self._rung.wait(seconds)
        self._rung.clear()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def folders(tmp_path) -> tuple[str, str]:
    """The two folders that are watched, and one beside them in tmp_path."""
    for name in ("pending", "control", "tmp"):
        (tmp_path / name).mkdir()
    return str(tmp_path / "pending"), str(tmp_path / "control")


@pytest.fixture
def watching(folders, bell):
    """A watch that runs; it is stopped after the test."""
    made = Watch(*folders, bell)
    made.start()
    yield made
    made.stop()


def names_until(hints: Hints, bell: Bell, last: str) -> list[str]:
    """The names that were hinted at, up to and with `last`."""
    names: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while last not in names:
        assert time.monotonic() < deadline, f"{last} did not come; {names} did"
        bell.wait(deadline - time.monotonic())
        names += hints.take()[0]
    return names


def write(*parts: str) -> str:
    path = os.path.join(*parts)
    with open(path, "w", encoding="ascii") as stream:
        stream.write("{}")
    return path


def test_hints(bell) -> None:
    """Names are kept once each and in order until they are taken; only the first one wakes."""
    hints = Hints(bell)
    for name in "abab":
        hints.add(name)
    assert bell.count == 1
    assert hints.take() == (["a", "b"], False)
    assert hints.take() == ([], False)
    hints.add("c")
    assert bell.count == 2


def test_too_many_hints(bell) -> None:
    """When names come faster than they are taken, the hint is to scan, and memory does not grow."""
    hints = Hints(bell)
    for number in range(2 * MAX_HINTS + 5):
        hints.add(str(number))
    assert len(hints._names) <= MAX_HINTS
    assert hints.take() == ([], True)
    assert bell.count == 1
    hints.add("x")
    assert hints.take() == (["x"], False)
    assert bell.count == 2


def test_as_many_hints_as_are_kept(bell) -> None:
    """Up to the limit every name is kept."""
    hints = Hints(bell)
    for number in range(MAX_HINTS):
        hints.add(str(number))
    names, overflow = hints.take()
    assert (len(names), overflow) == (MAX_HINTS, False)


def test_lost_hints(bell) -> None:
    """When the kernel drops events the hint is to scan, and the owner is woken."""
    hints = Hints(bell)
    hints.add("a")
    hints.lost()
    assert bell.count == 2
    assert hints.take() == ([], True)


def test_arrivals(watching, folders, bell, tmp_path) -> None:
    """A file that is renamed into the folder, and one that is written there, are hinted at by their names."""
    os.rename(write(str(tmp_path), "tmp", "staged"), os.path.join(folders[0], "a.json"))
    assert names_until(watching.arrivals, bell, "a.json") == ["a.json"]
    write(folders[0], "b.json")
    assert "b.json" in names_until(watching.arrivals, bell, "b.json")
    assert watching.has_events
    assert watching.reason == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' observers tell of departures too")
def test_departures_are_no_arrivals(watching, folders, bell, tmp_path) -> None:
    """Neither a claim, which is a rename out of the folder, nor the removal of a file is hinted at."""
    inside = {name: os.path.join(folders[0], name) for name in ("a.json", "b.json", "c.json")}
    for name in ("a.json", "b.json"):
        os.rename(write(str(tmp_path), "tmp", name), inside[name])
    names_until(watching.arrivals, bell, "b.json")
    os.rename(inside["a.json"], tmp_path / "tmp" / "a.json")
    os.unlink(inside["b.json"])
    os.rename(write(str(tmp_path), "tmp", "c.json"), inside["c.json"])
    assert names_until(watching.arrivals, bell, "c.json") == ["c.json"]


def test_other_folders_are_not_watched(watching, folders, bell, tmp_path) -> None:
    """What happens beside the folder, or in a folder below it, is not hinted at."""
    os.mkdir(os.path.join(folders[0], "below"))
    write(folders[0], "below", "x.json")
    write(str(tmp_path), "tmp", "y.json")
    write(folders[0], "z.json")
    assert not {"x.json", "y.json"} & set(names_until(watching.arrivals, bell, "z.json"))


def test_control(watching, folders, bell) -> None:
    """In control/ both the making and the removing of a file are hinted at, and neither counts as an arrival."""
    path = write(folders[1], "pause")
    names_until(watching.control, bell, "pause")
    write(folders[1], "marker")
    names_until(watching.control, bell, "marker")
    os.unlink(path)
    names_until(watching.control, bell, "pause")
    assert watching.arrivals.take() == ([], False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of dropped events, and only here can one be made")
def test_dropped_events(folders, bell, monkeypatch) -> None:
    """When the kernel says that events were dropped, both folders are to be scanned."""
    lost: list = []
    real = watch._observer

    def remember(callback):
        lost.append(callback)
        return real(callback)

    monkeypatch.setattr(watch, "_observer", remember)
    made = Watch(*folders, bell)
    made.start()
    try:
        lost[0]()
        assert made.arrivals.take()[1] is True
        assert made.control.take()[1] is True
    finally:
        made.stop()


@pytest.mark.parametrize(("code", "text"), [(24, "Too many open files"), (28, "No space left on device")])
def test_no_events_to_be_had(folders, bell, monkeypatch, code, text) -> None:
    """Where the system gives no events it is said why, and stopping does no harm."""

    def fail(*args):
        raise OSError(code, text)

    monkeypatch.setattr(watch, "_observer", fail)
    made = Watch(*folders, bell)
    made.start()
    assert made.has_events is False
    assert text in made.reason
    made.stop()


def test_stop_ends_the_threads(folders, bell) -> None:
    """After stopping there are no events and no threads more than before."""
    before = threading.active_count()
    made = Watch(*folders, bell)
    made.start()
    assert threading.active_count() > before
    made.stop()
    assert made.has_events is False
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="a folder's watch goes with it on Linux")
def test_a_folder_that_is_removed_and_made_again(watching, folders, bell, tmp_path) -> None:
    """When a watched folder is removed the hint is to scan, and after a restart the one in its place is watched."""
    os.rmdir(folders[0])
    deadline = time.monotonic() + PATIENCE
    while not (lost := watching.arrivals.take()[1]) and time.monotonic() < deadline:
        bell.wait(0.05)
    assert lost
    os.mkdir(folders[0])
    watching.restart()
    (tmp_path / "pending" / "x.json").touch()
    assert "x.json" in names_until(watching.arrivals, bell, "x.json")


@pytest.mark.parametrize("threads", range(4))
def test_no_thread_to_be_had(folders, bell, monkeypatch, threads) -> None:
    """Whichever thread is the one too many: it is said why there are no events, and nothing of the others is left."""
    before = threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    left = [threads]
    real = threading.Thread.start

    def start(self) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        real(self)

    made = Watch(*folders, bell)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        made.start()
    if made.has_events:
        assert sys.platform != "linux"  # others need fewer threads
    else:
        assert "can't start new thread" in made.reason
    made.stop()
    assert threading.active_count() == before
    assert sys.platform != "linux" or len(os.listdir("/proc/self/fd")) == descriptors
    made.restart()
    assert (made.has_events, made.reason) == (True, "")
    made.stop()
