"""Editing a waiting job: what is changed, what is not, and why it is refused."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner import Job
from spoolrunner.client import edit as module
from spoolrunner.client.edit import Answer, edit
from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.settings import settings_in_force
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.states import State
from spoolrunner.spool import editing
from spoolrunner.system.times import parse_time

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot exchange two files")
SECRET = "ab" * 32


@pytest.fixture
def settings(home):
    return settings_in_force()


@pytest.fixture
def job(settings) -> Job:
    """A job waits."""
    return enqueue("app.Report", "build", [2026], id="x", at="2027-02-01T00:00:00Z", meta={"a": [1]})


def document(spool) -> dict:
    return jsontext.decode(spool.read(State.PENDING, "x").data)


def test_priority_time_and_parameters(settings, spool, job) -> None:
    """What is asked for is another, all else is as it was, and whoever waits for the job knows it again."""
    before, stamp = document(spool), spool.stamp(State.PENDING, "x")
    answer = edit(settings, "x", priority=7, at="2027-03-01T00:00:00Z", params={"year": 2027})
    assert answer == Answer(["next_run_at", "params", "priority"])
    after = document(spool)
    assert after.pop("replaces") == [list(stamp)]
    changed = {"priority": 7, "next_run_at": "2027-03-01T00:00:00Z", "params": {"year": 2027}}
    assert after == {**before, **changed}
    assert job.refresh().state == "pending"


def test_fields_are_taken_out(settings, spool, job) -> None:
    """A priority of None is that of the method, and a time of None is now."""
    edit(settings, "x", priority=7)
    assert edit(settings, "x", priority=None, at=None) == Answer(["next_run_at", "priority"])
    assert not {"priority", "next_run_at", "delay"} & set(document(spool))


def test_a_delay_counts_from_now(settings, spool, job, clock) -> None:
    """It is another way to say a time."""
    edit(settings, "x", delay="5m")
    assert parse_time(document(spool)["next_run_at"]) == clock.wall() + 300
    edit(settings, "x", delay=0)
    assert "next_run_at" not in document(spool)


def test_a_delay_of_the_producer_counts_on(settings, spool, drop, clock) -> None:
    """While its time is not changed the job is due when it was; when it is, the delay in the file goes."""
    drop(State.PENDING, "x", {"delay": 3600}, age=600.0)
    before = spool.stamp(State.PENDING, "x").mtime_ns
    assert edit(settings, "x", priority=1) == Answer(["priority"])
    assert (document(spool)["delay"], spool.stamp(State.PENDING, "x").mtime_ns) == (3600, before)
    assert edit(settings, "x", at="2027-03-01T00:00:00Z") == Answer(["delay", "next_run_at"])
    assert "delay" not in document(spool)


def test_every_other_byte_stays(settings, spool, drop) -> None:
    """What a person typed stays as it is, but for the note of which file it has replaced."""
    drop(State.PENDING, "x", b'{ "job":"app.Report",\n "method" : "build",  "params":[1.50] }\n')
    edit(settings, "x", priority=1)
    data = spool.read(State.PENDING, "x").data
    assert data.startswith(
        b'{ "job":"app.Report",\n "method" : "build",  "params":[1.50],  "priority":1,  "replaces":[['
    )
    assert data.endswith(b"]] }\n")


def test_nothing_to_change(settings, spool, job) -> None:
    """Values that it has already change nothing, and the file stays the one it is."""
    before = spool.stamp(State.PENDING, "x")
    assert edit(settings, "x", params=[2026]) == Answer([], "nothing in it would be another")
    assert spool.stamp(State.PENDING, "x") == before


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE, State.FAILED])
def test_a_job_that_does_not_wait(settings, drop, state) -> None:
    """Only a job that waits can be edited; where it lies is said."""
    drop(state, "x")
    assert edit(settings, "x", priority=1).problem == f"lies in {state}/; only a job that waits can be edited"


def test_a_job_that_is_nowhere(settings) -> None:
    """One that lies nowhere is said to."""
    assert edit(settings, "x", priority=1).problem == "lies in no folder of the spool"


def test_the_file_that_was_seen(settings, spool, job) -> None:
    """A file that was replaced since a person saw it is left alone."""
    inode = spool.stamp(State.PENDING, "x").inode
    assert edit(settings, "x", priority=1, inode=inode).problem == ""
    assert "changed by somebody else" in edit(settings, "x", priority=2, inode=inode).problem
    assert document(spool)["priority"] == 1


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        ({"priority": 5000}, "priority"),
        ({"priority": True}, "priority"),
        ({"at": "tomorrow"}, "next_run_at"),
        ({"at": "2027-03-01T00:00:00Z", "delay": 5}, "delay"),
        ({"delay": "5x"}, "delay"),
        ({"params": "text"}, "params"),
        ({"params": [object()]}, "params[0]"),
    ],
)
def test_what_would_be_refused(settings, spool, job, wanted, key) -> None:
    """A value that no job file may have is refused with its key, and nothing is changed."""
    before = spool.read(State.PENDING, "x")
    with pytest.raises(JobFormatError) as caught:
        edit(settings, "x", **wanted)
    assert caught.value.key == key
    assert spool.read(State.PENDING, "x") == before


def test_a_file_that_cannot_be_read(settings, drop) -> None:
    """Nothing is made of a torn file."""
    drop(State.PENDING, "x", b'{"job"')
    with pytest.raises(JobFormatError):
        edit(settings, "x", priority=1)


def test_a_job_that_is_not_allowed(settings, drop) -> None:
    """One that would be refused anyway is not made better."""
    drop(State.PENDING, "x", {"job": "app.Other"})
    with pytest.raises(NotAllowedError):
        edit(settings, "x", priority=1)


def test_parameters_of_a_command(home, drop) -> None:
    """They have to fit the words of the command."""
    home(allowed_jobs={"shell": {"echo": {"argv": ["echo", "{text}"]}}})
    drop(State.PENDING, "x", {"job": "shell", "method": "echo", "params": {"text": "a"}})
    with pytest.raises(JobFormatError, match="missing"):
        edit(settings_in_force(), "x", params={})
    assert edit(settings_in_force(), "x", params={"text": "b"}).problem == ""


@pytest.fixture
def signed(home, tmp_path):
    """A spool in which only signed files are run."""
    (tmp_path / "key").write_text(SECRET)
    home(signing_key="key")
    return settings_in_force()


def test_a_signed_job_is_signed_anew(signed, spool) -> None:
    """The edited file has a signature that fits."""
    enqueue("app.Report", "build", id="x")
    assert edit(signed, "x", priority=1).problem == ""
    data = spool.read(State.PENDING, "x").data
    assert signing.problem(bytes.fromhex(SECRET), "x", jsontext.decode(data), data) is None


def test_a_forged_job_is_not_signed(signed, spool, drop) -> None:
    """What nobody with the key has made gets no signature from us."""
    drop(State.PENDING, "x", {"signature": "0" * 64})
    before = spool.read(State.PENDING, "x")
    with pytest.raises(JobFormatError, match="does not fit"):
        edit(signed, "x", priority=1)
    assert spool.read(State.PENDING, "x") == before


def test_a_race_is_an_answer(settings, spool, job, monkeypatch) -> None:
    """A job that has gone, runs or was changed in that moment is left alone, and the answer says so."""
    for became in (editing.Edited.RUNS, editing.Edited.CHANGED):
        monkeypatch.setattr(module.editing, "exchange", lambda *_, became=became, **__: became)
        assert edit(settings, "x", priority=1) == Answer([], became.value)

    def claimed(*_, **__):
        spool.claim("x")
        return editing.Edited.GONE

    monkeypatch.setattr(module.editing, "exchange", claimed)
    assert edit(settings, "x", priority=1).problem == "lies in running/; only a job that waits can be edited"


def test_where_nothing_can_be_exchanged(settings, job, monkeypatch) -> None:
    """The answer says why, and what to do instead."""

    def refused(*_, **__):
        raise NotImplementedError("this file system cannot exchange two files in one step")

    monkeypatch.setattr(module.editing, "exchange", refused)
    problem = edit(settings, "x", priority=1).problem
    assert problem == (
        "a waiting job cannot be edited here: this file system cannot exchange two files in one step. "
        "Cancel it, and enqueue another"
    )


def test_an_id_that_leads_elsewhere(settings, tmp_path) -> None:
    """An id with a folder in it is refused."""
    with pytest.raises(JobFormatError):
        edit(settings, f"..{os.sep}x", priority=1)
