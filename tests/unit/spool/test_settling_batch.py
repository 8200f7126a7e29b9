"""Settling what processes left, many at once: what is recorded of it, in which order, and what follows when a part fails."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.policy import OnFailure, Policy
from spoolrunner.protocol.states import MAX_RELEASES, Outcome, State
from spoolrunner.spool import lock_lines, locks, output, step_files
from spoolrunner.spool.folders import NotOpenedError, Spool
from spoolrunner.spool.lock_lines import START
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.running_file import UnopenedError
from spoolrunner.spool.settled import Fate, Settled
from spoolrunner.spool.settling import Settler
from spoolrunner.spool.settling_rules import Boot, Known, LookedAt, Origin, Usage
from spoolrunner.spool.traces import Marker
from spoolrunner.system import durable

STARTED, ENDED = "2027-01-15T07:59:00.000000Z", "2027-01-15T07:59:30.000000Z"
POLICY = Policy(max_retries=1, retry_interval=10.0, retry_jitter=0.0)
KEY = bytes(range(32))
FAILED = {"error": '{"type":"ValueError","message":"no"}'}


class Living:
    """Says of these pids that their processes live."""

    def __init__(self) -> None:
        self.pids: set[int] = set()

    def lives(self, marker: Marker) -> bool:
        return marker.pid in self.pids

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        return False

    def holder_of_removed(self, lock_path: str) -> None:
        return None


@pytest.fixture
def spool(tmp_path) -> Spool:
    """An empty spool, which syncs what it writes."""
    made = Spool(Layout(str(tmp_path / "spool")), fsync=True)
    made.make()
    return made


@pytest.fixture
def living() -> Living:
    return Living()


@pytest.fixture
def settler(spool, clock, living) -> Settler:
    return Settler(spool, lambda document: POLICY, living, 4096, Boot("", has_markers=True), clock)


@pytest.fixture
def ran(spool, drop):
    """Let a job lie in running/ whose process began and, if an outcome is given, left it; returns what is known of it."""

    def run(job_id: str, made: str | None = "succeeded", number: int = 1, /, **fields: str) -> Known:
        earlier = [{"number": n, "outcome": "failed", "verdict": "retry"} for n in range(1, number)]
        drop(State.RUNNING, job_id, {"meta": {"id": job_id}} | ({"attempts": earlier} if earlier else {}))
        begin(spool, job_id, number)
        if made is not None:
            leave(spool, job_id, lock_lines.outcome(number, made, ENDED, fields))
        return known_of(spool, job_id, number)

    return run


def begin(spool: Spool, job_id: str, number: int = 1, pid: int = 77) -> None:
    """Leave the start marker of a process for the file that is in running/ now."""
    stamp = spool.stamp(State.RUNNING, job_id)
    assert stamp is not None
    leave(spool, job_id, Marker(START, number, *stamp, pid, "then", STARTED).line())


def known_of(spool: Spool, job_id: str, number: int = 1, **facts) -> Known:
    """What the dispatcher knows of a job in running/ that it looked at, claimed and started."""
    found = spool.read(State.RUNNING, job_id)
    looked_at = LookedAt(found.stamp, orjson.loads(found.data))
    return Known(Origin.STARTED, number=number, policy=POLICY, looked_at=looked_at, **facts)


def leave(spool: Spool, job_id: str, line: bytes) -> None:
    """Append a line to the lock file of a job."""
    lock = locks.acquire(spool.layout.lock(job_id))
    assert lock is not None
    lock.append(line)
    lock.close()


def read(spool: Spool, state: State, job_id: str) -> dict:
    return orjson.loads(spool.read(state, job_id).data)


def places(spool: Spool) -> dict[str, str]:
    """Where each job lies: name -> state."""
    return {name: state.value for state in State for name in spool.names(state)}


def fates(answers: list) -> list:
    return [answer.fate if isinstance(answer, Settled) else type(answer) for answer in answers]


def assert_locks_are_free(spool: Spool, *job_ids: str) -> None:
    for job_id in job_ids:
        lock = locks.acquire(spool.layout.lock(job_id))
        assert lock is not None
        lock.close()


class Steps:
    """What is done to the disk, in order, each with the name of the job or folder; some of it fails."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._errors: dict[str, BaseException] = {}

    def refuse(self, *steps: str) -> None:
        """From now on the disk refuses these."""
        self._errors |= dict.fromkeys(steps, OSError(28, "No space left on device"))

    def kill_at(self, step: str) -> None:
        """We are killed instead of doing it."""
        self._errors[step] = KeyboardInterrupt()

    def relent(self) -> None:
        """The disk refuses nothing any more, and what was done is forgotten."""
        self._errors.clear()
        self.seen.clear()

    def do(self, step: str, real, *args):
        self.seen.append(step)
        if step in self._errors:
            raise self._errors[step]
        return real(*args)

    def index(self, step: str) -> int:
        """When the step was done, which was once."""
        assert self.seen.count(step) == 1
        return self.seen.index(step)


