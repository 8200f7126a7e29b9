"""Many jobs at once: which are chosen, what becomes of each, and how many requests stand at a time."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client import bulk, operate
from spoolrunner.client.bulk import Choice, choose, retryable
from spoolrunner.client.operate import CancelEnd, Cancelled, CancelRequest, Retried
from spoolrunner.client.search import Filter, Jobs
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import reason_files
from spoolrunner.system import durable


def failed(settings, **wanted):
    """What lies in failed/ and fits."""
    return Jobs(settings, [State.FAILED], Filter(**wanted)).looks()


def test_what_may_be_retried(spool, config, drop) -> None:
    """All may run again but those that would be rejected again, and those that somebody cancelled."""
    for name in ("b", "a", "bad", "unwanted"):
        drop(State.FAILED, name)
    drop(State.FAILED, "torn", b"{")
    drop(State.FAILED, "stopped", {"attempts": [{"outcome": "failed"}, {"outcome": "cancelled"}]})
    spool.explain("bad", Outcome.REJECTED, "", "", 0.0)
    spool.explain("unwanted", Outcome.CANCELLED, "", "", 0.0)
    spool.explain("b", Outcome.EXPIRED, "", "", 0.0)
    settings = config()
    found = retryable(settings.layout, failed(settings))
    assert found == ([Choice("a", State.FAILED), Choice("b", State.FAILED, "expired")], 2, 2, 0)
    assert [job.name for job in retryable(settings.layout, failed(settings), limit=1).jobs] == ["a"]
    for error, names in (("cancelled", ["stopped", "unwanted"]), ("rejected", ["bad"])):
        assert [job.name for job in retryable(settings.layout, failed(settings, error=error), error).jobs] == names


def test_choose(config, drop) -> None:
    """The first so many that a search finds are chosen, or all."""
    for name in "abc":
        drop(State.FAILED, name)
    assert [choice.name for choice in choose(failed(config()))] == ["a", "b", "c"]
    assert [choice.name for choice in choose(failed(config()), 2)] == ["a", "b"]


def test_retry(spool, config, drop, monkeypatch) -> None:
    """Of many each goes back for itself: one that expired loses its expiry, a taken or torn one stays; all share a sync."""
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_folder", lambda path: synced.append(os.path.basename(path)))
    monkeypatch.setattr(bulk, "_AT_ONCE", 4)
    for name in ("a", "late", "taken", "torn"):
        drop(State.FAILED, name, {"expires_at": "2020-01-01T00:00:00Z"} if name == "late" else None)
    drop(State.FAILED, "torn", b"{")
    drop(State.PENDING, "taken")
    drop(State.DONE, "z")
    for name in ("late", "torn"):
        spool.explain(name, Outcome.EXPIRED, "", "", 0.0)
    chosen = [Choice(name, State.FAILED) for name in ("a", "gone", "taken")]
    chosen += [Choice(name, State.FAILED, "expired") for name in ("late", "torn", "gone too")]
    synced.clear()
    done = {choice.name: retried for choice, retried in bulk.retry(config(), [*chosen, Choice("z", State.DONE)])}
    assert "JSON" in str(done.pop("torn").error)
    assert done == {
        "a": Retried(State.FAILED),
        "gone": Retried(),
        "taken": Retried(is_taken=True),
        "late": Retried(State.FAILED, lost_expiry=True),
        "gone too": Retried(),
        "z": Retried(State.DONE),
    }
    assert b"expires_at" not in spool.read(State.PENDING, "late").data
    assert not reason_files.is_there(spool.layout, "late")
    assert synced.count("pending") == 2


def test_an_error_of_one_file(config, drop, monkeypatch) -> None:
    """A file that cannot be moved or removed is an error of its own, and the others go on."""
    for name in "abc":
        drop(State.FAILED, name)
    real_rename, real_unlink = durable.rename, durable.unlink

    def refuse(path: str) -> None:
        if path.endswith("/b.json"):
            raise PermissionError(1, "immutable", path)

    monkeypatch.setattr(durable, "rename", lambda source, target: (refuse(source), real_rename(source, target)))
    monkeypatch.setattr(durable, "unlink", lambda path: refuse(path) or real_unlink(path))
    chosen = [Choice(name, State.FAILED) for name in "abc"]
    done = [retried for _, retried in bulk.retry(config(), chosen)]
    assert [retried.source for retried in done] == [State.FAILED, None, State.FAILED]
    assert isinstance(done[1].error, PermissionError)
    drop(State.FAILED, "a")
    gone = [gone for _, gone in bulk.discard(config().layout, chosen)]
    assert gone[0] is True
    assert isinstance(gone[1], PermissionError)
    assert gone[2] is False


def test_discard(spool, drop) -> None:
    """A job is removed from where it was found, with its reason and its log; another of its id stays, and the log too."""
    for state, name in ((State.PENDING, "a"), (State.FAILED, "b"), (State.DONE, "c"), (State.FAILED, "c")):
        drop(state, name)
        with open(spool.layout.log(name), "wb"):
            pass
    spool.explain("b", Outcome.EXPIRED, "", "", 0.0)
    chosen = [
        Choice("a", State.PENDING),
        Choice("b", State.FAILED),
        Choice("c", State.DONE),
        Choice("gone", State.DONE),
    ]
    assert [gone for _, gone in bulk.discard(spool.layout, chosen)] == [True, True, True, False]
    assert os.listdir(spool.layout.pending) == []
    assert os.listdir(spool.layout.folder(State.DONE)) == []
    assert os.listdir(spool.layout.folder(State.FAILED)) == ["c.json"]
    assert os.listdir(spool.layout.job_logs) == ["c.log"]


@pytest.fixture
def carried_out(monkeypatch) -> dict[str, list[int]]:
    """A dispatcher that carries out each cancel when it is waited for; how many stand then, and the time given to each."""
    seen: dict[str, list] = {"standing": [], "limits": []}

    def wait(layout, request: CancelRequest, limit: float) -> Cancelled:
        seen["standing"].append(len(os.listdir(layout.control)))
        seen["limits"].append(limit)
        os.unlink(layout.cancel(request.job_id))
        return Cancelled(CancelEnd.CANCELLED if limit else CancelEnd.STANDS, "cancelled")

    monkeypatch.setattr(operate, "await_cancel", wait)
    return seen


def test_few_cancels_stand_at_a_time(spool, drop, carried_out, monkeypatch) -> None:
    """However many are to be cancelled, a few requests stand at a time; all are carried out, each is reported."""
    monkeypatch.setattr(bulk, "_CANCELS_AT_ONCE", 3)
    names = [f"{number:02}" for number in range(10)]
    for name in names:
        drop(State.PENDING, name)
    asked: list[str] = []
    chosen = [Choice(name, State.PENDING) for name in [*names[:5], "gone", *names[5:]]]
    answers = list(bulk.cancel(spool.layout, chosen, 5.0, lambda choice: asked.append(choice.name)))
    assert sorted(choice.name for choice, answer in answers if answer is not None) == asked == names
    assert [choice.name for choice, answer in answers if answer is None] == ["gone"]
    assert max(carried_out["standing"]) == 3
    assert set(carried_out["limits"]) == {5.0}


def test_after_one_that_was_not_carried_out_none_is_waited_for(spool, drop, carried_out, monkeypatch) -> None:
    """When a cancel stands after its time, the others are asked for all the same, and not waited for one after the other."""
    monkeypatch.setattr(bulk, "_CANCELS_AT_ONCE", 2)
    real = operate.await_cancel
    stands = iter([Cancelled(CancelEnd.STANDS)])
    monkeypatch.setattr(operate, "await_cancel", lambda *about: next(stands, None) or real(*about))
    for name in "abcd":
        drop(State.PENDING, name)
    chosen = [Choice(name, State.PENDING) for name in "abcd"]
    answers = [answer.end for _, answer in bulk.cancel(spool.layout, chosen, 5.0, lambda _choice: None)]
    assert answers == [CancelEnd.STANDS] * 4
    assert set(carried_out["limits"]) == {0.0}


def test_those_that_failed_for_others(config, spool, drop) -> None:
    """One that failed for another is left while that lies failed and is not retried with it; else it comes behind that."""
    settings = config()
    drop(State.FAILED, "z")
    drop(State.FAILED, "bad")
    spool.explain("bad", Outcome.REJECTED, "", "", 0.0)
    for name, cause in (("x", "z"), ("a", "x"), ("y", "bad")):
        drop(State.FAILED, name, {"after": [cause]})
        spool.explain(name, Outcome.DEPENDENCY_FAILED, "", "", 0.0)
    found = retryable(settings.layout, failed(settings))
    assert ([job.name for job in found.jobs], found.rejected, found.dependent) == (["z", "x", "a"], 1, 1)
