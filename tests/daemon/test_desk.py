"""The desk in Python, with a real dispatcher: what a program that enqueues sees of its jobs."""

from __future__ import annotations

import pytest

import spoolrunner
from spoolrunner.config.load import VARIABLE


@pytest.fixture
def served(home, monkeypatch):
    """A dispatcher runs, and this program finds its configuration."""
    monkeypatch.setenv(VARIABLE, str(home.folder / "config.json"))
    home.start().ready()
    return home


def test_a_result_is_waited_for(served):
    """A program gets what its job returned."""
    job = spoolrunner.enqueue("jobs", "echo", ["x"])
    assert job.state == "pending"
    assert job.result(timeout=30) == "x"
    assert job.state == "done"
    assert [attempt["outcome"] for attempt in job.attempts] == ["succeeded"]
    assert spoolrunner.get(job.id) == job


def test_a_failure_is_an_error_with_its_words(served):
    """A program learns how its job failed; what failed is found by its error, and runs again when it is asked to."""
    job = spoolrunner.enqueue("jobs", "fail", max_retries=0)
    with pytest.raises(spoolrunner.JobFailedError) as caught:
        job.result(timeout=30)
    assert caught.value.outcome == "failed"
    assert caught.value.traceback
    assert list(spoolrunner.jobs(state="failed", error=caught.value.type)) == [job]
    assert job.retry() is True
    with pytest.raises(spoolrunner.JobFailedError):
        job.result(timeout=30)
    assert len(job.attempts) == 2
    assert job.discard() is True
    assert list(spoolrunner.jobs()) == []
    with pytest.raises(spoolrunner.JobNotFoundError):
        spoolrunner.get(job.id)


def test_a_job_is_cancelled(served):
    """A program cancels a job that waits, and sees the effect in its result."""
    job = spoolrunner.enqueue("jobs", "noop", delay="1h")
    with pytest.raises(spoolrunner.WaitTimeoutError):
        job.wait(timeout=0.01)
    assert job.cancel() is True
    with pytest.raises(spoolrunner.JobFailedError) as caught:
        job.result(timeout=30)
    assert caught.value.outcome == "cancelled"
    assert job.cancel() is False
