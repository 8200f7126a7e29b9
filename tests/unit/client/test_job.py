"""A job as programs hold it: its looks, its end, its result."""

from __future__ import annotations

import json
import os
import pickle
from datetime import UTC, datetime

import pytest

from spoolrunner.client import waking
from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.job import Job
from spoolrunner.errors import (
    ConfigError,
    DuplicateJobError,
    JobFailedError,
    JobNotFoundError,
    ResultDroppedError,
    SpoolRunnerError,
    WaitTimeoutError,
)
from spoolrunner.protocol.states import Outcome, State

ERROR = {"type": "ValueError", "message": "no such year", "traceback": "line 1"}
pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def job() -> Job:
    """A job that was just enqueued."""
    return enqueue("app.Report", "build", (1, (2,)), id="x")


def move(spool, source: State, target: State, name: str = "x", **changes) -> None:
    """Do what a dispatcher does with the file of x, and write these keys into it."""
    path = spool.layout.job(source, "x")
    with open(path, "rb") as stream:
        raw = json.load(stream)
    with open(path, "w", encoding="ascii") as stream:
        json.dump({**raw, **changes}, stream)
    os.rename(path, spool.layout.job(target, name))


def attempts(*outcomes: str, **last) -> list[dict]:
    made = [{"number": number, "outcome": outcome} for number, outcome in enumerate(outcomes, 1)]
    return [*made[:-1], {**made[-1], **last}]


class Meanwhile:
    """What happens while somebody waits: one of `acts` at each pause. `pauses` are those made, in seconds."""

    def __init__(self, clock) -> None:
        self.acts: list = []
        self.pauses: list[float] = []
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._clock.advance(seconds)
        if self.acts:
            self.acts.pop(0)()


@pytest.fixture
def meanwhile(clock, monkeypatch) -> Meanwhile:
    """Acts are put into it before the wait."""
    made = Meanwhile(clock)
    monkeypatch.setattr(clock, "sleep", made.sleep)
    monkeypatch.setattr(waking, "open_watch", lambda: None)
    return made


def test_a_job_is_a_value() -> None:
    """Two jobs of one id and one spool are equal, whatever they have seen."""
    assert Job("x", "/spool") == Job("x", "/spool")
    assert Job("x", "/spool") != Job("y", "/spool")
    assert len({Job("x", "/spool"), Job("x", "/spool")}) == 1
    assert repr(Job("x", "/spool")) == "Job(id='x', root='/spool')"


def test_what_enqueue_returns_is_known_without_a_look(spool, job) -> None:
    """A job that was just enqueued knows its state and its document as it was published, until it looks."""
    os.unlink(spool.layout.job(State.PENDING, "x"))
    assert job.state == "pending"
    assert job.document["params"] == [1, [2]]
    assert job.created_at == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert job.attempts == []
    assert job.refresh().state is None


def test_state_and_document_are_of_one_look(spool, job) -> None:
    """What a look found stays as it is until the next look, all of it."""
    job.refresh()
    move(spool, State.PENDING, State.DONE, result=5, attempts=attempts("succeeded"))
    assert (job.state, job.attempts, "result" in job.document) == ("pending", [], False)
    assert job.refresh() is job
    assert (job.state, len(job.attempts), job.document["result"]) == ("done", 1, 5)


def test_a_job_by_its_name_looks_when_it_is_asked(spool, drop) -> None:
    """A job that was made from id and folder looks at its first question."""
    job = Job("x", spool.layout.root)
    drop(State.FAILED, "x", b"torn")
    assert (job.state, job.document, job.created_at) == ("failed", None, None)
    assert "JSON" in job.problem


def test_a_job_nowhere(spool) -> None:
    """A job that is nowhere has no state and no document."""
    job = Job("x", spool.layout.root)
    assert (job.state, job.document, job.problem, job.attempts, job.created_at) == (None, None, "", [], None)


def test_a_time_that_is_none(spool, drop) -> None:
    """A file whose time of creation is none has none."""
    drop(State.PENDING, "x", {"created_at": "yesterday"})
    assert Job("x", spool.layout.root).created_at is None