@pytest.fixture
def steps(monkeypatch) -> Steps:
    """The steps that are done to the disk."""
    made = Steps()
    opened: dict[int, str] = {}
    real_write, real_sync, real_replace = durable._write, durable._sync, os.replace
    real_folder, real_rename, real_unlink = durable.sync_folder, durable.rename, durable.unlink

    def write(path: str, data: bytes, *mode: int) -> int:
        name = orjson.loads(data)["meta"]["id"]
        descriptor = made.do(f"write {name}", real_write, path, data, *mode)
        opened[descriptor] = name
        return descriptor

    def sync(descriptor: int) -> None:
        name = opened.get(descriptor)
        if name is None:
            real_sync(descriptor)  # of a folder, which is noted there
        else:
            made.do(f"sync {name}", real_sync, descriptor)

    def sync_folder(path: str) -> None:
        opened.clear()  # the numbers of descriptors are used again
        made.do(f"sync {os.path.basename(path)}/", real_folder, path)

    def replace(source: str, target: str) -> None:
        made.do(f"replace {os.path.basename(target).removesuffix('.json')}", real_replace, source, target)

    def rename(source: str, target: str) -> None:
        name = os.path.basename(source).removesuffix(".json")
        made.do(f"move {name} to {os.path.basename(os.path.dirname(target))}", real_rename, source, target)

    def unlink(path: str) -> bool:
        return made.do(f"unlink {os.path.basename(path)}", real_unlink, path)

    for name, noted in {
        "_write": write,
        "_sync": sync,
        "sync_folder": sync_folder,
        "rename": rename,
        "unlink": unlink,
    }.items():
        monkeypatch.setattr(durable, name, noted)
    monkeypatch.setattr(os, "replace", replace)
    return made


@pytest.fixture
def batch(spool, ran):
    """Three jobs that ended: one well, one to be tried again, and one that died."""

    def make() -> list[tuple[str, Known]]:
        ran("a", "succeeded", result='"3"')
        ran("b", "failed", **FAILED)
        ran("c", None)
        return [("a", known_of(spool, "a")), ("b", known_of(spool, "b")), ("c", known_of(spool, "c", signal=9))]

    return make


# -- one job


def test_what_a_process_left(spool, ran, settler) -> None:
    """A job that left its outcome is recorded with that and with what is known of its process, and moves where it says."""
    known = ran("x", "succeeded", result='"[1]"')
    usage = Usage(0.5, 2048)
    settled = settler.settle("x", Known(Origin.STARTED, 1, known.policy, known.looked_at, exit_status=0, usage=usage))
    assert (settled.fate, settled.state) == (Fate.SETTLED, State.DONE)
    document = read(spool, State.DONE, "x")
    assert document == settled.raw
    assert document["result"] == [1]
    (made,) = document["attempts"]
    assert (made["outcome"], made["verdict"]) == ("succeeded", "done")
    assert (made["started_at"], made["ended_at"]) == (STARTED, ENDED)
    assert (made["pid"], made["exit_status"], made["cpu_s"], made["max_rss_kib"]) == (77, 0, 0.5, 2048)
    assert os.listdir(spool.layout.locks) == []


@pytest.mark.parametrize(
    ("made", "number", "verdict", "state"),
    [
        ("succeeded", 2, "done", State.DONE),
        ("failed", 1, "retry", State.PENDING),
        ("failed", 2, "failed", State.FAILED),
        ("timed_out", 1, "retry", State.PENDING),
        ("cancelled", 1, "failed", State.FAILED),
        ("rejected", 1, "failed", State.FAILED),
    ],
)
def test_the_verdict_on_what_it_left(spool, ran, settler, made, number, verdict, state) -> None:
    """The verdict is the dispatcher's, by the policy that the attempt started under and its earlier attempts."""
    assert settler.settle("x", ran("x", made, number)).state is state
    last = read(spool, state, "x")["attempts"][-1]
    assert (last["number"], last["outcome"], last["verdict"]) == (number, made, verdict)


