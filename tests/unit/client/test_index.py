"""The index of a spool, kept by its thread from real events: counts, pages by cursor, and who is told of changes."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc

import pytest

from spoolrunner.client.index import CONTROL, STATUS, Came, Index, cursor_at
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.system.clock import SYSTEM

SOON = 20.0


class Listener:
    """Is told of changes, and waits until something holds."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self._condition = threading.Condition()

    def __call__(self, changed: frozenset[str]) -> None:
        with self._condition:
            self.changed |= changed
            self._condition.notify_all()

    def wait(self, holds, seconds: float = SOON) -> None:
        with self._condition:
            assert self._condition.wait_for(holds, seconds), f"only {self.changed}"


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def index(spool, listener):
    with Index(spool.layout, SYSTEM) as made:
        made.subscribe(listener)
        yield made


@pytest.fixture
def counted(index, listener) -> Index:
    """The index, when the first listing is over."""
    listener.wait(lambda: not index._folders.unordered)
    return index


def counts(pending=0, running=0, done=0, failed=0) -> dict[str, int]:
    return {"pending": pending, "running": running, "done": done, "failed": failed}


def test_it_follows_a_job_through_the_folders(spool, drop, counted, listener) -> None:
    """Each move of a job is heard of, and counted where the file lies."""
    assert not counted.is_counting
    drop(State.PENDING, "x")
    listener.wait(lambda: counted.counts() == counts(pending=1))
    os.rename(spool.layout.job(State.PENDING, "x"), spool.layout.job(State.RUNNING, "x"))
    listener.wait(lambda: counted.counts() == counts(running=1))
    os.rename(spool.layout.job(State.RUNNING, "x"), spool.layout.job(State.DONE, "x"))
    listener.wait(lambda: counted.counts() == counts(done=1))
    os.unlink(spool.layout.job(State.DONE, "x"))
    listener.wait(lambda: counted.counts() == counts())
    assert listener.changed >= {"pending", "running", "done"}
    assert counted.version > 0
    assert counted.problem == ""


def test_what_lay_there_before_is_counted(spool, drop, listener) -> None:
    """The first listing counts what lies there, and says until its end that it is counting."""
    for number in range(300):
        drop(State.FAILED, f"x{number:03}")
    made = Index(spool.layout)
    assert made.is_counting
    assert not made.page(State.FAILED).is_complete
    made.subscribe(listener)
    made.start()
    listener.wait(lambda: not made._folders.unordered)
    assert made.counts() == counts(failed=300)
    assert made.page(State.FAILED).is_complete
    made.close()


def test_control_and_status_are_heard_of(spool, counted, listener) -> None:
    """A request in control/ and a new status.json are changes, too."""
    with open(spool.layout.pause, "wb"):
        pass
    listener.wait(lambda: CONTROL in listener.changed)
    with open(spool.layout.stage(), "wb") as stream:
        pass
    os.rename(stream.name, spool.layout.status)
    if counted.has_events:
        listener.wait(lambda: STATUS in listener.changed)


