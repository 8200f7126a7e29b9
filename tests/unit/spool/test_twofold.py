"""One job under two names, as a power cut leaves it, told from a second job that bears the same id."""

from __future__ import annotations

import json
import os
import sys
from itertools import permutations

import pytest

from spoolrunner.protocol.states import Outcome, State, Verdict
from spoolrunner.spool import locks, record, twofold
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.retrying import put_back
from spoolrunner.spool.traces import Marker
from spoolrunner.spool.twofold import remove_second_names

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="NTFS keeps its renames whole")
DONE, FAILED, PENDING, RUNNING = State.DONE, State.FAILED, State.PENDING, State.RUNNING


def attempts(*verdicts: Verdict) -> list[dict]:
    outcomes = {Verdict.DONE: Outcome.SUCCEEDED, Verdict.RETRY: Outcome.FAILED, Verdict.FAILED: Outcome.FAILED}
    return [
        {"number": number, "outcome": outcomes[verdict].value, "verdict": verdict.value}
        for number, verdict in enumerate(verdicts, 1)
    ]


@pytest.fixture
def put(spool, drop):
    """Put a file with these verdicts into a state folder that says it has replaced those; returns its stamp."""

    def put(state: State, *verdicts: Verdict, replaces: list[Stamp] = (), job_id: str = "x", **keys) -> Stamp:
        document = {**keys, "attempts": attempts(*verdicts)} if verdicts else keys
        if replaces:
            document["replaces"] = [list(stamp) for stamp in replaces]
        drop(state, job_id, document)
        stamp = spool.stamp(state, job_id)
        assert stamp is not None
        return stamp

    return put


@pytest.fixture
def places(spool):
    """Where files lie, each as state/id."""

    def look() -> list[str]:
        return [f"{state}/{job_id}" for state in State for job_id in sorted(spool.names(state))]

    return look


@pytest.mark.parametrize(("earlier", "later"), list(permutations(State, 2)))
def test_a_file_that_was_replaced(spool, put, places, earlier, later) -> None:
    """Of two files of an id the one that the other has replaced is removed, wherever they lie, and named with the other."""
    first = put(earlier)
    put(later, Verdict.RETRY, replaces=[first])
    (second_name,) = remove_second_names(spool)
    assert places() == [f"{later}/x"]
    assert (str(second_name.removed), str(second_name.kept)) == (f"{earlier}/x.json", f"{later}/x.json")
    assert remove_second_names(spool) == []


def test_a_file_that_was_replaced_long_ago(spool, put, places) -> None:
    """A file is known by any later record, not only by the next one, and so are several of them."""
    first = put(PENDING)
    second = put(RUNNING, Verdict.RETRY, replaces=[first])
    put(DONE, Verdict.RETRY, Verdict.DONE, replaces=[first, second])
    assert len(remove_second_names(spool)) == 2
    assert places() == ["done/x"]


def test_a_job_that_had_to_take_another_name(spool, put, places) -> None:
    """A job whose name was taken by another went to ID~2; the file that it replaced is known all the same."""
    put(DONE, Verdict.DONE)
    first = put(PENDING)
    put(DONE, Verdict.DONE, replaces=[first], job_id="x~2")
    remove_second_names(spool)
    assert places() == ["done/x", "done/x~2"]


@pytest.mark.parametrize("state", [DONE, FAILED, RUNNING])
@pytest.mark.parametrize("verdicts", [(), (Verdict.RETRY,), (Verdict.FAILED,), (Verdict.DONE,)])
def test_a_second_job_of_the_id(spool, put, places, state, verdicts) -> None:
    """A second job is left alone, though its document is word by word that of the file which was replaced."""
    first = put(PENDING, *verdicts, priority=3)
    os.unlink(spool.layout.job(PENDING, "x"))
    put(state, *verdicts, Verdict.DONE, replaces=[first], priority=3)
    os.close(os.open(spool.layout.job(PENDING, "other"), os.O_CREAT | os.O_WRONLY))  # the inode may be given out again
    put(PENDING, *verdicts, priority=3)
    assert remove_second_names(spool) == []
    assert f"{PENDING}/x" in places()
    assert f"{state}/x" in places()