def test_one_that_rejected_itself(spool, ran, settler) -> None:
    """A job that found that its parameters do not fit has a reason beside it, like one that was refused unrun."""
    settler.settle("x", ran("x", "rejected", error='{"type":"TypeError","message":"params do not fit"}'))
    with open(spool.layout.reason("x"), "rb") as stream:
        said = orjson.loads(stream.read())
    assert (said["outcome"], said["what"]) == ("rejected", "params do not fit")


@pytest.mark.parametrize("outcome", [None, Outcome.TIMED_OUT, Outcome.CANCELLED])
def test_an_outcome_goes_before_why_we_ended_it(spool, ran, settler, outcome) -> None:
    """A job that left its outcome before our signal reached it is recorded with that."""
    ran("x", "succeeded")
    assert settler.settle("x", known_of(spool, "x", outcome=outcome, signal=15)).state is State.DONE


def test_an_earlier_dispatchers_job(spool, ran, settler) -> None:
    """An outcome is found by a dispatcher that knows nothing of the attempt, too."""
    ran("x", "succeeded", result='"7"')
    settled = settler.settle("x", Known())
    assert (settled.state, settled.raw["result"]) == (State.DONE, 7)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (lock_lines.outcome(2, "succeeded", ENDED, {}), "crashed"),
        (lock_lines.outcome(1, "succeeded", ENDED, {})[:-1], "crashed"),
        (lock_lines.outcome(1, "splendid", ENDED, {}), "crashed"),
        (lock_lines.outcome(1, "succeeded", "soon", {}), "crashed"),
        (lock_lines.outcome(1, "failed", ENDED, {}) + lock_lines.outcome(1, "succeeded", ENDED, {}), "succeeded"),
    ],
    ids=["of another attempt", "torn", "no word of ours", "no time", "two"],
)
def test_what_counts_as_an_outcome(spool, ran, settler, line, outcome) -> None:
    """Only a whole outcome line of this attempt counts, and the last of them; without any the job crashed."""
    known = ran("x", None)
    leave(spool, "x", line)
    settled = settler.settle("x", known)
    assert settled.raw["attempts"][-1]["outcome"] == outcome


def test_claimed_after_the_outcome(spool, ran, settler) -> None:
    """An outcome before a claim marker is of an earlier file: the job that was claimed is put back, and nothing is recorded."""
    ran("x", "succeeded")
    leave(spool, "x", lock_lines.claim(1, spool.stamp(State.RUNNING, "x")))
    settled = settler.settle("x", Known())
    assert (settled.fate, settled.state) == (Fate.RELEASED, State.PENDING)
    assert "attempts" not in read(spool, State.PENDING, "x")


def test_an_outcome_of_another_file(spool, ran, drop, settler) -> None:
    """An outcome that was left for another file than the one in running/ is not recorded there."""
    ran("x", "succeeded")
    os.rename(spool.layout.running("x"), spool.layout.job(State.DONE, "other"))
    drop(State.RUNNING, "x")
    assert settler.settle("x", Known()).fate is Fate.RELEASED
    assert "attempts" not in read(spool, State.PENDING, "x")


def test_an_outcome_of_a_process_that_lives(spool, ran, settler, living) -> None:
    """A process that left its outcome, but lives, is not over; one that was reaped is, whoever has its pid now."""
    known = ran("x", "succeeded")
    living.pids.add(77)
    assert settler.settle("x", known).fate is Fate.LIVES
    assert places(spool) == {"x": "running"}
    assert settler.settle("x", known_of(spool, "x", reaped=77)).fate is Fate.SETTLED


def test_an_outcome_that_is_left_while_we_look(spool, ran, settler, living) -> None:
    """An outcome that a process left after its lock file was read, and before it was seen to be gone, counts."""
    ran("x", None)

    def lives(marker: Marker) -> bool:
        with open(spool.layout.lock("x"), "ab") as stream:  # a process may leave it without its lock, while it lives
            stream.write(lock_lines.outcome(1, "succeeded", ENDED, {}))
        return False

    living.lives = lives
    assert settler.settle("x", Known()).state is State.DONE


@pytest.mark.parametrize(
    ("made", "fields", "stays"),
    [("succeeded", {}, True), ("succeeded", {"progress": "true"}, False), (None, {}, False)],
)
def test_progress(spool, ran, settler, made, fields, stays) -> None:
    """The progress of a process that died, or that says that there is some, is removed; otherwise it is not looked for."""
    known = ran("x", made, **fields)
    with open(spool.layout.progress("x"), "wb"):
        pass
    settler.settle("x", known)
    assert os.path.exists(spool.layout.progress("x")) is stays


