"""The record of an attempt: its shape, what it changes in the document, and how it is committed."""

from __future__ import annotations

import os
import socket

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol import document, jsontext, signing
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Outcome, State, Verdict
from spoolrunner.spool import record

NOW = 1_800_000_000.0
STARTED = "2027-01-15T07:59:00.000000Z"
ENDED = "2027-01-15T08:00:00.000000Z"
POLICY = Policy(max_retries=1, retry_interval=10.0, retry_jitter=0.0)
RAW = {
    "job": "app.Report",
    "method": "build",
    "params": {"a": [1]},
    "priority": 3,
    "delay": "5m",
    "next_run_at": STARTED,
    "expires_at": ENDED,
    "meta": {"ticket": 7},
    "created_at": STARTED,
    "retries": 0,
    "result": "old",
}
SET_ANEW = {"attempts", "retries", "result", "next_run_at", "delay"}


def made(outcome: Outcome = Outcome.FAILED, number: int = 1, **facts):
    return record.attempt(number, outcome, STARTED, NOW, **facts)


def test_attempt() -> None:
    """An attempt has its number, outcome, times and host, and those facts that are known."""
    assert made(Outcome.CRASHED, 2, pid=7, signal=None, exit_status=0, cpu_s=0.0) == {
        "number": 2,
        "outcome": "crashed",
        "started_at": STARTED,
        "ended_at": ENDED,
        "host": socket.gethostname(),
        "pid": 7,
        "exit_status": 0,
        "cpu_s": 0.0,
    }


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ({"started_at": STARTED, "ended_at": ENDED}, 60.0),
        ({"started_at": ENDED, "ended_at": STARTED}, 0.0),
        ({"started_at": STARTED}, None),
        ({"started_at": "", "ended_at": ENDED}, None),
        ({}, None),
    ],
)
def test_duration(times, seconds) -> None:
    """The duration is the time between start and end, never negative, and unknown when one of them is."""
    assert record.duration(times) == seconds


@pytest.mark.parametrize(
    ("outcome", "earlier", "verdict", "retries"),
    [
        (Outcome.SUCCEEDED, 0, "done", 0),
        (Outcome.FAILED, 0, "retry", 1),
        (Outcome.FAILED, 1, "failed", 1),
        (Outcome.CRASHED, 1, "failed", 1),
        (Outcome.CANCELLED, 0, "failed", 0),
    ],
)
def test_add(outcome, earlier, verdict, retries) -> None:
    """The attempt is added with its verdict; the producer's fields stay, and those of the dispatcher are set anew."""
    attempts = [{**made(number=number + 1), "verdict": "retry"} for number in range(earlier)]
    raw = {**RAW, "attempts": attempts}
    before = orjson.dumps(raw)
    changed, decision = record.add(raw, made(outcome, earlier + 1), POLICY, NOW)
    assert orjson.dumps(raw) == before
    assert changed["attempts"] == [*attempts, {**made(outcome, earlier + 1), "verdict": verdict}]
    assert {key: value for key, value in changed.items() if key not in SET_ANEW} == {
        key: value for key, value in RAW.items() if key not in SET_ANEW
    }
    assert changed["retries"] == decision.retries == retries
    assert "delay" not in changed
    assert "result" not in changed
    assert changed.get("next_run_at") == ("2027-01-15T08:00:10.000000Z" if verdict == "retry" else None)


@given(
    st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.EXPIRED]),
    st.text(),
    st.text(),
    st.floats(0, 1e6),
)
def test_a_record_is_a_legal_document(outcome, message, traceback, cpu) -> None:
    """Whatever a job raised, its record is a document that is read again."""
    facts = {"error": record.error("ValueError", message, traceback), "cpu_s": cpu, "pid": 5, "signal": 9}
    changed, decision = record.add(RAW, made(outcome, **facts), POLICY, NOW)
    checked, raw = document.parse(jsontext.encode(changed))
    assert raw == changed
    assert checked.attempts[0].verdict is decision.verdict


@given(
    st.text(st.characters(exclude_categories=()), max_size=50),
    st.text(st.characters(exclude_categories=()), max_size=50),
)
def test_error_is_always_utf_8(message, traceback) -> None:
    """An error can be written whatever characters it holds, lone surrogates included."""
    made_ = record.error("ValueError", message, traceback)
    orjson.dumps(made_)
    assert made_["type"] == "ValueError"
    assert ("message" in made_, "traceback" in made_) == (bool(message), bool(traceback))


def test_error_is_cut() -> None:
    """A long traceback keeps both its ends, and so does a long message."""
    limit = jsontext.MAX_TRACEBACK_BYTES
    text = "begin" + "x" * limit + "end"
    cut = record.error("ValueError", text, text)
    assert len(cut["traceback"]) <= limit
    assert cut["traceback"].startswith("begin")
    assert cut["traceback"].endswith("end")
    assert "… cut …" in cut["traceback"]
    assert cut["message"] == cut["traceback"]
    assert record.error("E", "", "x" * limit)["traceback"] == "x" * limit