def test_a_copy_that_a_person_made(spool, put, places) -> None:
    """A copy of a finished job that a person put into pending/, and its original, are two jobs."""
    first = put(RUNNING)
    put(DONE, Verdict.DONE, replaces=[first])
    os.unlink(spool.layout.job(RUNNING, "x"))
    put(PENDING, Verdict.DONE, replaces=[first])
    assert remove_second_names(spool) == []
    assert places() == ["pending/x", "done/x"]


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        ((PENDING, RUNNING), RUNNING),
        ((RUNNING, DONE), RUNNING),
        ((RUNNING, FAILED), RUNNING),
        ((PENDING, DONE), PENDING),
        ((PENDING, FAILED), PENDING),
        ((PENDING, RUNNING, DONE), RUNNING),
        ((PENDING, RUNNING, FAILED), RUNNING),
    ],
)
@pytest.mark.parametrize("verdicts", [(), (Verdict.RETRY,), (Verdict.FAILED,)])
def test_two_names_of_one_inode(spool, put, places, states, kept, verdicts) -> None:
    """Of the names of one file that is kept from which the job can go on; its bytes and its inode stay.

    A job that is over may have been retried by hand: then it was claimed only if a marker says so.
    """
    stamp = put(states[0], *verdicts)
    if verdicts == (Verdict.FAILED,) and PENDING in states:
        kept = PENDING
    for state in states[1:]:
        os.link(spool.layout.job(states[0], "x"), spool.layout.job(state, "x"))
    assert len(remove_second_names(spool)) == len(states) - 1
    assert places() == [f"{kept}/x"]
    assert spool.stamp(kept, "x") == stamp


@pytest.mark.parametrize("kind", [CLAIM, START])
@pytest.mark.parametrize(("attempt", "kept"), [(1, PENDING), (2, RUNNING)])
def test_a_retry_by_hand_that_was_claimed(spool, put, places, kind, attempt, kept) -> None:
    """A finished job that lies in running/ and pending/ was claimed if a marker of its next attempt is there, else retried."""
    stamp = put(PENDING, Verdict.DONE)
    os.link(spool.layout.job(PENDING, "x"), spool.layout.job(RUNNING, "x"))
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.append(Marker(kind, attempt, *stamp).line())
    lock.close()
    assert len(remove_second_names(spool)) == 1
    assert places() == [f"{kept}/x"]


@pytest.mark.parametrize(
    ("outcome", "kept"), [(Outcome.CANCELLED, FAILED), (Outcome.REJECTED, PENDING), (Outcome.EXPIRED, PENDING)]
)
def test_a_waiting_job_that_was_refused(spool, put, places, clock, outcome, kept) -> None:
    """A cancelled job stays in failed/, since the request is gone; one that was refused is refused again."""
    put(PENDING)
    spool.explain("x", outcome, "why", "pending/x.json", clock.wall())
    os.link(spool.layout.job(PENDING, "x"), spool.layout.job(FAILED, "x"))
    assert len(remove_second_names(spool)) == 1
    assert places() == [f"{kept}/x"]


def test_a_retry_by_hand_leaves_no_reason_to_doubt_it(spool, put, places, clock) -> None:
    """A cancelled job that `retry` has put back waits, though a power cut has left its name in failed/ too."""
    put(FAILED)
    spool.explain("x", Outcome.CANCELLED, "why", "pending/x.json", clock.wall())
    assert put_back(spool, "x", FAILED)
    os.link(spool.layout.job(PENDING, "x"), spool.layout.job(FAILED, "x"))
    remove_second_names(spool)
    assert places() == ["pending/x"]


def test_put_back_syncs_the_removal_of_the_reason(spool, put, clock, monkeypatch) -> None:
    """The reason of a retried job is gone for good before the retry is promised; without one there is nothing to sync."""
    synced: list[str] = []
    monkeypatch.setattr("spoolrunner.system.durable.sync_folder", synced.append)
    put(FAILED, job_id="a")
    put(FAILED, job_id="b")
    spool.explain("a", Outcome.CANCELLED, "why", "pending/a.json", clock.wall())
    for job_id in ("a", "b"):
        put_back(spool, job_id, FAILED)
    assert synced == [spool.layout.pending, spool.layout.folder(FAILED), spool.layout.pending]


def test_what_a_stranger_wrote_is_not_believed(spool, put, places, monkeypatch) -> None:
    """A file of another user that claims to have replaced a waiting job removes nothing."""
    first = put(PENDING)
    put(PENDING, Verdict.RETRY, replaces=[first], job_id="x~2")
    monkeypatch.setattr(twofold, "_user", lambda: os.geteuid() + 1)
    assert remove_second_names(spool) == []
    monkeypatch.setattr(twofold, "_user", None)
    assert remove_second_names(spool) == []
    assert places() == ["pending/x", "pending/x~2"]