def test_the_log_of_a_silent_job(spool, ran, settler) -> None:
    """The log of a job that printed nothing is removed, and that of one that printed a line is kept."""
    for job_id, printed in (("quiet", b""), ("loud", b"x")):
        known = ran(job_id)
        descriptor = output.begin(spool.layout.log(job_id), 1, STARTED, 77, 4096)
        os.write(descriptor, printed)
        os.close(descriptor)
        settler.settle(job_id, known)
    assert os.listdir(spool.layout.job_logs) == ["loud.log"]


# -- from memory


def test_recorded_from_memory(spool, ran, settler, monkeypatch) -> None:
    """A file that is what was looked at is not read again: the record is made of what was read then."""
    known = ran("x")
    with monkeypatch.context() as patch:
        patch.setattr(spool, "read", None)
        settled = settler.settle("x", known)
    assert settled.fate is Fate.SETTLED
    assert read(spool, State.DONE, "x") == settled.raw


def test_memory_is_not_changed(spool, ran, settler) -> None:
    """What was read before the claim stays as it was, whatever is recorded."""
    known = ran("x", "failed", 2)
    before = orjson.dumps(known.looked_at.raw)
    settler.settle("x", known)
    assert orjson.dumps(known.looked_at.raw) == before


def in_place(path: str, data: bytes) -> None:
    with open(path, "r+b") as stream:
        stream.write(data)


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_file_that_was_changed_while_it_ran(spool, ran, settler, change) -> None:
    """A file that was changed since is read, and the record is added to what it says now."""
    known = ran("x")
    path = spool.layout.running("x")
    status = os.stat(path)
    with open(path, "rb") as stream:
        data = stream.read()
    changed = data.replace(b"app.Report", b"app.Reports" if change == "size" else b"app.Resort")
    if change == "inode":
        with open(path + "2", "wb") as stream:
            stream.write(changed)
        os.replace(path + "2", path)
        begin(spool, "x")
        leave(spool, "x", lock_lines.outcome(1, "succeeded", ENDED, {}))
    else:
        in_place(path, changed)
    when = status.st_mtime_ns + (change == "time")
    os.utime(path, ns=(when, when))
    settled = settler.settle("x", known)
    assert settled.fate is Fate.SETTLED
    assert settled.raw["job"] == orjson.loads(changed)["job"]
    assert read(spool, settled.state, "x")["job"] == orjson.loads(changed)["job"]


@pytest.mark.parametrize("missing", ["looked_at", "policy"])
def test_a_job_that_was_not_looked_at(spool, ran, settler, missing) -> None:
    """Where the file, or the policy, is not known, the file is read."""
    known = ran("x")
    known = Known(Origin.STARTED, 1, **{"policy": known.policy, "looked_at": known.looked_at, missing: None})
    in_place(spool.layout.running("x"), spool.read(State.RUNNING, "x").data.replace(b"app.Report", b"app.Resort"))
    os.utime(spool.layout.running("x"), (1, 1))
    assert settler.settle("x", known).raw["job"] == "app.Resort"


def test_a_file_that_was_made_unreadable(spool, ran, settler) -> None:
    """A file that its job destroyed is refused, with its bytes kept, whatever was known of it."""
    known = ran("x")
    with open(spool.layout.running("x"), "wb") as stream:
        stream.write(b'{"job"')
    assert settler.settle("x", known).fate is Fate.REJECTED
    assert spool.read(State.FAILED, "x").data == b'{"job"'


def test_a_file_that_its_job_removed(spool, ran, settler) -> None:
    """A job that removed its own file and left its outcome has run nonetheless: it is recorded, once."""
    known = ran("x", "succeeded", result='"3"')
    os.unlink(spool.layout.running("x"))
    assert settler.settle("x", known).state is State.DONE
    document = read(spool, State.DONE, "x")
    assert (document["job"], document["result"], len(document["attempts"])) == ("app.Report", 3, 1)
    assert settler.settle("x", known).fate is Fate.GONE
    assert places(spool) == {"x": "done"}


@pytest.mark.parametrize("made", ["succeeded", None])
def test_a_file_that_was_taken_away(spool, ran, settler, made) -> None:
    """A file that is gone is not made anew when nothing was left of the attempt, or when it is not known what the file was."""
    known = ran("x", made)
    os.unlink(spool.layout.running("x"))
    assert settler.settle("x", known if made is None else Known(Origin.STARTED, number=1)).fate is Fate.GONE
    assert places(spool) == {}