def test_error_is_cut_in_bytes() -> None:
    """A traceback takes at most 16 KiB, whatever its characters."""
    assert len(record.error("ValueError", "", "𝄞" * 20_000)["traceback"].encode()) <= 16 << 10


@pytest.fixture
def running(spool, drop):
    """The path of a job in running/."""
    return drop(State.RUNNING, "x", RAW)


def test_commit(spool, running) -> None:
    """A commit replaces the running file by a new one that holds the record, and leaves nothing in tmp/."""
    before = os.stat(running).st_ino
    changed, _ = record.add(RAW, made(), POLICY, NOW)
    record.commit(spool.layout, "x", record.encoded("x", changed), fsync=True)
    with open(running, "rb") as stream:
        assert jsontext.decode(stream.read()) == changed
    assert os.stat(running).st_ino != before
    assert os.listdir(spool.layout.tmp) == []


def test_commit_that_fails(spool, running, monkeypatch) -> None:
    """When the disk refuses, the running file is as it was, and nothing is left in tmp/."""
    with open(running, "rb") as stream:
        before = stream.read()

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        record.commit(spool.layout, "x", record.encoded("x", RAW), fsync=True)
    monkeypatch.undo()
    with open(running, "rb") as stream:
        assert stream.read() == before
    assert os.listdir(spool.layout.tmp) == []


def committed(spool, raw: dict) -> dict:
    record.commit(spool.layout, "x", record.encoded("x", raw), fsync=False)
    return document.parse(spool.read(State.RUNNING, "x").data)[1]


def with_history(count: int, **error: str) -> dict:
    attempts = [
        {**made(number=number + 1, error={"type": "ValueError", **error}), "verdict": Verdict.RETRY.value}
        for number in range(count)
    ]
    return {**RAW, "attempts": attempts}


def test_a_long_history_keeps_every_attempt(spool, running) -> None:
    """A history that outgrows its file loses the tracebacks of older attempts, and never an attempt."""
    raw = with_history(300, message="m", traceback="t" * jsontext.MAX_TRACEBACK_BYTES)
    found = committed(spool, raw)["attempts"]
    assert [attempt["number"] for attempt in found] == list(range(1, 301))
    assert {attempt["error"]["traceback"] for attempt in found[:-1]} == {"(dropped)"}
    assert found[-1] == raw["attempts"][-1]
    assert all(attempt["error"]["message"] == "m" for attempt in found)


def test_a_short_history_is_kept_whole(spool, running) -> None:
    """A history that fits keeps all its tracebacks."""
    raw = with_history(20, message="m", traceback="t" * jsontext.MAX_TRACEBACK_BYTES)
    assert committed(spool, raw) == raw


def test_a_history_of_long_messages_can_be_read(spool, running) -> None:
    """A history of long messages, too, is still readable after its record."""
    raw = with_history(600, message="m" * jsontext.MAX_TRACEBACK_BYTES)
    assert len(committed(spool, raw)["attempts"]) == 600


def test_a_deep_document_can_be_read_after_its_record(spool, running) -> None:
    """Any document that a producer may publish can still be read after its record."""
    params: list = [0] * 400_000
    for _ in range(55):
        params = [params]
    published = orjson.dumps({"job": "app.Report", "method": "build", "params": params})
    assert len(published) < jsontext.MAX_PRODUCER_BYTES
    _, raw = document.parse(published)
    changed, _ = record.add(raw, made(), POLICY, NOW)
    assert committed(spool, changed)["params"] == params


def test_commit_many(spool, drop) -> None:
    """Many jobs are recorded at once, each with its own content; one that cannot be is as it was, and its error is named."""
    for name in ("a", "b", "c"):
        drop(State.RUNNING, name, RAW)
    os.unlink(spool.layout.running("b"))
    os.mkdir(spool.layout.running("b"))
    errors = record.commit_many(spool.layout, {"a": b"1", "b": b"2", "c": b"3"}, fsync=True)
    assert list(errors) == ["b"]
    assert isinstance(errors["b"], OSError)
    assert [spool.read(State.RUNNING, name).data for name in ("a", "c")] == [b"1", b"3"]
    assert os.listdir(spool.layout.tmp) == []


def test_a_signed_record() -> None:
    """A record is signed for its id where there is a key, and bears no signature where there is none."""
    changed, _ = record.add({**RAW, "signature": "0" * 64}, made(), POLICY, NOW)
    data = record.encoded("x", changed, bytes(32))
    assert signing.problem(bytes(32), "x", jsontext.decode(data), data) is None
    assert "signature" not in jsontext.decode(record.encoded("x", changed))


def test_a_result() -> None:
    """A result stands in the document in the place of an earlier one; without any there is none."""
    changed, _ = record.add(RAW, made(Outcome.SUCCEEDED), POLICY, NOW, [0])
    assert changed["result"] == [0]
    for falsy in (0, False, "", []):
        assert record.add(RAW, made(Outcome.SUCCEEDED), POLICY, NOW, falsy)[0]["result"] == falsy
    assert "result" not in record.add(RAW, made(Outcome.SUCCEEDED), POLICY, NOW, None)[0]