@pytest.mark.parametrize("end", [State.DONE, State.FAILED])
def test_wait(spool, job, meanwhile, end) -> None:
    """A wait ends when the job is done or failed for good; one that will be tried again goes on being waited for."""
    meanwhile.acts = [
        lambda: move(spool, State.PENDING, State.RUNNING),
        lambda: move(spool, State.RUNNING, State.PENDING, attempts=attempts("failed", verdict="retry")),
        lambda: move(spool, State.PENDING, State.RUNNING),
        lambda: move(spool, State.RUNNING, end),
    ]
    assert job.wait(timeout=60) == end.value
    assert job.state == end.value
    assert len(meanwhile.pauses) == 4


def test_a_wait_whose_time_is_up(job, meanwhile) -> None:
    """When the time is up the wait ends with an error that says where the job is, to the moment."""
    with pytest.raises(WaitTimeoutError) as caught:
        job.wait(timeout=10)
    assert sum(meanwhile.pauses) == pytest.approx(10)
    assert (caught.value.job_id, caught.value.state, caught.value.timeout) == ("x", "pending", 10)
    assert caught.value.exit_code == 124


def test_a_wait_of_no_time_looks_once(spool, job, meanwhile) -> None:
    """A wait of 0 seconds is one look."""
    with pytest.raises(WaitTimeoutError):
        job.wait(timeout=0)
    move(spool, State.PENDING, State.DONE)
    assert job.wait(timeout=0) == "done"
    assert meanwhile.pauses == []


def test_a_wait_for_what_was_removed(spool, job, meanwhile) -> None:
    """A job whose file is removed while somebody waits, without a limit, is an error: it would be waited for for ever."""
    meanwhile.acts = [lambda: os.unlink(spool.layout.job(State.PENDING, "x"))]
    with pytest.raises(JobNotFoundError):
        job.wait()
    with pytest.raises(JobNotFoundError):
        job.wait(timeout=0)


def test_a_wait_is_for_this_publication(spool, job, drop, meanwhile) -> None:
    """An earlier job of the same id that lies in done/ ends no wait; the job is followed to ID~2."""
    drop(State.DONE, "x", {"created_at": "2020-01-01T00:00:00Z", "result": "old"})
    meanwhile.acts = [
        lambda: move(spool, State.PENDING, State.RUNNING),
        lambda: move(spool, State.RUNNING, State.DONE, "x~2", result="new"),
    ]
    assert job.result(timeout=60) == "new"


def test_a_later_job_of_the_id_is_another(spool, job, clock, meanwhile) -> None:
    """A job that is published under the same id at the same moment, when this one is over, is another."""
    move(spool, State.PENDING, State.DONE, result="first")
    later = enqueue("app.Report", "build", id="x")
    assert later.created_at == job.created_at
    assert job.result() == "first"
    with pytest.raises(WaitTimeoutError):
        later.wait(timeout=1)


def test_a_retry_by_hand_after_the_end(spool, job, meanwhile) -> None:
    """A job that is moved back to pending/ is waited for again, to its next end."""
    move(spool, State.PENDING, State.FAILED, attempts=attempts("failed"))
    assert job.wait(timeout=1) == "failed"
    os.rename(spool.layout.job(State.FAILED, "x"), spool.layout.job(State.PENDING, "x"))
    meanwhile.acts = [lambda: move(spool, State.PENDING, State.DONE, result=5, attempts=attempts("succeeded"))]
    assert job.result(timeout=60) == 5


@pytest.mark.parametrize("value", [None, 0, "text", {"a": [1]}])
def test_result(spool, job, value) -> None:
    """The result of a job that is done is what it returned; of one that returned nothing it is None."""
    kept = {} if value is None else {"result": value}
    move(spool, State.PENDING, State.DONE, attempts=attempts("succeeded"), **kept)
    assert job.result() == value


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (attempts("failed", "succeeded", result_dropped="set is no JSON"), "set is no JSON"),
        (attempts("failed"), "by hand"),
        ([], "by hand"),
    ],
)
def test_a_result_that_was_not_kept(spool, job, made, why) -> None:
    """A job that is done, and whose value was not kept, has an error that says why, and not None for a result."""
    move(spool, State.PENDING, State.DONE, attempts=made)
    with pytest.raises(ResultDroppedError, match=why) as caught:
        job.result()
    assert caught.value.job_id == "x"