@pytest.mark.parametrize("tampered", [False, True])
def test_a_signed_job(spool, drop, clock, living, tampered) -> None:
    """The record of a job that was signed is signed; of one that was changed since it is not, so that it does not run again."""
    settler = Settler(spool, lambda document: POLICY, living, 4096, Boot("", has_markers=True), clock, KEY)
    drop(State.RUNNING, "x", signing.sign(KEY, "x", {"job": "app.Report", "method": "build"}))
    known = known_of(spool, "x")
    if tampered:
        drop(State.RUNNING, "x", {"params": [1]})
    begin(spool, "x")
    leave(spool, "x", lock_lines.outcome(1, "failed", ENDED, {}))
    assert settler.settle("x", known).state is State.PENDING
    data = spool.read(State.PENDING, "x").data
    assert (signing.problem(KEY, "x", jsontext.decode(data), data) is not None) is tampered


# -- a batch


def test_nothing_to_settle(settler) -> None:
    """A batch of nothing has no answers."""
    assert settler.settle_all([]) == []


def test_a_batch(spool, batch, settler) -> None:
    """Each job of a batch comes to its own end, and the answers are in the order of the questions."""
    answers = settler.settle_all(batch())
    assert fates(answers) == [Fate.SETTLED] * 3
    assert [answer.name for answer in answers] == ["a", "b", "c"]
    assert places(spool) == {"a": "done", "b": "pending", "c": "pending"}
    assert [read(spool, answer.state, answer.name) for answer in answers] == [answer.raw for answer in answers]
    assert [answer.raw["attempts"][-1]["outcome"] for answer in answers] == ["succeeded", "failed", "crashed"]
    assert_locks_are_free(spool, "a", "b", "c")


def test_the_order_of_a_batch(batch, settler, steps) -> None:
    """All are written, then all synced, then all in place, then their folder is synced once; only then the first moves."""
    settler.settle_all(batch())
    assert steps.seen[:10] == [
        *("write a", "write b", "write c"),
        *("sync a", "sync b", "sync c"),
        *("replace a", "replace b", "replace c"),
        "sync running/",
    ]
    rest = [step for step in steps.seen[10:] if not step.startswith("unlink")]
    assert rest == ["move a to done", "move b to pending", "move c to pending"]
    assert steps.index("unlink cancel-a") < steps.index("move a to done")
    assert steps.index("unlink c.progress") < steps.index("move c to pending")


def test_the_order_without_fsync(spool, batch, settler, steps) -> None:
    """Where nothing is to be synced the order is the same without that."""
    spool.fsync = False
    settler.settle_all(batch())
    assert not [step for step in steps.seen if step.startswith("sync")]
    assert steps.seen[:6] == ["write a", "write b", "write c", "replace a", "replace b", "replace c"]


def test_a_mixed_batch(spool, drop, ran, settler, living) -> None:
    """What needs no record is answered as by itself, and keeps none of the others from being settled."""
    for job_id in ("settled", "lives", "held", "changed"):
        ran(job_id)
    ran("gone", None)
    known = {job_id: known_of(spool, job_id) for job_id in places(spool)}
    living.pids.add(78)
    begin(spool, "lives", pid=78)
    os.unlink(spool.layout.running("gone"))
    drop(State.RUNNING, "changed", b"{")
    drop(State.RUNNING, "released")
    drop(State.RUNNING, "unstarted")
    drop(State.RUNNING, "recorded", {"attempts": [{"number": 1, "outcome": "succeeded", "verdict": "done"}]})
    known["released"] = known["recorded"] = Known(Origin.STARTED, number=1)
    known["unstarted"] = Known(Origin.STARTED, number=1, releases=MAX_RELEASES)
    lock = locks.acquire(spool.layout.lock("held"))
    assert lock is not None
    order = ["lives", "changed", "settled", "held", "unstarted", "gone", "recorded", "released"]
    answers = settler.settle_all([(job_id, known[job_id]) for job_id in order])
    lock.close()
    assert dict(zip(order, fates(answers), strict=True)) == {
        "lives": Fate.LIVES,
        "changed": Fate.REJECTED,
        "settled": Fate.SETTLED,
        "held": Fate.HELD,
        "unstarted": Fate.SETTLED,
        "gone": Fate.GONE,
        "recorded": Fate.SETTLED,
        "released": Fate.RELEASED,
    }
    assert places(spool) == {
        "lives": "running",
        "changed": "failed",
        "settled": "done",
        "held": "running",
        "unstarted": "pending",
        "recorded": "done",
        "released": "pending",
    }
    assert "never reached its first line" in read(spool, State.PENDING, "unstarted")["attempts"][0]["error"]["message"]
    assert_locks_are_free(spool, *order)


