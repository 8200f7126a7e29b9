"""From a due candidate to a running attempt: claimed, marked, started, or put off with its reason."""

from __future__ import annotations

import os

import pytest

from spoolrunner.dispatch.postponed import Why
from spoolrunner.errors import StartError
from spoolrunner.protocol.states import State
from spoolrunner.spool import locks, traces
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.traces import Marker
from spoolrunner.system import durable
from spoolrunner.system.heldfiles import HeldError
from spoolrunner.telling.events import Released, Started

FINISHED = {"number": 1, "outcome": "succeeded", "verdict": "done"}


def test_a_start(rooms, begin, executor, events, places) -> None:
    """A job that is begun lies in running/, its process is started, and it is reported and watched."""
    assert begin("x") is True
    assert places().running == ["x"]
    assert executor.told == [("start", "x")]
    assert [type(event) for event in events] == [Started]
    (attempt,) = rooms.running.all()
    assert (attempt.key, attempt.starts, attempt.policy.timeout) == (("x", 1), 4, 3600.0)


def test_what_the_process_is_told(rooms, begin, executor) -> None:
    """The process is told which attempt of which file it makes, and all that it needs of the document and the policy."""
    failed = {"number": 1, "outcome": "failed", "verdict": "retry"}
    begin("x", params={"a": [1]}, meta={"k": 1}, timeout="5m", attempts=[failed])
    (told,) = executor.given
    assert (told.job_id, told.number, told.job, told.method) == ("x", 2, "app.Report", "build")
    assert (told.params, told.meta, told.timeout, told.limits) == ({"a": [1]}, {"k": 1}, 300.0, None)
    assert told.stamp == rooms.spool.stamp(State.RUNNING, "x")


def test_what_the_process_is_told_of_limits(furnished, spool, drop, executor, clock) -> None:
    """Limits that the system keeps are told; params that are left out are none."""
    limits = {"allowed_jobs": {"app.Report": {"build": {"memory": "1G", "open_files": 99}}}}
    rooms = furnished(**limits)
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    assert rooms.starter.begin(rooms.intake.take("x"))
    (told,) = executor.given
    assert (told.limits, told.params, told.meta) == ((1 << 30, None, 99, False), [], None)


COMMAND = {"argv": ["tar", "{file}", ["-v", "{loud}"]], "types": {"loud": "boolean"}, "result": "text"}


def told_of(rooms, drop, executor, **document):
    """What the process of a job is told."""
    drop(State.PENDING, "x", document)
    rooms.intake.look("x")
    assert rooms.starter.begin(rooms.intake.take("x"))
    return executor.given[-1]


def test_what_the_process_of_a_command_is_told(furnished, drop, executor) -> None:
    """It is told to run the program, with the words that the parameters make."""
    rooms = furnished(allowed_jobs={"app.Report": {"build": COMMAND}})
    told = told_of(rooms, drop, executor, params={"file": "a;b", "loud": True}, meta={"k": 1})
    assert (told.job, told.method) == ("spoolrunner.attempt.command", "run")
    assert told.params == [["tar", "a;b", "-v"], "text", None]
    assert (told.meta, told.hooks) == ({"k": 1}, None)


HOOKS = {"setup": {"template": "app.t", "process": "app.p"}, "around": "app.a"}
TRACE = {"traceparent": "00-1", "baggage": "k=v", "other": 5}
VARIABLES = {"TRACEPARENT": "00-1", "BAGGAGE": "k=v"}


@pytest.mark.parametrize(
    ("keys", "policy", "meta", "hooks"),
    [
        ({}, {}, None, None),
        ({}, {}, {"other": 5}, None),
        ({}, {}, TRACE, ("", "", "", VARIABLES)),
        (HOOKS, {}, None, ("app.t", "app.p", "app.a", {})),
        (HOOKS, {"timeout": 5}, TRACE, ("app.t", "app.p", "app.a", VARIABLES)),
        ({"around": "app.a"}, {}, None, ("", "", "app.a", {})),
        ({"setup": {}}, {}, None, None),
        (HOOKS, {"argv": ["a"]}, None, None),
        (HOOKS, {"argv": ["a"]}, TRACE, ("", "", "", VARIABLES)),
    ],
)
def test_what_the_process_is_told_of_hooks(furnished, drop, executor, keys, policy, meta, hooks) -> None:
    """Hooks are around callables alone, a trace context is for commands too, and without any nothing is told."""
    rooms = furnished(allowed_jobs={"app.Report": {"build": policy}}, **keys)
    told = told_of(rooms, drop, executor, **({} if meta is None else {"meta": meta}))
    assert told.hooks == hooks


def test_what_was_looked_at_is_kept(rooms, begin) -> None:
    """What was read before the claim is kept for the record; the first look at the deadline is no later than the import's."""
    begin("x", timeout="5m")
    begin("y", timeout="5s")
    first, second = rooms.running.all()
    assert first.looked_at is not None
    assert first.looked_at.stamp == rooms.spool.stamp(State.RUNNING, "x")
    assert first.looked_at.raw["timeout"] == "5m"
    assert (first.deadline - first.started, second.deadline - second.started) == (60.0, 5.0)


