"""What a job may know of itself, and the progress it tells."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.attempt import current_job as module
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.current_job import CurrentJob, asked_job, current_job, set_current_job
from spoolrunner.attempt.settings import Settings
from spoolrunner.system import clock as clock_module


def runs(spool, clock, job_id: str, number: int, meta: dict | None, seconds: float) -> None:
    """From now on that job runs here, with so many seconds for it."""
    told = Assignment(job_id, number, (1, 2, 3), "a", "b", [], seconds, None, meta)
    settings = Settings(spool.layout.root, "", False, 1 << 20, [], 60.0)
    module.job_runs(settings, spool.layout, told, clock.monotonic() + seconds)


def touch(path: str) -> None:
    with open(path, "wb"):
        pass


@pytest.fixture
def current(spool, monkeypatch, clock) -> CurrentJob:
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    monkeypatch.setattr(module, "_current", None)
    monkeypatch.setattr(module, "_told", None)
    runs(spool, clock, "x", 2, {"k": 1}, 60.0)
    return current_job()


def progress(spool) -> dict:
    with open(spool.layout.progress("x"), "rb") as stream:
        return orjson.loads(stream.read())


def test_current_job(current, clock) -> None:
    """A job knows its id, its attempt, its names, its meta and its deadline, with a time zone."""
    assert (current.id, current.attempt, current.meta) == ("x", 2, {"k": 1})
    assert (current.job, current.method) == ("a", "b")
    assert current.deadline.timestamp() == clock.wall() + 60
    assert current.deadline.tzinfo is not None
    assert current_job() is current
    set_current_job(None)
    assert current_job() is None


def test_a_job_without_meta(spool, current, clock) -> None:
    """A job whose document has no meta sees an empty one."""
    runs(spool, clock, "y", 1, None, 60.0)
    assert (current_job().id, current_job().meta) == ("y", {})


def test_a_job_that_asks_late(spool, current, clock) -> None:
    """What a job is told counts from its start, however late it asks."""
    runs(spool, clock, "y", 1, None, 60.0)
    clock.advance(50)
    assert current_job().deadline.timestamp() == clock.wall() + 10
    assert current_job().was_to_end is None
    clock.advance(10)
    assert current_job().was_to_end == "timed_out"


@pytest.mark.parametrize("asks", ["before", "after"])
def test_the_deadline_begins_anew(spool, current, clock, asks) -> None:
    """The timeout counts from the end of the import: the deadline is set when that has come, whoever has asked before."""
    runs(spool, clock, "y", 2, {"k": 1}, 60.0)
    job = current_job() if asks == "before" else None
    clock.advance(50)
    module.ends_at(clock.monotonic() + 20)
    clock.advance(5)
    job = job or current_job()
    assert job is current_job()
    assert (job.id, job.attempt, job.meta) == ("y", 2, {"k": 1})
    assert job.deadline.timestamp() == clock.wall() + 15
    clock.advance(14)
    assert job.was_to_end is None
    clock.advance(1)
    assert job.was_to_end == "timed_out"


def test_whether_the_job_saw_a_cancel(spool, current, clock) -> None:
    """A job saw the cancel if it asked after it was wanted; of one that never asked there is nothing to be seen."""
    touch(spool.layout.cancel("x"))
    assert not current.saw_cancel
    assert current.cancel_requested
    assert asked_job() is current
    assert current.saw_cancel
    runs(spool, clock, "x", 1, None, 60.0)
    assert asked_job() is None


def test_where_no_job_runs(current, clock) -> None:
    """In a process without a job there is none to be asked."""
    set_current_job(None)
    module.ends_at(clock.monotonic() + 5)
    assert (current_job(), asked_job()) == (None, None)


def test_what_a_failure_is_due_to(spool, current, clock) -> None:
    """Before the deadline a failure is the job's own, after it the timeout's; a cancel comes before both."""
    assert current.was_to_end is None
    clock.wall_now += 1e6  # somebody set the clock: the deadline is not kept by it
    assert current.was_to_end is None
    clock.advance(60)
    assert current.was_to_end == "timed_out"
    touch(spool.layout.cancel("x"))
    assert current.was_to_end == "cancelled"


@pytest.mark.parametrize(
    ("fraction", "text", "said"),
    [
        (0.5, "half", {"fraction": 0.5, "text": "half"}),
        (-1, "", {"fraction": 0.0, "text": ""}),
        (7, "", {"fraction": 1.0, "text": ""}),
        (0, "x" * 600, {"fraction": 0.0, "text": "x" * 500}),
        (0, 5, {"fraction": 0.0, "text": "5"}),
    ],
)
def test_progress(spool, current, fraction, text, said) -> None:
    """Progress is a fraction from 0 to 1 and a short text."""
    current.progress(fraction, text)
    assert progress(spool) == said


def test_progress_is_not_told_too_often(spool, current, clock) -> None:
    """Progress is told at most ten times a second, but the end of it always."""
    for fraction, text, told in ((0.1, "a", "a"), (0.2, "b", "a"), (1.0, "c", "c")):
        current.progress(fraction, text)
        assert progress(spool)["text"] == told
    clock.advance(0.1)
    current.progress(0.3, "d")
    assert progress(spool)["text"] == "d"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file \udc80", "file \\udc80"),
        ('a "quoted" \\ word', 'a "quoted" \\ word'),
        ("line\nbreak\t\0\x7f", "line\nbreak\t\0\x7f"),
        ("ü€𝄞\u2028", "ü€𝄞\u2028"),
    ],
)
def test_progress_with_odd_text(spool, current, text, said) -> None:
    """Progress is JSON whatever its text; only what no UTF-8 file can hold is escaped."""
    current.progress(0.5, text)
    assert progress(spool) == {"fraction": 0.5, "text": said}


@pytest.mark.parametrize("fraction", [float("nan"), float("inf"), float("-inf"), True, 10**30])
def test_progress_with_an_odd_fraction(spool, current, fraction) -> None:
    """Progress is a number from 0 to 1 whatever the job tells."""
    current.progress(fraction, "x")
    assert 0 <= progress(spool)["fraction"] <= 1


def test_cancel_requested(spool, current) -> None:
    """A cancel is seen as soon as it was asked for, and stays seen when it is taken back."""
    assert current.cancel_requested is False
    os.mkdir(spool.layout.cancel("x"))
    assert current.cancel_requested is False, "a folder asks for nothing"
    os.rmdir(spool.layout.cancel("x"))
    touch(spool.layout.cancel("x"))
    assert current.cancel_requested is True
    os.unlink(spool.layout.cancel("x"))
    assert current.cancel_requested is True


def test_whether_there_is_progress(spool, current) -> None:
    """What a job has left on the disk is told to who records the attempt, and has to remove that."""
    assert current.left_files == {}
    current.progress(0.5, "half")
    assert current.left_files == {"progress": "true"}
    assert current.step("one", str, 5) == "5"
    assert current.left_files == {"progress": "true", "steps": "true"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_progress_is_written_into_no_link_and_no_pipe(spool, current, clock, capsys, tmp_path) -> None:
    """Where something else lies at the name of its progress the job is told, not held up, and nothing is changed elsewhere."""
    path, precious = spool.layout.progress("x"), tmp_path / "precious"
    precious.write_text("kept")
    os.symlink(precious, path)
    current.progress(0.5, "half")
    assert precious.read_text() == "kept"
    os.unlink(path)
    os.mkfifo(path)
    clock.advance(1.0)
    current.progress(0.6, "more")
    assert capsys.readouterr().err.count("progress could not be written") == 2


def test_progress_that_cannot_be_told(spool, current, capsys) -> None:
    """Progress that the disk refuses is said and fails nothing."""
    os.rmdir(spool.layout.locks)
    current.progress(0.5, "half")
    assert "progress could not be written" in capsys.readouterr().err