@pytest.mark.parametrize("step", ["write b", "sync b", "replace b"])
def test_one_record_fails(spool, batch, settler, steps, step) -> None:
    """A job whose record cannot be made stays as it was; the others are settled, and it is the next time, once."""
    wanted = batch()
    before = spool.read(State.RUNNING, "b")
    steps.refuse(step)
    answers = settler.settle_all(wanted)
    assert fates(answers) == [Fate.SETTLED, OSError, Fate.SETTLED]
    assert places(spool) == {"a": "done", "b": "running", "c": "pending"}
    assert spool.read(State.RUNNING, "b") == before
    assert os.listdir(spool.layout.tmp) == []
    assert_locks_are_free(spool, "a", "b", "c")
    steps.relent()
    assert fates(settler.settle_all(wanted[1:2])) == [Fate.SETTLED]
    (made,) = read(spool, State.PENDING, "b")["attempts"]
    assert made["outcome"] == "failed"


@pytest.mark.parametrize("step", ["write", "sync", "replace"])
def test_every_record_fails(spool, batch, settler, steps, step) -> None:
    """When no record can be made none moves, no folder is synced, and all are settled when it can."""
    wanted = batch()
    steps.refuse(*(f"{step} {job_id}" for job_id in "abc"))
    assert fates(settler.settle_all(wanted)) == [OSError] * 3
    assert set(places(spool).values()) == {"running"}
    assert "sync running/" not in steps.seen
    steps.relent()
    assert fates(settler.settle_all(wanted)) == [Fate.SETTLED] * 3


@pytest.mark.parametrize("is_known", [True, False], ids=["the same dispatcher", "the next one"])
def test_the_folder_cannot_be_synced(spool, batch, settler, steps, is_known) -> None:
    """Then none moves, though all are recorded; the next time each is synced and moved, and nothing is recorded twice."""
    wanted = batch()
    with open(spool.layout.progress("c"), "wb"):
        pass
    steps.refuse("sync running/")
    answers = settler.settle_all(wanted)
    assert fates(answers) == [OSError] * 3
    assert places(spool) == {"a": "running", "b": "running", "c": "running"}
    recorded = {job_id: spool.read(State.RUNNING, job_id).data for job_id in "abc"}
    assert all(len(orjson.loads(data)["attempts"]) == 1 for data in recorded.values())
    assert_locks_are_free(spool, "a", "b", "c")
    assert fates(settler.settle_all(wanted)) == [OSError] * 3  # the disk is no better yet
    assert set(places(spool).values()) == {"running"}
    steps.relent()
    again = wanted if is_known else [(job_id, Known()) for job_id in "abc"]
    assert fates(settler.settle_all(again)) == [Fate.SETTLED] * 3
    assert places(spool) == {"a": "done", "b": "pending", "c": "pending"}
    moved = {"a": State.DONE, "b": State.PENDING, "c": State.PENDING}
    assert {job_id: spool.read(state, job_id).data for job_id, state in moved.items()} == recorded
    assert not [step for step in steps.seen if step.startswith(("write", "replace"))]
    first_move = min(index for index, step in enumerate(steps.seen) if step.startswith("move"))
    assert "sync running/" in steps.seen[:first_move]
    assert not os.path.exists(spool.layout.progress("c"))


def test_one_record_and_the_folder_fail(spool, batch, settler, steps) -> None:
    """A job that was not recorded when the folder could not be synced is recorded the next time, and no other is."""
    wanted = batch()
    steps.refuse("write b", "sync running/")
    assert fates(settler.settle_all(wanted)) == [OSError] * 3
    steps.relent()
    assert fates(settler.settle_all(wanted)) == [Fate.SETTLED] * 3
    assert [step for step in steps.seen if step.startswith("write")] == ["write b"]
    for job_id, state in (("a", State.DONE), ("b", State.PENDING), ("c", State.PENDING)):
        assert len(read(spool, state, job_id)["attempts"]) == 1


def test_one_move_fails(spool, batch, settler, steps) -> None:
    """A job that is recorded and cannot be moved stays, the others move, and the next time it moves without another record."""
    wanted = batch()
    steps.refuse("move b to pending")
    assert fates(settler.settle_all(wanted)) == [Fate.SETTLED, OSError, Fate.SETTLED]
    assert places(spool) == {"a": "done", "b": "running", "c": "pending"}
    steps.relent()
    assert fates(settler.settle_all(wanted[1:2])) == [Fate.SETTLED]
    assert steps.seen == ["sync running/", "unlink b.progress", "move b to pending"]
    assert len(read(spool, State.PENDING, "b")["attempts"]) == 1


