"""Settling: what a file in running/ turns into, by what lies beside it."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, MAX_RELEASES, Outcome, State, Verdict
from spoolrunner.spool import locks, output, record
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.settled import Fate
from spoolrunner.spool.settling import Settler
from spoolrunner.spool.settling_rules import Boot, Known
from spoolrunner.spool.traces import Marker
from spoolrunner.system import durable, machine, processes

BOOT = machine.boot_id()
STARTED = "2027-01-15T07:59:00.000000Z"
BEFORE = "2027-01-15T07:58:00.000000Z"
POLICY = Policy(max_retries=1, retry_interval=10.0, retry_jitter=0.0)


def attempt(number: int, outcome: Outcome, verdict: Verdict, **facts) -> dict:
    return {"number": number, "outcome": outcome.value, "verdict": verdict.value, **facts}


RETRIED = attempt(1, Outcome.FAILED, Verdict.RETRY)
DONE = attempt(1, Outcome.SUCCEEDED, Verdict.DONE)
GIVEN_UP = attempt(1, Outcome.FAILED, Verdict.FAILED)


class Alive:
    """Knows this process alone."""

    def lives(self, marker: Marker) -> bool:
        return processes.lives(marker.pid, marker.process_started, BOOT)

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        return False

    def holder_of_removed(self, lock_path: str) -> None:
        return None


@pytest.fixture
def settler(spool, clock) -> Settler:
    return Settler(spool, lambda document: POLICY, Alive(), 4096, Boot(BOOT, has_markers=False), clock)


@pytest.fixture
def mark(spool):
    """Leave a marker for the file that is in running/ now, of a process that is gone unless it is said otherwise."""

    def leave(kind: str, number: int, inode: int | None = None, pid: int = os.getpid(), start: str = "gone") -> Marker:
        stamp = spool.stamp(State.RUNNING, "x")
        stamp = stamp if inode is None else stamp._replace(inode=inode)
        process = (pid, start, STARTED) if kind == START else ()
        marker = Marker(kind, number, *stamp, *process)
        lock = locks.acquire(spool.layout.lock("x"))
        assert lock is not None
        lock.append(marker.line())
        lock.close()
        return marker

    return leave


def places(spool) -> dict[State, list[str]]:
    """The files of the state folders that are not empty."""
    found = {state: sorted(os.listdir(spool.layout.folder(state))) for state in State}
    return {state: names for state, names in found.items() if names}


def read(spool, state: State, name: str = "x") -> dict:
    return orjson.loads(spool.read(state, name).data)


def test_started_and_died(spool, drop, settler, mark, clock) -> None:
    """A job that started and died without a record is recorded as crashed, and retried; its progress is forgotten."""
    drop(State.RUNNING, "x", {"meta": {"k": 1}})
    with open(spool.layout.progress("x"), "wb"):
        pass
    marker = mark(START, 1)
    settled = settler.settle("x", Known(signal=15))
    assert (settled.fate, settled.name, settled.state, settled.marker) == (Fate.SETTLED, "x", State.PENDING, marker)
    assert places(spool) == {State.PENDING: ["x.json"]}
    assert os.listdir(spool.layout.locks) == ["x.lock"]
    document = read(spool, State.PENDING)
    assert document == settled.raw
    assert document["meta"] == {"k": 1}
    assert document["next_run_at"] == "2027-01-15T08:00:10.000000Z"
    (made,) = document["attempts"]
    assert (made["number"], made["outcome"], made["verdict"]) == (1, "crashed", "retry")
    assert (made["started_at"], made["ended_at"]) == (STARTED, "2027-01-15T08:00:00.000000Z")
    assert (made["signal"], made["pid"]) == (15, marker.pid)
    assert "SIGTERM" in made["error"]["message"]


@pytest.mark.parametrize(
    ("outcome", "verdict", "state"),
    [
        (None, "retry", State.PENDING),
        (Outcome.TIMED_OUT, "retry", State.PENDING),
        (Outcome.INTERRUPTED, "retry", State.PENDING),
        (Outcome.CANCELLED, "failed", State.FAILED),
    ],
)
def test_why_we_ended_it(spool, drop, settler, mark, outcome, verdict, state) -> None:
    """A job that we ended is recorded with the reason why we did."""
    drop(State.RUNNING, "x")
    mark(START, 1)
    assert settler.settle("x", Known(outcome=outcome, signal=15)).state is state
    (made,) = read(spool, state)["attempts"]
    assert (made["outcome"], made["verdict"]) == ((outcome or Outcome.CRASHED).value, verdict)


def test_the_budget_ends(spool, drop, settler, mark) -> None:
    """A job that crashes is given up when its retries are used, as any other."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED]})
    mark(START, 2)
    assert settler.settle("x", Known(exit_status=1)).state is State.FAILED
    made = read(spool, State.FAILED)["attempts"]
    assert [entry["verdict"] for entry in made] == ["retry", "failed"]
    assert made[1]["exit_status"] == 1


