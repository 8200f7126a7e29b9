"""What a list shows of a job, read once for as long as its file stays as it is."""

from __future__ import annotations

import os

from spoolrunner.client import glance as module
from spoolrunner.client.glance import Glances, start_key
from spoolrunner.protocol.states import State

ATTEMPT = {
    "number": 1,
    "outcome": "failed",
    "verdict": "failed",
    "started_at": "2027-01-15T07:00:10Z",
    "ended_at": "2027-01-15T07:00:14Z",
    "error": {"type": "m.BadError", "message": "x" * 1000},
}


def test_what_is_said(config, drop) -> None:
    """A glance has what the file says, with texts cut, and what its method's policy adds."""
    settings = config(allowed_jobs={"app.Report": {"build": {"group": "mail", "max_retries": 1, "priority": 3}}})
    drop(State.FAILED, "a", {"created_at": "2027-01-15T07:00:00Z", "attempts": [ATTEMPT], "meta": {"schedule": "s"}})
    found = Glances(settings).of(State.FAILED, "a")
    assert found is not None
    assert (found.kind, found.group, found.starts, found.most_starts, found.priority) == (
        "app.Report.build",
        "mail",
        1,
        2,
        3,
    )
    assert (found.waited, found.ran, found.schedule) == (10.0, 4.0, "s")
    assert found.errors == ("failed", "m.BadError", "BadError")
    assert len(found.error) < 300


def test_a_waiting_job(config, drop, clock) -> None:
    """Of one that waits it is known when it is due and what it waits for; of one that will be refused, why."""
    glances = Glances(config())
    drop(State.PENDING, "late", {"next_run_at": "2999-01-01T00:00:00Z", "after": {"jobs": ["x"], "when": "ended"}})
    drop(State.PENDING, "bad", {"delay": "soon"})
    drop(State.PENDING, "other", {"method": "nothing"})
    late, bad, other = (glances.of(State.PENDING, name) for name in ("late", "bad", "other"))
    assert late is not None
    assert bad is not None
    assert other is not None
    assert (late.due_at, late.after, late.problem) == (32472144000.0, ("x",), "")
    assert (bad.due_at, "delay" in bad.problem) == (None, True)
    assert "not in allowed_jobs" in other.problem
    settings = config()
    order = sorted((late, bad), key=lambda one: start_key(one, settings, clock.wall()))
    assert [one.id for one in order] == ["late", "bad"]


def result_of(glances: Glances) -> str:
    found = glances.of(State.DONE, "a")
    assert found is not None
    return found.result


def test_it_is_read_once(config, drop, monkeypatch) -> None:
    """A file is read again only when it has changed, when another configuration is in force, or when it was forgotten."""
    settings, read = config(), []
    look = module.look
    monkeypatch.setattr(module, "look", lambda *asked: read.append(asked[2]) or look(*asked))
    glances = Glances(settings, most=2)
    drop(State.DONE, "a", {"result": 1})
    assert not glances.is_known(State.DONE, "a")
    for _ in range(3):
        assert result_of(glances) == "1"
    assert (read, glances.is_known(State.DONE, "a")) == (["a"], True)
    os.unlink(drop(State.DONE, "x"))
    drop(State.DONE, "a", {"result": 22})
    assert result_of(glances) == "22"
    glances.use(settings)
    glances.of(State.DONE, "a")
    assert read == ["a", "a"]
    glances.use(config())
    glances.of(State.DONE, "a")
    assert read == ["a", "a", "a"]
    for name in "bc":
        drop(State.DONE, name)
        glances.of(State.DONE, name)
    assert not glances.is_known(State.DONE, "a")


def test_what_is_gone_or_unfit(config, drop) -> None:
    """A file that is gone is None, one that cannot be read has a problem, and nonsense breaks nothing."""
    glances = Glances(config())
    assert glances.of(State.DONE, "a") is None
    drop(State.FAILED, "torn", b"{")
    torn = glances.of(State.FAILED, "torn")
    assert torn is not None
    assert torn.problem
    assert glances.of(State.DONE, "x" * 5000) is None
    nonsense = {
        "attempts": [{"started_at": 5}, "x"],
        "meta": [],
        "after": 5,
        "priority": "x",
        "group": 5,
        "job": [],
        "delay": {},
    }
    for state in State:
        drop(state, "b", nonsense)
        assert glances.of(state, "b") is not None
