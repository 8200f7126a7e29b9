"""What an operator may do: what each act leaves on the disk, and what it answers."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.client import operate
from spoolrunner.client.operate import CancelEnd, Retried
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.system import clock as clock_module
from spoolrunner.system import owners

KEY = b"k" * 32
LATE = {"expires_at": "2020-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def world(clock, monkeypatch) -> None:
    """Time is the test's."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)


def document(spool, state: State, job_id: str = "x") -> dict:
    with open(spool.layout.job(state, job_id), "rb") as stream:
        return json.load(stream)


@pytest.mark.parametrize("state", [State.FAILED, State.DONE])
def test_retry(spool, drop, state) -> None:
    """A job in failed/ or done/ goes back to pending/, its history with it; the answer names where it lay."""
    drop(state, "x", {"attempts": [1]})
    assert operate.retry(spool.layout, "x", None) == Retried(state)
    assert document(spool, State.PENDING)["attempts"] == [1]
    assert operate.retry(spool.layout, "x", None) == Retried()


def test_retry_beside_one_that_waits(spool, drop) -> None:
    """While another job of the id waits nothing is moved, and the answer is that."""
    drop(State.FAILED, "x")
    drop(State.PENDING, "x")
    assert operate.retry(spool.layout, "x", None) == Retried(is_taken=True)


def test_retry_of_an_expired_job(spool, drop) -> None:
    """A job that expired loses its expiry, and its reason."""
    drop(State.FAILED, "x", LATE)
    spool.explain("x", Outcome.EXPIRED, "late", "pending/x.json", 0.0)
    assert operate.retry(spool.layout, "x", None) == Retried(State.FAILED, lost_expiry=True)
    assert "expires_at" not in document(spool, State.PENDING)
    assert os.listdir(spool.layout.folder(State.FAILED)) == []


@pytest.mark.parametrize("is_signed", [True, False])
def test_retry_of_an_expired_job_with_a_key(spool, drop, is_signed) -> None:
    """Where job files are signed it is signed anew, unless it was not signed: then it stays as it is, to be refused."""
    raw = {"job": "app.Report", "method": "build", **LATE}
    drop(State.FAILED, "x", signing.sign(KEY, "x", raw) if is_signed else jsontext.encode(raw))
    spool.explain("x", Outcome.EXPIRED, "late", "pending/x.json", 0.0)
    assert operate.retry(spool.layout, "x", KEY) == Retried(State.FAILED, lost_expiry=is_signed)
    data = spool.read(State.PENDING, "x").data
    assert (signing.problem(KEY, "x", jsontext.decode(data), data) is None) is is_signed
    assert ("expires_at" in jsontext.decode(data)) is not is_signed


def test_a_race_for_a_retry_is_an_answer(spool, drop, monkeypatch) -> None:
    """A job that a person takes away between the look and the move was not moved."""
    drop(State.FAILED, "x")
    monkeypatch.setattr(operate.Spool, "put_back", lambda *_: False)
    assert operate.retry(spool.layout, "x", None) == Retried()


def test_a_part_is_paused(config, spool) -> None:
    """A method or a group is paused by a file, and what there is not is refused with what was meant."""
    settings = config()
    operate.pause_part(settings, "app.Report.build")
    operate.pause_part(settings, "group-mail")
    assert sorted(os.listdir(spool.layout.control)) == ["pause-app.Report.build", "pause-group-mail"]
    with pytest.raises(JobFormatError, match=r"did you mean 'app\.Report\.build'"):
        operate.pause_part(settings, "app.Report.biuld")
    assert operate.resume_part(spool.layout, "group-mail")
    assert not operate.resume_part(spool.layout, "group-mail")


@pytest.mark.parametrize("how", ["another name", "permissions", "owner"])
def test_what_its_producer_may_still_change_is_not_signed(spool, drop, tmp_path, how) -> None:
    """A file that others can write into becomes one of ours first, to be read again; what they write later is not signed."""
    path = drop(State.FAILED, "x", {"meta": {"a": 1}})
    os.chmod(path, 0o620 if how == "permissions" else 0o600)
    if how == "owner":
        if owners.effective_user() != 0:
            pytest.skip("only root can give a file to another user")
        os.chown(path, 54321, -1)
    if how == "another name":
        os.link(path, tmp_path / "kept")
    before = spool.read(State.FAILED, "x").data
    with pytest.raises(JobFormatError, match="read it again"):
        operate.sign(spool.layout, "x", KEY)
    data = spool.read(State.FAILED, "x").data
    assert data == before
    with open(tmp_path / "kept" if how == "another name" else tmp_path / "other", "wb") as stream:
        stream.write(before.replace(b"1", b"2"))
    assert operate.sign(spool.layout, "x", KEY) is True
    data = spool.read(State.FAILED, "x").data
    assert jsontext.decode(data)["meta"] == {"a": 1}
    assert signing.problem(KEY, "x", jsontext.decode(data), data) is None


def test_sign(spool, drop) -> None:
    """A job in failed/ is signed in its place; one that is gone is not, and one that is no JSON is an error."""
    drop(State.FAILED, "x")
    assert operate.sign(spool.layout, "x", KEY) is True
    data = spool.read(State.FAILED, "x").data
    assert signing.problem(KEY, "x", jsontext.decode(data), data) is None
    assert operate.sign(spool.layout, "y", KEY) is False
    drop(State.FAILED, "z", b"torn")
    with pytest.raises(JobFormatError):
        operate.sign(spool.layout, "z", KEY)


