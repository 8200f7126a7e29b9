"""The thread of an index, turn by turn: events, folders that are listed again, and what becomes of its errors."""

from __future__ import annotations

import errno
import os
import sys
import threading

import pytest

from spoolrunner.client import keeping as module
from spoolrunner.client.keeping import CONTROL, FIRST_PAUSE, LONGEST_PAUSE, LOOK_PERIOD, STATUS, Keeper
from spoolrunner.protocol.states import State
from spoolrunner.system.inotify import Happened

SOON = 20.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="events of files are Linux's")


class StillWatch:
    """A watch that gives what it is given, and never waits."""

    def __init__(self) -> None:
        self.found: list[list[Happened] | None] = []
        self.numbers: dict[str, int] = {}

    def add(self, path: str, mask: int) -> int | None:
        if not os.path.isdir(path):
            return None
        return self.numbers.setdefault(path, len(self.numbers) + 1)

    def wait(self, seconds: float, until: int | None = None) -> list[Happened] | None:
        return self.found.pop(0) if self.found else []

    def close(self) -> None:
        pass


@pytest.fixture
def told() -> list[frozenset[str]]:
    return []


@pytest.fixture
def keeper(spool, clock, told, monkeypatch):
    """A keeper without a thread, whose events never make it wait."""
    monkeypatch.setattr(module, "open_watch", lambda: None)
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: self.is_set())
    made = Keeper(spool.layout, clock, told.append)
    made._open()
    made._begin(State)
    turn_until_quiet(made)
    yield made
    made.end()


@pytest.fixture
def watch(keeper, monkeypatch) -> StillWatch:
    """The keeper has a watch."""
    made = StillWatch()
    monkeypatch.setattr(module, "open_watch", lambda: made)
    assert keeper._open()
    return made


def turn_until_quiet(keeper: Keeper) -> None:
    while keeper._listing is not None:
        keeper._turn()


def pause(keeper: Keeper) -> float:
    return keeper._next_look - keeper._clock.monotonic()


def look(keeper: Keeper, clock) -> None:
    """Let the time of the next look come, and list what it finds."""
    clock.advance(max(0.0, pause(keeper)))
    keeper._turn()
    turn_until_quiet(keeper)


def test_without_events_the_pauses_grow_while_nothing_changes(keeper, drop, clock, told) -> None:
    """A folder that has changed is listed, and looked at soon again; the pause grows from one second to thirty."""
    clock.advance(-clock.wall() + 2_000_000_000)  # far from when the folders changed
    look(keeper, clock)
    assert not keeper.has_events
    pauses = []
    for _ in range(7):
        look(keeper, clock)
        pauses.append(pause(keeper))
    assert pauses[-1] == LONGEST_PAUSE
    assert pauses == sorted(pauses)
    told.clear()
    drop(State.FAILED, "x")
    look(keeper, clock)
    assert pause(keeper) == FIRST_PAUSE
    assert frozenset({"failed"}) in told
    assert len(keeper.folders.of[State.FAILED]) == 1


def test_a_folder_that_changed_just_now_is_looked_at_again(keeper, spool, drop, clock) -> None:
    """Its time of change is as coarse as the clock of files: what comes a moment later may not show in it."""
    folder = spool.layout.folder(State.DONE)
    drop(State.DONE, "a")
    now = os.stat(folder).st_mtime
    clock.advance(now - clock.wall())
    keeper._next_look = clock.monotonic()
    keeper._turn()
    turn_until_quiet(keeper)
    drop(State.DONE, "b")
    os.utime(folder, ns=(os.stat(folder).st_mtime_ns, keeper._marks[State.DONE].mtime_ns))
    look(keeper, clock)
    assert sorted(keeper.folders.of[State.DONE].names()) == ["a", "b"]


def test_a_long_listing_makes_the_pause_longer(keeper) -> None:
    """Where no events come, listing takes a tenth of the time at most."""
    keeper._seconds = 5.0
    keeper._put_off()
    assert pause(keeper) == 50.0