def test_a_result_that_cannot_be_read(spool, job) -> None:
    """A file in done/ that cannot be read has no result, and the error says what is wrong with it."""
    os.unlink(spool.layout.job(State.PENDING, "x"))
    with open(spool.layout.job(State.DONE, "x"), "wb") as stream:
        stream.write(b"torn")
    with pytest.raises(ResultDroppedError, match="JSON"):
        job.result()


def test_result_of_a_job_that_failed(spool, job) -> None:
    """A job that failed for good raises what it raised, in words."""
    move(spool, State.PENDING, State.FAILED, attempts=attempts("failed", "failed", error=ERROR))
    with pytest.raises(JobFailedError, match="'x' failed: ValueError: no such year") as caught:
        job.result()
    failed = caught.value
    assert (failed.job_id, failed.outcome, failed.type) == ("x", "failed", "ValueError")
    assert (failed.message, failed.traceback) == ("no such year", "line 1")


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.REJECTED, Outcome.EXPIRED])
def test_result_of_a_job_that_never_ran(spool, job, outcome) -> None:
    """A job that was refused or cancelled before it ran raises the outcome and the reason of its ID.reason."""
    spool.refuse("x", State.PENDING, outcome, "the reason", "pending/x.json", 0.0)
    with pytest.raises(JobFailedError) as caught:
        job.result()
    assert (caught.value.outcome, caught.value.type, caught.value.message) == (outcome.value, "", "the reason")


def test_result_of_a_job_that_says_nothing(spool, job) -> None:
    """A job that a person moved to failed/ says no outcome."""
    move(spool, State.PENDING, State.FAILED)
    with pytest.raises(JobFailedError, match="'x' lies in failed/") as caught:
        job.result()
    assert caught.value.outcome == ""


def test_retry(spool, job, clock) -> None:
    """A job that is over goes back to pending/; one that is not, or is nowhere, does not move."""
    assert job.retry() is False
    move(spool, State.PENDING, State.FAILED)
    assert job.retry() is True
    assert job.refresh().state == "pending"
    move(spool, State.PENDING, State.DONE)
    clock.advance(1)
    later = enqueue("app.Report", "build", id="x")
    with pytest.raises(DuplicateJobError):
        job.retry()
    assert (job.refresh().state, later.refresh().state, later.retry()) == ("done", "pending", False)


def test_retry_by_another_configuration(home, tmp_path) -> None:
    """A job of another spool than that of the configuration in force is not retried by its rules."""
    with pytest.raises(ConfigError, match="and the job of"):
        Job("x", str(tmp_path / "elsewhere")).retry()


def test_cancel(spool, job) -> None:
    """A cancel of a job that waits is asked for; of one that is over it is not."""
    assert job.cancel() is True
    assert os.path.exists(spool.layout.cancel("x"))
    os.unlink(spool.layout.cancel("x"))
    move(spool, State.PENDING, State.DONE)
    assert job.cancel() is False
    assert not os.path.exists(spool.layout.cancel("x"))


def test_discard(spool, job, drop) -> None:
    """A job that is over or waits is removed, under the name it has there; one that runs is not."""
    drop(State.DONE, "x", {"created_at": "2020-01-01T00:00:00Z"})
    waits = enqueue("app.Report", "build", id="y")
    assert waits.discard() is True
    assert waits.discard() is False
    move(spool, State.PENDING, State.RUNNING)
    assert job.discard() is False
    move(spool, State.RUNNING, State.DONE, "x~2")
    assert job.discard() is True
    assert os.listdir(spool.layout.folder(State.DONE)) == ["x.json"]
    assert job.refresh().state is None


@pytest.mark.parametrize(
    "error",
    [
        JobNotFoundError("x"),
        WaitTimeoutError("x", "running", 5.0),
        ResultDroppedError("x", "set is no JSON"),
        JobFailedError("x", "failed", "ValueError", "no", "line"),
    ],
)
def test_errors_travel_between_processes(error) -> None:
    """An error that is pickled, as a pool of processes does, keeps its fields and its text."""
    again = pickle.loads(pickle.dumps(error))
    assert (vars(again), str(again)) == (vars(error), str(error))
    assert isinstance(again, SpoolRunnerError)


def test_a_job_travels_between_processes(spool, job) -> None:
    """A job that is pickled, or copied, knows what it knew."""
    again = pickle.loads(pickle.dumps(job))
    assert (again, again.state, again.document) == (job, "pending", job.document)