def test_a_retry_by_hand_is_marked_as_claimed(rooms, begin, spool) -> None:
    """The claim of a job whose last verdict is final leaves a marker, so that the old verdict is not obeyed."""
    assert begin("x", attempts=[FINISHED])
    marker = traces.peek(spool.layout.lock("x")).marker
    assert marker is not None
    assert (marker.kind, marker.attempt) == (CLAIM, 2)


@pytest.mark.parametrize("fsync", [True, False])
@pytest.mark.parametrize(("attempts", "is_by_hand"), [([FINISHED], True), ([], False)])
def test_what_is_synced_before_a_claim(rooms, begin, spool, monkeypatch, attempts, is_by_hand, fsync) -> None:
    """The claim marker of a retry by hand is on the disk before the claim; that over an old start marker need not be."""
    rooms.spool.fsync = fsync
    lock = spool.layout.lock("x")
    with open(lock, "wb") as stream:
        stream.write(Marker(START, 1, 1).line())
    done = []
    real = rooms.spool.claim
    monkeypatch.setattr(durable, "sync", lambda path: done.append((path, traces.peek(path).marker.kind)))
    monkeypatch.setattr(durable, "sync_folder", done.append)
    monkeypatch.setattr(rooms.spool, "claim", lambda job_id: done.append("claim") or real(job_id))
    assert begin("x", attempts=attempts)
    assert done == ([(lock, CLAIM), spool.layout.locks, "claim"] if is_by_hand and fsync else ["claim"])
    assert traces.peek(lock).marker.kind == CLAIM


def test_no_process_to_be_had(rooms, begin, executor, events, places) -> None:
    """When no process can be started the job waits again, and no attempt is counted."""
    executor.fails = True
    with pytest.raises(StartError):
        begin("x")
    assert (places().pending, places().running, len(rooms.running)) == (["x"], [], 0)
    assert [type(event) for event in events] == [Released]


def test_behind_an_earlier_one(rooms, begin, drop, mark, places, clock) -> None:
    """A job waits while an earlier file of its id is in running/ and neither settled nor adopted."""
    drop(State.RUNNING, "x")
    lock = locks.acquire(rooms.spool.layout.lock("x"))
    assert lock is not None  # a process holds it
    assert begin("x") is False
    lock.close()
    reasons = {entry.why for entry in rooms.register.reasons("x", clock.monotonic())}
    assert {Why.BEHIND_ANOTHER, Why.NOT_RESOLVED} <= reasons
    assert (places().pending, places().running) == (["x"], ["x"])


def test_a_lock_that_is_held_for_a_moment(rooms, begin, places, clock) -> None:
    """A job that cannot be marked as claimed, since a process has its lock, is put off."""
    lock = locks.acquire(rooms.spool.layout.lock("x"))
    assert lock is not None
    assert begin("x", attempts=[FINISHED]) is False
    lock.close()
    assert [entry.why for entry in rooms.register.reasons("x", clock.monotonic())] == [Why.LOCK_HELD]
    assert places().pending == ["x"]


def test_a_file_that_another_program_has_open(rooms, begin, clock, monkeypatch) -> None:
    """A file that cannot be claimed, since it is open elsewhere, is put off, and the longer the longer that lasts."""

    def refuse(source: str, target: str) -> None:
        raise HeldError(13, "open elsewhere", source)

    pauses = []
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(durable, "rename", refuse)
            assert begin("x") is False
        (entry,) = rooms.register.reasons("x", clock.monotonic())
        assert entry.why is Why.FILE_HELD
        pauses.append(entry.until - clock.monotonic())
        clock.advance(pauses[-1])
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]
    assert begin("x") is True
    assert rooms.register.get("x", Why.FILE_HELD) is None


def test_a_file_that_was_saved_after_the_look(rooms, drop, spool, places) -> None:
    """What was claimed is another version than what was looked at: it goes back and is judged anew."""
    drop(State.PENDING, "x")
    rooms.intake.look("x")
    candidate = rooms.intake.take("x")
    drop(State.PENDING, "x", {"priority": 5})
    os.utime(spool.layout.job(State.PENDING, "x"), (1, 1))
    assert rooms.starter.begin(candidate) is False
    assert (places().pending, places().running, len(rooms.running)) == (["x"], [], 0)


def test_a_file_that_a_person_took_away(rooms, drop, spool) -> None:
    """A job that is gone at its claim is not started, and nothing is put off."""
    path = drop(State.PENDING, "x")
    rooms.intake.look("x")
    candidate = rooms.intake.take("x")
    os.unlink(path)
    assert rooms.starter.begin(candidate) is False
    assert rooms.register.ids() == set()


def test_a_second_job_of_an_id_that_runs(rooms, begin, clock) -> None:
    """It waits for that id, and the register says so."""
    begin("x")
    assert begin("x") is False
    assert [entry.why for entry in rooms.register.reasons("x", clock.monotonic())] == [Why.ID_BUSY]