def test_claimed_after_a_retry_by_hand(spool, drop, settler, mark) -> None:
    """A job that was retried by hand and claimed, but never started, goes back to pending and not to where it lay."""
    drop(State.RUNNING, "x", {"attempts": [GIVEN_UP]})
    mark(CLAIM, 2)
    settled = settler.settle("x", Known())
    assert (settled.fate, settled.state) == (Fate.RELEASED, State.PENDING)
    assert read(spool, State.PENDING)["attempts"] == [GIVEN_UP]


@pytest.mark.parametrize(("last", "state"), [(DONE, State.DONE), (GIVEN_UP, State.FAILED), (RETRIED, State.PENDING)])
def test_recorded_and_not_moved(spool, drop, settler, mark, last, state) -> None:
    """A job that was recorded moves to where its last verdict says, its bytes as they are."""
    path = drop(State.RUNNING, "x", {"attempts": [last]})
    with open(path, "rb") as stream:
        before = stream.read()
    mark(START, 1, inode=1)
    settled = settler.settle("x", Known(exit_status=0, number=1))
    assert (settled.fate, settled.state) == (Fate.SETTLED, state)
    assert places(spool) == {state: ["x.json"]}
    assert spool.read(state, "x").data == before


@pytest.mark.parametrize("last", [DONE, GIVEN_UP, RETRIED])
def test_recorded_by_a_lost_dispatcher(spool, drop, settler, mark, last) -> None:
    """The same holds when it is not known which attempt was made."""
    drop(State.RUNNING, "x", {"attempts": [last]})
    mark(START, 1, inode=1)
    assert settler.settle("x", Known()).fate is Fate.SETTLED


@pytest.mark.parametrize("attempts", [[], [RETRIED]])
def test_never_started(spool, drop, settler, attempts) -> None:
    """A job that never reached its first line goes back to pending, and nothing is counted."""
    drop(State.RUNNING, "x", {"attempts": attempts})
    settled = settler.settle("x", Known(exit_status=1, number=len(attempts) + 1))
    assert (settled.fate, settled.state) == (Fate.RELEASED, State.PENDING)
    assert read(spool, State.PENDING)["attempts"] == attempts