def history(count: int, size: int) -> list[dict]:
    """That many attempts, each with an error of about that size."""
    fault = {"type": "ValueError", "message": "x" * size, "traceback": "(dropped)"}
    return [{**made(Outcome.FAILED, number + 1, error=fault, pid=5), "verdict": "retry"} for number in range(count)]


@pytest.mark.parametrize(("count", "size"), [(600, 15_000), (22_000, 150), (document.MAX_ATTEMPTS - 2, 0)])
def test_a_record_is_never_larger_than_what_can_be_read(count, size) -> None:
    """However long a history is, its next record is read again: what is old is cut short, and numbers and verdicts stay."""
    raw = {**RAW, "params": ["p" * 1_000_000], "attempts": history(count, size)}
    policy = Policy(max_retries=1_000_000)
    changed, decision = record.add(
        raw, made(Outcome.FAILED, count + 1, error=record.error("E", "last", "t")), policy, NOW
    )
    data = record.encoded("x", changed)
    checked, _ = document.parse(data)
    assert decision.verdict is Verdict.RETRY
    assert decision.retries == count + 1
    assert len(checked.attempts) == count + 1
    assert checked.attempts[-1].error is not None
    assert checked.attempts[-1].error.message == "last"
    assert checked.attempts[-50].host == socket.gethostname()
    assert {one.verdict for one in checked.attempts} == {Verdict.RETRY}


def test_a_history_that_was_made_up_can_be_recorded_too(spool, running) -> None:
    """Whatever texts stand in the attempts that a file brings, its next record can be read again."""
    fault = {"type": "t" * 10_000, "message": "m" * 10_000, "traceback": "b" * 10_000}
    forged = {**made(), "verdict": "retry", "host": "h" * 10_000, "result_dropped": "d" * 3_000, "error": fault}
    attempts = [{**forged, "number": number} for number in range(1, 100)]
    raw = {**RAW, "params": ["p" * 1_000_000], "attempts": attempts}
    data = jsontext.encode(raw)
    assert document.parse(data)[1] == raw
    raw["attempts"] = [*attempts, {**forged, "number": 100, "host": "h" * (jsontext.MAX_BYTES - len(data) - 100_000)}]
    assert document.parse(jsontext.encode(raw))[1] == raw
    changed, _ = record.add(raw, made(Outcome.FAILED, 101), POLICY, NOW)
    assert [one["number"] for one in committed(spool, changed)["attempts"]] == list(range(1, 102))


def test_the_longest_record_can_be_read(spool, running) -> None:
    """The largest history beside the largest parameters, shortened, is read again."""
    bare = [{"number": n + 1, "outcome": "interrupted", "verdict": "retry"} for n in range(document.MAX_ATTEMPTS - 1)]
    raw = {**RAW, "attempts": bare, "params": []}
    raw["params"] = ["p" * (jsontext.MAX_PRODUCER_BYTES - jsontext.written_bytes({**RAW, "params": [""]}))]
    stamps = [[2**63, 2**63, 2**63]] * 64
    last = made(Outcome.FAILED, document.MAX_ATTEMPTS, error=record.error("E" * 20_000, "m" * 20_000, "t" * 20_000))
    changed, _ = record.add(document.parse(jsontext.encode(raw))[1], last, POLICY, NOW, "r" * 65_530)
    assert len(committed(spool, {**changed, record.REPLACES: stamps})["attempts"]) == document.MAX_ATTEMPTS


def test_a_job_with_as_many_attempts_as_a_document_holds_has_used_them_up() -> None:
    """It fails then, whatever its budget is; one that succeeds is recorded like any other."""
    raw = {**RAW, "attempts": history(document.MAX_ATTEMPTS - 1, 0)}
    policy = Policy(max_retries=1_000_000)
    _, decision = record.add(raw, made(Outcome.FAILED, document.MAX_ATTEMPTS), policy, NOW)
    assert decision.verdict is Verdict.FAILED
    _, decision = record.add(raw, made(Outcome.SUCCEEDED, document.MAX_ATTEMPTS), policy, NOW)
    assert decision.verdict is Verdict.DONE


@pytest.mark.parametrize(
    "left",
    [
        {"exit_status": True},
        {"exit_status": 2.5},
        {"error": {"type": 5}},
        {"error": {"type": "E", "other": "x"}},
        {"result_dropped": ["x"]},
        {"ended_at": "2027-01-15"},
        {"started_at": "soon"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_record_is_checked_before_it_is_committed(left) -> None:
    """An attempt that our own check would refuse is recorded with its outcome and why the rest is missing."""
    changed, decision = record.add(RAW, {**made(Outcome.SUCCEEDED), **left}, POLICY, NOW, "a result")
    (attempt,) = document.parse(jsontext.encode(changed))[0].attempts
    assert (attempt.outcome, attempt.verdict, decision.verdict) == (Outcome.SUCCEEDED, Verdict.DONE, Verdict.DONE)
    assert attempt.error.type == "RecordError"
    assert attempt.error.message.startswith("what its process left: ")
    assert "result" not in changed