def test_other_ids(spool, put, places) -> None:
    """Files of two ids are two jobs, though one says that it has replaced the other, and though they are one inode."""
    first = put(PENDING, job_id="a")
    put(DONE, Verdict.DONE, replaces=[first], job_id="b")
    os.link(spool.layout.job(PENDING, "a"), spool.layout.job(PENDING, "c"))
    assert remove_second_names(spool) == []
    assert places() == ["pending/a", "pending/c", "done/b"]


@pytest.mark.parametrize("data", [b"", b'{"job": "app.Rep', b"\0" * 300])
def test_a_file_that_the_power_cut_tore(spool, put, drop, places, data) -> None:
    """A document that cannot be read shows nothing; what another says of it counts."""
    first = put(PENDING)
    drop(RUNNING, "x", data)
    assert remove_second_names(spool) == []
    torn = spool.stamp(RUNNING, "x")
    put(DONE, Verdict.DONE, replaces=[first, torn])
    assert len(remove_second_names(spool)) == 2
    assert places() == ["done/x"]


def test_a_running_file_whose_lock_is_held(spool, put, places) -> None:
    """The name in running/ is not taken from a process that holds its lock."""
    first = put(RUNNING)
    put(PENDING, Verdict.RETRY, replaces=[first])
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    assert remove_second_names(spool) == []
    lock.close()
    assert len(remove_second_names(spool)) == 1
    assert places() == ["pending/x"]


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_file_that_came_into_its_place_meanwhile(spool, put, drop, places, monkeypatch, is_taken) -> None:
    """Another job that was published under the name after the look keeps it, or has the next free one."""
    first = put(PENDING)
    put(DONE, Verdict.DONE, replaces=[first])
    real = twofold.durable.rename

    def rename(source: str, target: str) -> None:
        if target.startswith(spool.layout.tmp):
            spare = spool.layout.job(PENDING, "spare")
            drop(PENDING, "spare", {"priority": 9})
            os.replace(spare, source)
        real(source, target)
        if is_taken and target.startswith(spool.layout.tmp):
            drop(PENDING, "x", {"priority": 8})

    monkeypatch.setattr(twofold.durable, "rename", rename)
    assert remove_second_names(spool) == []
    assert places() == ["pending/x", *(["pending/x~2"] if is_taken else []), "done/x"]
    with open(spool.layout.job(PENDING, "x~2" if is_taken else "x"), "rb") as stream:
        assert json.load(stream)["priority"] == 9
    assert os.listdir(spool.layout.tmp) == []


def test_the_removal_is_synced(spool, put, monkeypatch) -> None:
    """Each folder that lost a name is synced once, so that the next power cut does not bring it back without the other."""
    synced: list[str] = []
    monkeypatch.setattr("spoolrunner.system.durable.sync_folder", synced.append)
    for job_id in ("a", "b"):
        first = put(PENDING, job_id=job_id)
        put(DONE, Verdict.DONE, replaces=[first], job_id=job_id)
    spool.fsync = True
    assert len(remove_second_names(spool)) == 2
    assert synced == [spool.layout.pending]
    assert remove_second_names(spool) == []
    assert synced == [spool.layout.pending]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65])
def test_a_document_says_what_it_replaced(spool, drop, count) -> None:
    """A record adds the file that it replaces to those before, of which the last ones are kept."""
    drop(RUNNING, "x")
    document: dict = {"job": "app.Report"}
    for number in range(count):
        document = record.replacing(spool.layout, "x", document, Stamp(number, 1, 2))
    made = record.replacing(spool.layout, "x", document, Stamp(999, 1, 2))
    assert made["replaces"][-1] == [999, 1, 2]
    assert len(made["replaces"]) == min(count + 1, 64)
    assert made["job"] == "app.Report"


@pytest.mark.parametrize("is_there", [True, False])
def test_what_a_stranger_wrote_is_not_handed_on(spool, drop, monkeypatch, is_there) -> None:
    """A record of another user's file does not repeat what that says to have replaced: it would be believed of the record."""
    if is_there:
        drop(RUNNING, "x")
        monkeypatch.setattr(record, "_user", lambda: os.geteuid() + 1)
    forged = {"replaces": [[1, 2, 3]]}
    assert record.replacing(spool.layout, "x", forged, Stamp(7, 8, 9))["replaces"] == [[7, 8, 9]]