@pytest.fixture
def dated(spool, drop, arrived_as_written, clock):
    """Ten jobs in failed/ that came a second apart, two at a time: f9 and f8 last."""
    for number in range(10):
        drop(State.FAILED, f"f{number}", age=10 - number // 2)
    made = Index(spool.layout, clock)
    for _ in made._folders.listing(list(State)):
        pass
    return made


def ids(page) -> list[str]:
    return [came.id for came in page.jobs]


def test_pages(dated) -> None:
    """The jobs that came last are first; a cursor leads to those before, and back."""
    first = dated.page(State.FAILED, limit=4)
    assert (ids(first), first.first, first.total, first.newer) == (["f9", "f8", "f7", "f6"], 1, 10, None)
    second = dated.page(State.FAILED, first.older, limit=4)
    assert (ids(second), second.first, second.newer) == (["f5", "f4", "f3", "f2"], 5, "")
    last = dated.page(State.FAILED, second.older, limit=4)
    assert (ids(last), last.first, last.older) == (["f1", "f0"], 9, None)
    assert ids(dated.page(State.FAILED, last.newer, limit=4)) == ids(second)
    assert ids(dated.page(State.FAILED, second.newer, limit=4)) == ids(first)
    assert ids(dated.page(State.DONE)) == []


def test_a_cursor_stays_where_it_is(dated, drop, spool) -> None:
    """What comes and goes before a cursor moves no job from one page to the next."""
    first = dated.page(State.FAILED, limit=4)
    drop(State.FAILED, "new", age=0)
    os.unlink(spool.layout.job(State.FAILED, "f9"))
    with dated._folders.lock:
        dated._folders.look(State.FAILED, ["new", "f9"])
    assert ids(dated.page(State.FAILED, first.older, limit=4)) == ["f5", "f4", "f3", "f2"]
    assert dated.newer_than(State.FAILED, first.jobs[1]) == 1


def test_a_page_shows_what_is_there(dated, spool) -> None:
    """A file that has gone, and of which no event told, is not shown, and another one takes its place."""
    for name in ("f9", "f7"):
        os.unlink(spool.layout.job(State.FAILED, name))
    page = dated.page(State.FAILED, limit=3)
    assert (ids(page), page.total) == (["f8", "f6", "f5"], 8)


def test_a_folder_that_is_emptied_meanwhile(dated, spool, monkeypatch) -> None:
    """Each job of a page is looked at once, also while they go as fast as that: who waits for the index waits for no more."""
    looked: list[str] = []
    look = dated._folders.look

    def look_behind_one_who_removes(state, names):
        looked.extend(names)
        for name in names[:1]:
            os.unlink(spool.layout.job(state, name))
        return look(state, names)

    monkeypatch.setattr(dated._folders, "look", look_behind_one_who_removes)
    assert ids(dated.page(State.FAILED, limit=3)) == ["f8", "f7"]
    assert sorted(looked) == [f"f{number}" for number in range(10)]


def test_a_cursor_behind_the_end(dated) -> None:
    """The page behind the last one is empty, and leads back."""
    page = dated.page(State.FAILED, "0-", limit=4)
    assert (ids(page), page.first, page.older) == ([], 11, None)
    assert ids(dated.page(State.FAILED, page.newer, limit=4)) == ["f3", "f2", "f1", "f0"]


@pytest.mark.parametrize("cursor", ["x", "-", "1", "x-1", "-1-a", "9" * 30 + "-a", "٣-a", "1.5-a"])
def test_what_is_no_cursor(dated, cursor) -> None:
    """A cursor that no page has given is refused."""
    with pytest.raises(JobFormatError, match="no cursor of a list"):
        dated.page(State.FAILED, cursor)


def test_counts_by_time(dated, clock) -> None:
    """How many came in each step of a time, and the page of those that came before a moment."""
    assert dated.per_step(State.FAILED, clock.wall() - 12, 2, 5) == [0, 4, 4, 2, 0]
    assert ids(dated.page(State.FAILED, cursor_at(clock.wall() - 8.5))) == ["f3", "f2", "f1", "f0"]


def test_ids_by_their_beginning(dated, drop) -> None:
    """Ids that begin so are found in each folder, in their order, and no more than are wanted."""
    drop(State.DONE, "f5")
    with dated._folders.lock:
        dated._folders.look(State.DONE, ["f5"])
    assert dated.beginning("f5") == [(State.DONE, "f5"), (State.FAILED, "f5")]
    assert dated.beginning("f", 3) == [(State.DONE, "f5"), (State.FAILED, "f0"), (State.FAILED, "f1")]
    assert dated.beginning("g") == []


def test_a_listener_that_fails_is_called_no_more(dated) -> None:
    """It is named, the others are told, and one that is not wanted any more is not."""
    told: list[frozenset[str]] = []
    dated.subscribe(lambda _: 1 // 0)
    end = dated.subscribe(told.append)
    dated._tell(frozenset({"done"}))
    dated._tell(frozenset({"failed"}))
    end()
    end()
    dated._tell(frozenset({"pending"}))
    assert told == [frozenset({"done"}), frozenset({"failed"})]
    assert dated.problem.startswith("a listener of the index failed: ZeroDivisionError")
    assert dated.version == 3


def test_a_moment_is_a_time_and_an_id() -> None:
    """Two jobs that came at one moment are in the order of their ids."""
    assert Came(1, "a") < Came(1, "b") < Came(2, "a")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_large_spool(spool, listener) -> None:
    """With 100,000 jobs in failed/ and twice as many in done/ counts take 10 ms and any page 100 ms, at 200 bytes a name."""
    for state, count in ((State.FAILED, 100_000), (State.DONE, 200_000)):
        for number in range(count):
            os.close(os.open(spool.layout.job(state, f"20261123-174501-{number:06}-7f3a9c"), os.O_CREAT | os.O_WRONLY))
    with Index(spool.layout) as made:
        made.subscribe(listener)
        tracemalloc.start()
        listener.wait(lambda: not made._folders.unordered, 500.0)
        took, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert took < 200 * 300_000
        begun = time.perf_counter()
        assert made.counts() == counts(done=200_000, failed=100_000)
        assert time.perf_counter() - begun < 0.01
        cursor: str | None = None
        for _ in range(20):
            begun = time.perf_counter()
            page = made.page(State.FAILED, cursor)
            assert time.perf_counter() - begun < 0.1
            cursor = page.older
