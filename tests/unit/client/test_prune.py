"""What is kept no longer is found by when it ended, in our own words or by the system's time."""

from __future__ import annotations

import os
import time

import pytest

from spoolrunner.client.prune import not_kept, outdated, sweep_leftovers
from spoolrunner.client.settings import settings_in_force
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import arrival, step_files
from spoolrunner.spool.retention import Keep

RECORDED = {"attempts": [{"number": 1, "ended_at": "2026-11-01T00:00:00Z"}, {"ended_at": "2026-11-23T12:00:00Z"}]}
"""The attempts of a document, which ended last at `ENDED`."""
ENDED = 1795435200.0


def ended_before(layout, state, moment) -> list[str]:
    """The ids of those that ended before that moment."""
    return not_kept(layout, state, Keep(0.0), moment)


@pytest.mark.usefixtures("arrived_as_written")
def test_outdated(home, drop) -> None:
    """Jobs older than keep_done and keep_failed are found, those that wait or run are not."""
    home(keep_done="1h", keep_failed="2h")
    for state in State:
        drop(state, "old", age=5400)
        drop(state, "older", age=9000)
        drop(state, "new", age=60)
    assert list(outdated(settings_in_force())) == [
        (State.DONE, "old"),
        (State.DONE, "older"),
        (State.FAILED, "older"),
    ]


@pytest.mark.usefixtures("arrived_as_written")
def test_what_a_waiting_job_names_is_kept(home, drop) -> None:
    """What a waiting job names in its `after` is kept, also as ID~2; what a job names that has started is not."""
    home(keep_done="1h", keep_failed="1h")
    for name in ("a", "a~2", "b", "c"):
        drop(State.DONE, name, age=5400)
    drop(State.PENDING, "x", {"after": ["a"]})
    drop(State.PENDING, "y", {"after": ["b"], "attempts": [{"number": 1, "outcome": "failed", "verdict": "retry"}]})
    assert list(outdated(settings_in_force())) == [(State.DONE, "b"), (State.DONE, "c")]


@pytest.mark.usefixtures("arrived_as_written")
def test_only_job_files_are_found(spool, drop, clock) -> None:
    """What is no regular file, or not named as a job, is left alone."""
    drop(State.DONE, "x", age=100)
    folder = spool.layout.folder(State.DONE)
    os.mkdir(os.path.join(folder, "folder.json"))
    for name in (".hidden.json", "notes.txt"):
        os.link(spool.layout.job(State.DONE, "x"), os.path.join(folder, name))
    assert ended_before(spool.layout, State.DONE, clock.wall()) == ["x"]


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_the_time_of_change_is_not_believed(spool, drop, state) -> None:
    """A producer's file may have any mtime: what came just now is not old, and what came long ago not young."""
    now = time.time()
    for name, mtime in (("old", 0), ("ahead", now + 1e8)):
        os.utime(drop(state, name), (mtime, mtime))
    assert ended_before(spool.layout, state, now - 60) == []
    assert ended_before(spool.layout, state, now + 60) == ["ahead", "old"]


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_our_record_says_when_it_ended(spool, drop, state) -> None:
    """A file that was restored from a backup came just now, but its record says when the job ended."""
    drop(state, "x", RECORDED)
    assert ended_before(spool.layout, state, ENDED + 1) == ["x"]
    assert ended_before(spool.layout, state, ENDED - 1) == []


def test_a_refused_file_says_what_its_producer_wants(spool, drop) -> None:
    """Attempts in a file that was refused are no record of ours: it is as old as its stay in failed/."""
    drop(State.FAILED, "x", RECORDED)
    spool.explain("x", Outcome.REJECTED, "", "", 0.0)
    assert ended_before(spool.layout, State.FAILED, ENDED + 1) == []
    assert ended_before(spool.layout, State.FAILED, time.time() + 60) == ["x"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"attempts": 5}', b'{"attempts": []}', b'{"attempts": [5]}', b'{"attempts": [{"ended_at": 5}]}',
     b'{"attempts": [{}]}', b'{"attempts": [{"ended_at": "yesterday"}]}'],
)  # fmt: skip
def test_what_is_no_record(spool, drop, content) -> None:
    """A file whose end cannot be read from it is as old as its stay there."""
    drop(State.DONE, "x", content)
    assert ended_before(spool.layout, State.DONE, time.time() - 60) == []
    assert ended_before(spool.layout, State.DONE, time.time() + 60) == ["x"]


def test_sweep_leftovers(home, spool, clock, monkeypatch) -> None:
    """A reason without a job is removed when it is an hour old, since a fresh one's job may be on its way."""
    monkeypatch.setattr(arrival, "came_at_ns", lambda status: status.st_mtime_ns)
    for name, age in (("old", 3700), ("fresh", 3500)):
        spool.explain(name, Outcome.REJECTED, "", "", 0.0)
        os.utime(spool.layout.reason(name), (clock.wall() - age, clock.wall() - age))
    assert sweep_leftovers(settings_in_force()) == 1
    assert os.listdir(spool.layout.folder(State.FAILED)) == ["fresh.reason"]


@pytest.mark.usefixtures("arrived_as_written")
def test_steps_that_are_left_over(home, spool, clock) -> None:
    """Steps without a job are removed when they are a day old: a person may have taken the job out to mend it."""
    day = 86400
    for name, age in (("old", day + 100), ("fresh", day - 100)):
        path = spool.layout.step_file(name)
        step_files.begin(spool.layout, path, step_files.first_line("k", "a", "b", "0"), fsync=False)
        os.utime(path, (clock.wall() - age, clock.wall() - age))
    assert sweep_leftovers(settings_in_force()) == 1
    assert step_files.names(spool.layout) == ["fresh"]


@pytest.mark.usefixtures("arrived_as_written")
def test_count_and_age(spool, drop, clock) -> None:
    """The oldest go beyond the count, and whatever is too old, whichever comes first; a count of 0 keeps nothing."""
    for age in (10, 20, 30, 40):
        drop(State.DONE, f"a{age}", age=age)

    def let_go(keep: Keep) -> list[str]:
        return not_kept(spool.layout, State.DONE, keep, clock.wall())

    assert let_go(Keep(count=3)) == ["a40"]
    assert let_go(Keep(age=25, count=3)) == ["a30", "a40"]
    assert let_go(Keep(age=100, count=1)) == ["a20", "a30", "a40"]
    assert let_go(Keep(count=0)) == ["a10", "a20", "a30", "a40"]
    assert let_go(Keep(count=4)) == []
    assert let_go(Keep()) == []


def test_the_count_goes_by_our_record(spool, drop) -> None:
    """A copy that was restored just now is the oldest, if its record says so."""
    drop(State.DONE, "restored", RECORDED)
    drop(State.DONE, "new")
    os.utime(spool.layout.job(State.DONE, "new"))
    assert not_kept(spool.layout, State.DONE, Keep(count=1), time.time() + 60) == ["restored"]