def test_one_cannot_be_opened(spool, batch, settler, monkeypatch) -> None:
    """A file that may not be opened is answered with that error, the others are settled; at the second look it is refused."""
    wanted = batch()
    os.utime(spool.layout.running("b"), (1, 1))
    real = spool.read

    def refuse(state: State, job_id: str):
        if job_id != "b":
            return real(state, job_id)
        raise NotOpenedError("", "cannot be opened") from PermissionError(13, "Permission denied")

    monkeypatch.setattr(spool, "read", refuse)
    answers = settler.settle_all(wanted)
    assert fates(answers) == [Fate.SETTLED, UnopenedError, Fate.SETTLED]
    assert places(spool) == {"a": "done", "b": "running", "c": "pending"}
    (answer,) = settler.settle_all([("b", wanted[1][1].after(1))])
    assert (answer.fate, answer.problem) == (Fate.REJECTED, "cannot be opened: Permission denied")


def test_a_lock_that_cannot_be_taken(spool, batch, settler) -> None:
    """A job whose lock file cannot be opened is answered with that error, and the others are settled."""
    wanted = batch()
    os.unlink(spool.layout.lock("b"))
    os.mkdir(spool.layout.lock("b"))
    answers = settler.settle_all(wanted)
    assert fates(answers[::2]) == [Fate.SETTLED, Fate.SETTLED]
    assert isinstance(answers[1], OSError)
    assert places(spool) == {"a": "done", "b": "running", "c": "pending"}


def test_settle_raises_what_settle_all_answers(batch, settler, steps) -> None:
    """One that is settled by itself raises its error."""
    wanted = batch()
    steps.refuse("write a")
    with pytest.raises(OSError, match="No space left"):
        settler.settle(*wanted[0])


def test_what_cannot_be_removed(spool, batch, settler, monkeypatch) -> None:
    """A job moves though what it leaves cannot be removed, and that is said; the others are none the worse."""

    def refuse(path: str, limit: int, first: bytes) -> None:
        if path == spool.layout.log("b"):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(output, "tidy", refuse)
    answers = settler.settle_all(batch())
    assert fates(answers) == [Fate.SETTLED] * 3
    assert [bool(answer.left) for answer in answers] == [False, True, False]
    assert "Input/output error" in answers[1].left


@pytest.mark.parametrize(
    "step",
    ["write b", "sync b", "replace b", "sync running/", "unlink cancel-a", "move a to done", "move b to pending"],
)
def test_killed_within_a_batch(spool, batch, settler, steps, monkeypatch, step) -> None:
    """A dispatcher that is killed at any step of a batch leaves jobs that the next one settles to the same ends, once each."""
    wanted = batch()
    steps.kill_at(step)
    with pytest.raises(KeyboardInterrupt):
        settler.settle_all(wanted)
    steps.relent()
    assert_locks_are_free(spool, "a", "b", "c")
    there = places(spool)
    left = [(job_id, Known()) for job_id in "abc" if there[job_id] == "running"]
    assert left
    assert fates(settler.settle_all(left)) == [Fate.SETTLED] * len(left)
    assert places(spool) == {"a": "done", "b": "pending", "c": "pending"}
    for job_id, state, outcome in (
        ("a", State.DONE, "succeeded"),
        ("b", State.PENDING, "failed"),
        ("c", State.PENDING, "crashed"),
    ):
        (made,) = read(spool, state, job_id)["attempts"]
        assert made["outcome"] == outcome


# -- what follows a failure for good, and the steps of a job


TOLD = POLICY.override(max_retries=0, on_failure=OnFailure("app.Alerts", "tell"))


def test_on_failure_is_published_between_record_and_move(spool, ran, settler, monkeypatch) -> None:
    """The job of on_failure is there before the failed one moves, and not before its failure is recorded."""
    known = ran("x", "failed", **FAILED)._replace(policy=TOLD)
    seen = []
    real = Spool.publish

    def publish(one: Spool, job_id: str, data: bytes) -> None:
        seen.append((places(one), read(one, State.RUNNING, "x")["attempts"][-1]["verdict"]))
        real(one, job_id, data)

    monkeypatch.setattr(Spool, "publish", publish)
    settled = settler.settle("x", known)
    assert seen == [({"x": "running"}, "failed")]
    assert settled.published == "x.failed.1"
    assert places(spool) == {"x": "failed", "x.failed.1": "pending"}
    assert read(spool, State.PENDING, "x.failed.1")["params"]["error"]["message"] == "no"


