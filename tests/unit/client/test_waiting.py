"""Waiting for several jobs: who is reported when, how often is looked, and what wakes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from types import SimpleNamespace

import pytest

from spoolrunner.client import waiting, waking
from spoolrunner.client.following import Follower
from spoolrunner.client.waiting import LONGEST_POLL, LONGEST_WATCHED, NOWHERE, until_over
from spoolrunner.errors import SpoolLayoutError
from spoolrunner.protocol.states import State
from spoolrunner.system import clock as clock_module

SOON = 20.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="events of files are Linux's")


@pytest.fixture
def meanwhile(clock, monkeypatch) -> SimpleNamespace:
    """A time that stands still but for pauses, without events: one of `acts` happens at each pause."""
    made = SimpleNamespace(acts=[], pauses=[])

    def sleep(seconds: float) -> None:
        made.pauses.append(seconds)
        clock.advance(seconds)
        if made.acts:
            made.acts.pop(0)()

    monkeypatch.setattr(clock, "sleep", sleep)
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    monkeypatch.setattr(waking, "open_watch", lambda: None)
    return made


def followers(spool, *names: str) -> list[Follower]:
    return [Follower(spool.layout, name) for name in names]


def move(spool, name: str, source: State, target: State) -> None:
    os.rename(spool.layout.job(source, name), spool.layout.job(target, name))


def record(spool, name: str, **changes) -> None:
    """Do with running/ID.json what a record does: another file takes its place."""
    path = spool.layout.job(State.RUNNING, name)
    with open(path, "rb") as stream:
        raw = json.load(stream)
    with open(path + ".new", "w", encoding="ascii") as stream:
        json.dump({**raw, **changes}, stream)
    os.replace(path + ".new", path)


def shown(ended) -> list[tuple[str, str | None]]:
    return [(one.follower.id, str(one.found.state) if one.found else None) for one in ended]


def test_each_is_reported_as_it_ends(spool, drop, meanwhile) -> None:
    """Jobs are reported in the order of their ends, however they end; those that are not over when the time is up are not."""
    for name in "abcde":
        drop(State.PENDING, name)
    drop(State.DONE, "over")
    meanwhile.acts = [
        lambda: move(spool, "c", State.PENDING, State.RUNNING),
        lambda: move(spool, "d", State.PENDING, State.FAILED),
        lambda: move(spool, "c", State.RUNNING, State.DONE),
        lambda: os.unlink(spool.layout.job(State.PENDING, "b")),
    ]
    found = shown(until_over(followers(spool, "a", "b", "c", "d", "over"), 60))
    assert found == [("over", "done"), ("d", "failed"), ("c", "done"), ("b", None)]


def test_the_pauses_grow(spool, drop, meanwhile) -> None:
    """Looks come after 5 ms at first, then ever more rarely, at last every five seconds; one more when the time is up."""
    drop(State.PENDING, "x")
    assert shown(until_over(followers(spool, "x"), 300)) == []
    assert meanwhile.pauses[0] == pytest.approx(0.005)
    assert max(meanwhile.pauses) == LONGEST_POLL
    assert sum(meanwhile.pauses) == pytest.approx(300)
    assert len(meanwhile.pauses) < 150


def test_a_look_is_cheap(spool, drop, meanwhile, monkeypatch) -> None:
    """While its file lies where it lay, nothing of a job is read."""
    drop(State.PENDING, "x")
    looks = []
    real = Follower.look
    monkeypatch.setattr(Follower, "look", lambda self, **how: looks.append(1) or real(self, **how))
    assert shown(until_over(followers(spool, "x"), 100)) == []
    assert len(looks) == 1


def test_a_move_is_no_end(spool, drop, meanwhile) -> None:
    """A job that is in no folder for a moment, as a move looks on some systems, has not been taken away."""
    path = drop(State.PENDING, "x")
    aside = path + ".aside"
    meanwhile.acts = [
        lambda: os.rename(path, aside),
        *[lambda: None] * 3,
        lambda: os.rename(aside, spool.layout.job(State.DONE, "x")),
    ]
    assert shown(until_over(followers(spool, "x"))) == [("x", "done")]
    assert sum(meanwhile.pauses) < NOWHERE


def test_a_job_that_was_taken_away(spool, drop, meanwhile) -> None:
    """A job that stays in no folder is reported as taken away, without a limit too; one behind a gap of names is found."""
    path, other = drop(State.PENDING, "x"), drop(State.PENDING, "y", {"key": "k"})
    meanwhile.acts = [
        lambda: (os.unlink(path), os.rename(other, spool.layout.job(State.DONE, "y~3"))),
    ]
    assert sorted(shown(until_over(followers(spool, "x", "y")))) == [("x", None), ("y", "done")]
    assert NOWHERE <= sum(meanwhile.pauses) < 2 * NOWHERE


def test_a_spool_that_is_gone_is_no_end_of_its_jobs(spool, drop, meanwhile) -> None:
    """When the folders are gone, as with a disk that was unmounted, that is an error, and no job counts as taken away."""
    drop(State.PENDING, "x")
    meanwhile.acts = [lambda: shutil.rmtree(spool.layout.root)]
    with pytest.raises(SpoolLayoutError, match="missing"):
        list(until_over(followers(spool, "x")))


def test_a_job_that_never_stands_still(spool, drop, meanwhile, monkeypatch) -> None:
    """A job that moves at each look is looked at again after a pause, and not for ever at once."""
    drop(State.PENDING, "x")
    monkeypatch.setattr(waiting._Pursued, "may_have_moved", lambda _self: True)
    assert shown(until_over(followers(spool, "x"), 1)) == []
    assert len(meanwhile.pauses) > 5


@on_linux
def test_it_is_woken(spool, drop) -> None:
    """Who waits is woken by the end of the job, from folder to folder, and does not come to the next look by itself."""
    drop(State.PENDING, "x", {"key": "k"})
    drop(State.PENDING, "y")
    acts = [
        lambda: move(spool, "x", State.PENDING, State.RUNNING),
        lambda: record(spool, "x", attempts=[{"verdict": "retry"}]),
        lambda: move(spool, "x", State.RUNNING, State.PENDING),
        lambda: move(spool, "x", State.PENDING, State.RUNNING),
        lambda: record(spool, "x", attempts=[{"verdict": "done"}]),
        lambda: move(spool, "x", State.RUNNING, State.DONE),
        lambda: os.unlink(spool.layout.job(State.PENDING, "y")),
    ]
    looked = threading.Semaphore(0)
    found: list = []
    real = waking.Listener.wait

    def wait(self: waking.Listener, seconds: float) -> set[int]:
        looked.release()
        return real(self, SOON if seconds > 1.0 else seconds)  # as if it had waited for long

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waking.Listener, "wait", wait)
        patch.setattr(waiting, "FIRST_PAUSE", SOON)
        thread = threading.Thread(target=lambda: found.extend(shown(until_over(followers(spool, "x", "y"), SOON))))
        thread.start()
        for act in acts:
            assert looked.acquire(timeout=SOON)
            act()
        thread.join(SOON / 2)
        assert not thread.is_alive()
    assert found == [("x", "done"), ("y", None)]


@on_linux
def test_what_is_reported_is_looked_at_rarely(spool, drop, clock, monkeypatch) -> None:
    """While events come, a job is looked at ever more rarely; where other hosts move files too, as without events."""
    pauses = []
    monkeypatch.setattr(clock_module, "SYSTEM", clock)

    def wait(_self: waking.Listener, seconds: float) -> set[int]:
        pauses.append(seconds)
        clock.advance(seconds)
        return set()

    monkeypatch.setattr(waking.Listener, "wait", wait)
    drop(State.PENDING, "x")
    waiting._is_remote.cache_clear()
    assert shown(until_over(followers(spool, "x"), 1000)) == []
    assert max(pauses) == LONGEST_WATCHED
    assert len(pauses) < 60
    pauses.clear()
    waiting._is_remote.cache_clear()
    monkeypatch.setattr(waiting.mounts, "file_system", lambda _path: "nfs4")
    assert shown(until_over(followers(spool, "x"), 1000)) == []
    assert max(pauses) == LONGEST_POLL
    waiting._is_remote.cache_clear()