def test_events(keeper, watch, spool, drop, told) -> None:
    """What an event hints at is looked at; what is there by then counts, and names that are no job's do not."""
    turn_until_quiet(keeper)
    told.clear()
    drop(State.PENDING, "x")
    pending, control, root = (
        watch.numbers[path] for path in (spool.layout.pending, spool.layout.control, spool.layout.root)
    )
    watch.found = [
        [Happened(pending, "x.json"), Happened(pending, "gone.json"), Happened(pending, ".x"), Happened(root, "else")],
        [Happened(control, "pause"), Happened(root, "status.json")],
    ]
    keeper._hear(1.0)
    assert told == [frozenset({"pending", CONTROL, STATUS})]
    assert keeper.folders.of[State.PENDING].names() == ["x"]
    told.clear()
    watch.found = [[Happened(pending, "x.json")]]
    keeper._hear(1.0)
    assert told == []


@pytest.mark.parametrize("found", [None, [Happened(1, "", is_gone=True)]])
def test_where_events_were_lost_all_is_listed_again(keeper, watch, drop, found) -> None:
    """When the kernel dropped some, or a watched folder went, what lies there is listed and watched anew."""
    turn_until_quiet(keeper)
    drop(State.DONE, "x")
    watch.found = [found]
    keeper._hear(1.0)
    assert keeper._listing is not None
    turn_until_quiet(keeper)
    assert keeper.folders.of[State.DONE].names() == ["x"]


def test_a_change_of_which_no_event_told(keeper, watch, drop, clock) -> None:
    """Where another machine works in a folder no event tells of it: it is listed, and looked at more often from then on."""
    look(keeper, clock)
    assert keeper.has_events
    assert pause(keeper) == LOOK_PERIOD
    drop(State.FAILED, "x")
    look(keeper, clock)
    assert not keeper.has_events
    assert keeper.folders.of[State.FAILED].names() == ["x"]
    assert pause(keeper) == FIRST_PAUSE
    look(keeper, clock)
    assert keeper.has_events


def test_a_change_of_which_an_event_told_is_not_listed(keeper, watch, spool, drop, clock, monkeypatch) -> None:
    """A busy folder is not listed again and again: its events are enough."""
    look(keeper, clock)
    drop(State.FAILED, "x")
    watch.found = [[Happened(watch.numbers[spool.layout.folder(State.FAILED)], "x.json")]]
    keeper._hear(1.0)
    monkeypatch.setattr(keeper.folders, "listing", None)
    look(keeper, clock)
    assert keeper.has_events


def test_a_missing_folder_is_a_problem_until_it_is_back(keeper, watch, spool, clock) -> None:
    """It is named, what lies in the others is there, and when it is made again it is watched again."""
    turn_until_quiet(keeper)
    os.rmdir(spool.layout.folder(State.DONE))
    watch.found = [[Happened(watch.numbers[spool.layout.folder(State.DONE)], "", is_gone=True)]]
    keeper._hear(1.0)
    turn_until_quiet(keeper)
    assert keeper.problem == f"done: the folder is missing in {spool.layout.root}"
    assert not keeper.has_events
    os.mkdir(spool.layout.folder(State.DONE))
    look(keeper, clock)
    assert keeper.problem == ""
    assert keeper.has_events


def test_a_folder_that_cannot_be_read(keeper, spool, clock, monkeypatch) -> None:
    """An error of the disk is a sentence, and all is listed again until that works."""
    real = keeper.folders.mark

    def failing(state: State) -> object:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(keeper.folders, "mark", failing)
    clock.advance(LONGEST_PAUSE)
    with pytest.raises(OSError, match="Input/output error"):
        keeper._look()
    monkeypatch.setattr(keeper.folders, "mark", real)
    monkeypatch.setattr(keeper, "_look", lambda: failing(State.DONE))
    keeper._turn()
    assert keeper.problem == "the folders cannot be read: [Errno 5] Input/output error"
    turn_until_quiet(keeper)
    assert keeper.problem == ""


@on_linux
def test_the_thread_ends_when_it_is_told_to(spool, clock) -> None:
    """It waits for events without end, and goes at once when it is not wanted any more."""
    listed = threading.Event()
    made = Keeper(spool.layout, clock, lambda _: listed.set())
    made.start()
    assert listed.wait(SOON)
    made.end()
    assert not made._thread.is_alive()


def test_a_thread_that_dies_says_so(spool, clock, monkeypatch) -> None:
    """An error that nobody foresaw is the problem of the index."""
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    made = Keeper(spool.layout, clock, lambda _: None)
    monkeypatch.setattr(made, "_turn", lambda: 1 // 0)
    made.start()
    assert died.wait(SOON)
    assert made.problem.startswith("the index is kept no more: ZeroDivisionError")
    made.end()