@pytest.mark.parametrize(
    ("made", "policy"), [("succeeded", TOLD), ("failed", TOLD.override(max_retries=5)), ("cancelled", TOLD)]
)
def test_nothing_is_told_of_another_end(spool, ran, settler, made, policy) -> None:
    """A job that is done, that is tried again, or that was cancelled is not told of."""
    fields = FAILED if made == "failed" else {}
    assert settler.settle("x", ran("x", made, **fields)._replace(policy=policy)).published == ""
    assert list(places(spool)) == ["x"]


@pytest.mark.parametrize("refused", ["publish", "move"])
def test_on_failure_after_an_error(spool, ran, settler, monkeypatch, refused) -> None:
    """Where publishing or the move fails, the job stays, and the next try publishes what was not published yet, once."""
    known = ran("x", "failed", **FAILED)._replace(policy=TOLD)
    real = getattr(Spool, refused)

    def refuse(*args) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, refused, refuse)
    with pytest.raises(OSError, match="No space left"):
        settler.settle("x", known)
    assert places(spool)["x"] == "running"
    monkeypatch.setattr(Spool, refused, real)
    assert settler.settle("x", known).published == ("x.failed.1" if refused == "publish" else "")
    assert places(spool) == {"x": "failed", "x.failed.1": "pending"}


def test_on_failure_of_what_an_earlier_dispatcher_recorded(spool, ran, living, clock, monkeypatch) -> None:
    """A dispatcher that finds a failure which was recorded and not told of tells it, by the policy that is in force."""
    ran("x", "failed", **FAILED)
    settler = Settler(spool, lambda document: TOLD, living, 4096, Boot("", has_markers=True), clock)

    def dies(one: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(settler, "_finish", dies)
    with pytest.raises(KeyboardInterrupt):
        settler.settle("x", Known())
    monkeypatch.undo()
    assert read(spool, State.RUNNING, "x")["attempts"][-1]["verdict"] == "failed"
    assert settler.settle("x", Known()).published == "x.failed.1"


def make_step(spool: Spool, name: str, key: str) -> None:
    """Let the job of that key have made a step."""
    path = spool.layout.step_file(name)
    step_files.begin(spool.layout, path, step_files.first_line(key, "a", "b", "0"), fsync=False)


def key_in(spool: Spool, job_id: str) -> str:
    found = spool.read(State.RUNNING, job_id)
    return step_files.key_of(orjson.loads(found.data), found.inode)


@pytest.mark.parametrize(
    ("made", "number", "fields", "stays"),
    [
        ("succeeded", 1, {"steps": "true"}, False),
        ("succeeded", 1, {}, True),  # it has made none: nobody looks
        ("succeeded", 2, {}, False),  # an earlier attempt may have made some
        ("failed", 1, {"steps": "true", **FAILED}, True),
        ("failed", 2, {"steps": "true", **FAILED}, True),
        ("cancelled", 1, {"steps": "true"}, True),
        (None, 1, {}, True),
    ],
)
def test_steps(spool, ran, settler, made, number, fields, stays) -> None:
    """The steps of a job go when it is done, and stay while it may be tried again, by hand as well."""
    known = ran("x", made, number, **fields)
    make_step(spool, "x", key_in(spool, "x"))
    settler.settle("x", known)
    assert step_files.names(spool.layout) == (["x"] if stays else [])


def test_steps_of_another_job_stay(spool, ran, settler) -> None:
    """A job that is done takes its own steps, and not those of an earlier one with its id."""
    known = ran("x", "succeeded", steps="true")
    make_step(spool, "x", "another")
    make_step(spool, "x~2", key_in(spool, "x"))
    settler.settle("x", known)
    assert step_files.names(spool.layout) == ["x"]


def test_steps_go_with_the_job(spool, drop, ran, settler) -> None:
    """A job that moves to another name, since its own is taken, has its steps under that."""
    drop(State.FAILED, "x", {"meta": {"id": "x"}})
    known = ran("x", "failed", 2, steps="true", **FAILED)
    key = key_in(spool, "x")
    make_step(spool, "x", key)
    assert settler.settle("x", known._replace(policy=TOLD)).name == "x~2"
    assert step_files.names(spool.layout) == ["x~2"]
    assert step_files.key_of(read(spool, State.FAILED, "x~2"), 0) == key