@pytest.mark.parametrize("state", State)
def test_cancel(spool, drop, state) -> None:
    """A cancel is asked for by a file when the job waits or runs, and not otherwise."""
    drop(state, "x")
    is_active = state in (State.PENDING, State.RUNNING)
    assert (operate.cancel(spool.layout, "x") is not None) is is_active
    assert os.path.exists(spool.layout.cancel("x")) is is_active


def ended(outcome: str) -> dict:
    return {"attempts": [{"number": 1, "outcome": outcome}]}


@pytest.fixture
def answer_to(spool, drop, clock, monkeypatch):
    """Ask for a cancel of x, let `steps` happen one after the other while it is waited for, and return the answer."""

    def ask(*steps) -> tuple:
        request = operate.cancel(spool.layout, "x")
        left = list(steps)

        def sleep(seconds: float) -> None:
            clock.advance(seconds)
            if left:
                left.pop(0)()

        monkeypatch.setattr(clock, "sleep", sleep)
        assert request is not None
        begun = clock.monotonic()
        answer = operate.await_cancel(spool.layout, request, 5)
        assert clock.monotonic() - begun <= 5.1
        return answer

    return ask


@pytest.fixture
def steps(spool, drop):
    """What happens to x, each a function."""

    class Steps:
        forget = staticmethod(lambda: os.unlink(spool.layout.cancel("x")))
        vanish = staticmethod(lambda: os.unlink(spool.layout.job(State.RUNNING, "x")))

        @staticmethod
        def arrive(state: State, outcome: str, name: str = "x"):
            return lambda: drop(state, name, ended(outcome))

    return Steps()


@pytest.mark.parametrize(
    ("state", "outcome", "answer"),
    [
        (State.FAILED, "cancelled", CancelEnd.CANCELLED),
        (State.FAILED, "failed", CancelEnd.ENDED),
        (State.FAILED, "timed_out", CancelEnd.ENDED),
        (State.DONE, "succeeded", CancelEnd.ENDED),
    ],
)
@pytest.mark.parametrize("name", ["x", "x~2", "x~3"])
def test_what_became_of_a_cancel_is_what_was_recorded(drop, answer_to, steps, state, outcome, answer, name) -> None:
    """Neither the folder nor the name decides, nor what lay there before; a job on its way may be in no folder for a moment."""
    drop(State.RUNNING, "x")
    for taken in {"x": [], "x~2": ["x"], "x~3": ["x", "x~2"]}[name]:
        for other in (State.FAILED, State.DONE):
            drop(other, taken, ended("cancelled" if outcome != "cancelled" else "failed"))
    nothing = lambda: None  # noqa: E731
    given = answer_to(steps.forget, steps.vanish, nothing, nothing, steps.arrive(state, outcome, name))
    assert given == (answer, outcome)


def test_a_job_that_was_refused_as_cancelled(spool, drop, answer_to, steps) -> None:
    """Of one that never ran the reason says that it was cancelled; another of its id may wait by then."""
    drop(State.RUNNING, "x")

    def refuse() -> None:
        os.rename(spool.layout.job(State.RUNNING, "x"), spool.layout.job(State.FAILED, "x"))
        spool.explain("x", Outcome.CANCELLED, "before it started", "", 0.0)
        drop(State.PENDING, "x")

    assert answer_to(refuse) == (CancelEnd.CANCELLED, "cancelled")


def test_a_cancel_that_is_not_carried_out(drop, answer_to) -> None:
    """It stands when the time is up."""
    drop(State.RUNNING, "x")
    assert answer_to() == (CancelEnd.STANDS, None)


def test_a_job_that_was_taken_away(drop, answer_to, steps) -> None:
    """A job that is in no folder for two seconds was removed by somebody."""
    drop(State.RUNNING, "x")
    assert answer_to(steps.vanish, steps.forget) == (CancelEnd.GONE, None)


def test_running(spool, drop) -> None:
    """What runs is what lies in running/."""
    drop(State.RUNNING, "b")
    drop(State.RUNNING, "a")
    drop(State.PENDING, "c")
    assert operate.running(spool.layout) == ["a", "b"]


@pytest.mark.parametrize("others", [[], [State.PENDING]])
def test_remove(spool, drop, others) -> None:
    """A job goes with its reason, and with its log unless another job of that id is left."""
    for state in (State.FAILED, *others):
        drop(state, "x")
    spool.explain("x", Outcome.REJECTED, "", "", 0.0)
    with open(spool.layout.log("x"), "wb"):
        pass
    assert operate.remove(spool.layout, State.FAILED, "x") is True
    assert os.listdir(spool.layout.folder(State.FAILED)) == []
    assert os.path.exists(spool.layout.log("x")) is bool(others)
    assert operate.remove(spool.layout, State.FAILED, "x") is False


def test_pause_and_resume(spool) -> None:
    """A pause is a file, and is taken back once."""
    operate.pause(spool.layout)
    assert os.listdir(spool.layout.control) == ["pause"]
    assert [operate.resume(spool.layout), operate.resume(spool.layout)] == [True, False]


@pytest.mark.parametrize(("leave_running", "text"), [(False, ""), (True, "leave-running\n")])
def test_stop(spool, leave_running, text) -> None:
    """A stop is a file, which may say that the jobs are to run on."""
    operate.stop(spool.layout, leave_running=leave_running)
    with open(spool.layout.stop, encoding="ascii") as stream:
        assert stream.read() == text


def test_await_stop(spool) -> None:
    """A dispatcher that does not serve the spool any more has stopped."""
    assert operate.await_stop(spool.layout, {"pid": 1}, 5) is True