def test_a_retry_that_never_started(spool, drop, settler, mark) -> None:
    """The marker of an earlier attempt does not make a retry that never started a settled one."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED]})
    mark(START, 1, inode=1)
    assert settler.settle("x", Known(exit_status=1, number=2)).fate is Fate.RELEASED


@pytest.mark.parametrize("earlier", [0, 1])
def test_it_never_starts(spool, drop, settler, mark, earlier) -> None:
    """After enough releases a job that never reaches its first line is recorded as crashed."""
    drop(State.RUNNING, "x", {"attempts": [RETRIED] * earlier})
    if earlier:
        mark(START, 1, inode=1)
    settled = settler.settle("x", Known(exit_status=1, number=earlier + 1, releases=MAX_RELEASES))
    assert settled.fate is Fate.SETTLED
    made = settled.raw["attempts"][-1]
    assert (made["number"], made["outcome"]) == (earlier + 1, "crashed")
    assert "never reached its first line" in made["error"]["message"]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\0" * 100, b"[]", b'{"job": "a"}', b'{"job":"a","method":"b","attempts":5}']
)
def test_unreadable(spool, drop, settler, data) -> None:
    """A file that cannot be read goes to failed/ with its bytes kept and the reason beside it."""
    drop(State.RUNNING, "x", data)
    settled = settler.settle("x", Known())
    assert (settled.fate, settled.name, settled.state) == (Fate.REJECTED, "x", State.FAILED)
    assert settled.problem
    assert places(spool) == {State.FAILED: ["x.json", "x.reason"]}
    assert spool.read(State.FAILED, "x").data == data
    with open(spool.layout.reason("x"), "rb") as stream:
        assert orjson.loads(stream.read())["what"] == settled.problem


def test_gone(spool, settler) -> None:
    """When the file is gone there is nothing to settle, and no lock stays behind."""
    assert settler.settle("x", Known()).fate is Fate.GONE
    assert places(spool) == {}
    assert os.listdir(spool.layout.locks) == []


def test_held(spool, drop, settler, mark) -> None:
    """As long as the lock is held nothing is touched, and the marker says who holds it."""
    drop(State.RUNNING, "x")
    marker = mark(START, 1)
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    try:
        settled = settler.settle("x", Known(outcome=Outcome.CANCELLED))
    finally:
        lock.close()
    assert (settled.fate, settled.marker) == (Fate.HELD, marker)
    assert places(spool) == {State.RUNNING: ["x.json"]}


def test_a_free_lock_does_not_prove_death(spool, drop, settler, mark) -> None:
    """A job that closed its descriptors, the lock among them, still runs as long as its process lives."""
    drop(State.RUNNING, "x")
    mark(START, 1, pid=os.getpid(), start=processes.started(os.getpid(), BOOT))
    assert settler.settle("x", Known()).fate is Fate.LIVES
    assert places(spool) == {State.RUNNING: ["x.json"]}
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.close()


def test_a_taken_place(spool, drop, settler) -> None:
    """When the destination has a file of that name, the job moves in beside it."""
    drop(State.DONE, "x", b"earlier")
    drop(State.RUNNING, "x", {"attempts": [DONE]})
    settled = settler.settle("x", Known())
    assert (settled.name, settled.state) == ("x~2", State.DONE)
    assert places(spool) == {State.DONE: ["x.json", "x~2.json"]}
    assert spool.read(State.DONE, "x").data == b"earlier"


def test_taken_away_at_the_last_moment(spool, drop, settler, monkeypatch) -> None:
    """When the file is removed just before its move, it is gone, and nothing is made up."""
    drop(State.RUNNING, "x", {"attempts": [DONE]})
    monkeypatch.setattr(spool, "move", lambda *args: None)
    assert settler.settle("x", Known()).fate is Fate.GONE


@pytest.fixture
def order(monkeypatch):
    """What is done to the disk, in order."""
    seen: list[str] = []

    def note(module, name: str) -> None:
        real = getattr(module, name)

        def noted(*args):
            seen.append(f"{name} {os.path.basename(args[0])}" if name == "unlink" else name)
            return real(*args)

        monkeypatch.setattr(module, name, noted)

    note(durable, "unlink")
    note(record, "commit_many")
    note(durable, "rename")
    return seen


def test_record_then_cancel_then_move(spool, drop, settler, mark, order) -> None:
    """The request to cancel is removed after the record and before the final move."""
    drop(State.RUNNING, "x")
    mark(START, 1)
    with open(spool.layout.cancel("x"), "wb"):
        pass
    settler.settle("x", Known(outcome=Outcome.CANCELLED))
    assert [step for step in order if step in ("commit_many", "unlink cancel-x", "rename")] == [
        "commit_many",
        "unlink cancel-x",
        "rename",
    ]
    assert os.listdir(spool.layout.control) == []


@pytest.mark.parametrize(("last", "stays"), [(DONE, False), (GIVEN_UP, False), (RETRIED, True)])
def test_cancel_of_a_recorded_job(spool, drop, settler, last, stays) -> None:
    """A request to cancel goes with a final verdict, and stays for a job that will be retried."""
    drop(State.RUNNING, "x", {"attempts": [last]})
    with open(spool.layout.cancel("x"), "wb"):
        pass
    settler.settle("x", Known(number=1))
    assert os.path.exists(spool.layout.cancel("x")) is stays
    assert (Verdict(last["verdict"]) in FINAL) is not stays


def test_a_job_that_its_own_process_rejected(spool, drop, settler) -> None:
    """A job that its own process rejected has a reason beside it, like one that was rejected before it ran."""
    last = attempt(1, Outcome.REJECTED, Verdict.FAILED, error={"type": "TypeError", "message": "params do not fit"})
    drop(State.RUNNING, "x", {"attempts": [last]})
    settler.settle("x", Known(exit_status=0))
    assert places(spool) == {State.FAILED: ["x.json", "x.reason"]}
    with open(spool.layout.reason("x"), "rb") as stream:
        said = orjson.loads(stream.read())
    assert (said["outcome"], said["what"]) == ("rejected", "params do not fit")


def test_no_stale_reason(spool, drop, settler) -> None:
    """A job that ran and failed has no reason beside it that an earlier, refused one of its id left."""
    spool.explain("x", Outcome.REJECTED, "no JSON", "pending/x.json", 0.0)
    drop(State.RUNNING, "x", {"attempts": [GIVEN_UP]})
    settler.settle("x", Known())
    assert places(spool) == {State.FAILED: ["x.json"]}


@pytest.mark.parametrize(("last", "files"), [(DONE, []), (GIVEN_UP, []), (RETRIED, ["x.lock"])])
def test_the_lock_file(spool, drop, settler, last, files) -> None:
    """The lock of a job that is over is removed; that of one that waits again stays."""
    drop(State.RUNNING, "x", {"attempts": [last]})
    settler.settle("x", Known())
    assert sorted(os.listdir(spool.layout.locks)) == files


def test_the_lock_of_an_id_that_waits_already(spool, drop, settler) -> None:
    """The lock of a job that is over stays when another one of its id waits."""
    drop(State.RUNNING, "x", {"attempts": [DONE]})
    drop(State.PENDING, "x")
    settler.settle("x", Known())
    assert os.listdir(spool.layout.locks) == ["x.lock"]


def test_the_log(spool, drop, settler) -> None:
    """A job that is settled leaves no log if it printed nothing, and one within the limit if it printed much."""
    for name, printed in (("quiet", b""), ("loud", b"x" * 9000)):
        descriptor = output.begin(spool.layout.log(name), 1, STARTED, 5, 4096)
        os.write(descriptor, printed)
        os.close(descriptor)
        drop(State.RUNNING, name, {"attempts": [DONE]})
        settler.settle(name, Known())
    assert os.listdir(spool.layout.job_logs) == ["loud.log"]
    assert 4096 < os.path.getsize(spool.layout.log("loud")) < 4300


def test_a_full_disk(spool, drop, settler, mark, monkeypatch) -> None:
    """When the record cannot be written the job stays in running/ as it was, the lock is free, and settling works later."""
    drop(State.RUNNING, "x")
    mark(START, 1)

    def full(*args) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "_write", full)
        with pytest.raises(OSError, match="No space left"):
            settler.settle("x", Known())
    assert places(spool) == {State.RUNNING: ["x.json"]}
    assert settler.settle("x", Known()).fate is Fate.SETTLED
    assert len(read(spool, State.PENDING)["attempts"]) == 1


@pytest.mark.parametrize("step", ["commit_many", "unlink", "rename"])
def test_killed_while_settling(spool, drop, settler, mark, monkeypatch, step) -> None:
    """A dispatcher that is killed at any step of settling leaves a job that the next one settles to the same end."""
    drop(State.RUNNING, "x")
    mark(START, 1)

    def die(*args) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record if step == "commit_many" else durable, step, die)
        with pytest.raises(KeyboardInterrupt):
            settler.settle("x", Known(outcome=Outcome.CANCELLED))
    assert places(spool) == {State.RUNNING: ["x.json"]}
    settled = settler.settle("x", Known(outcome=Outcome.CANCELLED))
    assert (settled.fate, settled.state) == (Fate.SETTLED, State.FAILED)
    (made,) = read(spool, State.FAILED)["attempts"]
    assert made["outcome"] == "cancelled"


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.CANCELLED, Outcome.REJECTED])
def test_a_job_that_gets_another_name_takes_its_output_along(spool, drop, settler, mark, outcome) -> None:
    """Where ID is taken and the job becomes ID~2, what it printed becomes the log of ID~2, and no silent one keeps a log."""
    for state in (State.DONE, State.FAILED):
        drop(state, "x")
    drop(State.RUNNING, "x", {"attempts": [attempt(1, Outcome.FAILED, Verdict.RETRY, started_at=BEFORE, pid=5)]})
    mark(START, 2)
    with open(spool.layout.log("x"), "wb") as stream:
        stream.write(b"of the first\n" + output.header(1, BEFORE, 5) + b"of the second\n")
        stream.write(output.header(2, STARTED, os.getpid()))
    settled = settler.settle("x", Known(outcome=outcome))
    assert settled.name == "x~2"
    with open(spool.layout.log("x"), "rb") as stream:
        assert stream.read() == b"of the first\n"
    with open(spool.layout.log("x~2"), "rb") as stream:
        assert stream.read() == output.header(1, BEFORE, 5) + b"of the second\n"
