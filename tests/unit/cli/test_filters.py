"""Which jobs a verb is for, on the command line: named or chosen, counted, asked about, rehearsed."""

from __future__ import annotations

import io
import os
import sys

import pytest

from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import requests


def failed(kind: str) -> dict:
    return {"attempts": [{"number": 1, "outcome": "failed", "verdict": "failed", "error": {"type": kind}}]}


@pytest.fixture
def museum(spool, drop) -> None:
    """Five jobs that failed, each for its own reason, one that is done and two that wait."""
    drop(State.FAILED, "value1", failed("ValueError"))
    drop(State.FAILED, "value2", {**failed("app.ValueError"), "method": "send"})
    drop(State.FAILED, "key", failed("KeyError"))
    drop(State.FAILED, "unwanted")
    drop(State.FAILED, "torn", b"{")
    spool.explain("unwanted", Outcome.CANCELLED, "", "", 0.0)
    spool.explain("torn", Outcome.REJECTED, "", "", 0.0)
    drop(State.DONE, "done")
    drop(State.PENDING, "waits", {"meta": {"customer": "acme"}})
    drop(State.PENDING, "later", {"next_run_at": "2999-01-01T00:00:00Z"})


@pytest.fixture
def answer(monkeypatch):
    """Let a person sit at a terminal who answers this."""

    def say(text: str) -> None:
        stream = io.StringIO(text)
        stream.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", stream)

    return say


def names(spool, state: State) -> list[str]:
    return sorted(spool.names(state))


@pytest.mark.parametrize(
    ("words", "moved"),
    [
        (["--all"], ["key", "value1", "value2"]),
        (["--error", "ValueError"], ["value1", "value2"]),
        (["--error", "ValueError", "--limit", "1"], ["value1"]),
        (["--error", "app.ValueError"], ["value2"]),
        (["--method", "send"], ["value2"]),
        (["--kind", "app.Report.send"], ["value2"]),
        (["--job", "app.Report", "--match", "KeyError"], ["key"]),
        (["--error", "cancelled"], ["unwanted"]),
        (["--state", "done"], ["done"]),
        (["--all", "--older", "1h"], []),
        (["--all", "--newer", "60"], ["key", "value1", "value2"]),
        (["--group", "nobody"], []),
        (["value1", "done"], ["done", "value1"]),
    ],
)
@pytest.mark.usefixtures("museum")
def test_retry(command, spool, words, moved) -> None:
    """A retry is of the jobs that fit every filter, or of those named; a rehearsal says the same and moves nothing."""
    rehearsed = command("retry", *words, "--dry-run")
    assert names(spool, State.PENDING) == ["later", "waits"]
    told = command("retry", *words)
    assert (rehearsed.code, told.code) == (0, 0)
    assert rehearsed.out == told.out
    assert told.out.count("mv ") == len(moved)
    assert names(spool, State.PENDING) == sorted([*moved, "later", "waits"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["retry"], "name the jobs, or choose them"),
        (["discard"], "name the jobs, or choose them"),
        (["cancel"], "name the jobs, or choose them"),
        (["retry", "x", "--error", "y"], "not both"),
        (["retry", "x", "--all"], "not both"),
        (["discard", "--error", "x"], "say of which state"),
        (["retry", "--kind", "x"], "'x' is not JOB.METHOD"),
        (["retry", "--kind", "a.b", "--job", "a"], "give either that or these"),
        (["list", "--older", "soon"], "--older: "),
        (["list", "--newer", "-1"], "--newer: "),
        (["wait", "x", "--timeout", "soon"], "--timeout: "),
    ],
)
@pytest.mark.usefixtures("museum")
def test_a_choice_that_means_nothing(command, words, told) -> None:
    """Words that choose nothing, or twice, end with 2 and say what to do."""
    answer = command(*words)
    assert answer.code == 2
    assert told in answer.err


@pytest.mark.parametrize("limit", ["-1", "x", "1.5"])
def test_a_limit_that_is_none(command, limit) -> None:
    """A limit is a number from 0."""
    with pytest.raises(SystemExit) as caught:
        command("retry", "--all", "--limit", limit)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("said", "goes_on"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
@pytest.mark.usefixtures("museum")
def test_a_person_is_asked(command, spool, answer, said, goes_on) -> None:
    """At a terminal more than one job is counted and asked about; one alone and --yes are not."""
    answer(said)
    told = command("retry", "--error", "ValueError")
    assert told.err == "retry: 2 jobs\ngo on? [y/N]\n"
    assert told.code == (0 if goes_on else 1)
    assert ("value1" in names(spool, State.PENDING)) is goes_on
    answer("")
    assert command("retry", "--error", "KeyError").code == 0
    assert command("discard", "--state", "failed", "--yes").code == 0
    assert names(spool, State.FAILED) == []


@pytest.mark.usefixtures("museum")
def test_nobody_is_asked_in_a_pipe(command, monkeypatch) -> None:
    """Without a terminal, or without any standard input, nobody is asked."""
    monkeypatch.setattr(sys, "stdin", None)
    assert command("retry", "--error", "ValueError").code == 0


@pytest.mark.usefixtures("museum")
def test_what_is_left(command, drop) -> None:
    """A retry of all says what it leaves, and how to run it all the same; a retry of nothing says that."""
    told = command("retry", "--all")
    assert "1 rejected jobs left" in told.err
    assert "1 cancelled jobs left" in told.err
    assert "nothing to retry in failed/" in command("retry", "--all").err
    assert command("retry", "nobody").code == 1
    assert command("retry", "nobody", "--dry-run").code == 1
    drop(State.FAILED, "waits")
    for words in (["waits"], ["waits", "--dry-run"], ["--all"]):
        told = command("retry", *words)
        assert (told.code, told.err.splitlines()[-1]) == (1, "waits: another job of that id waits in pending/ already")


@pytest.mark.usefixtures("museum")
def test_discard(command, spool) -> None:
    """Jobs that wait, failed or are done are removed by their names or by filters; one that runs is not."""
    assert command("discard", "--state", "failed", "--error", "ValueError", "--dry-run").out.count("rm ") == 2
    assert "value1" in names(spool, State.FAILED)
    assert command("discard", "--state", "failed", "--error", "ValueError").code == 0
    assert command("discard", "waits", "done", "torn").code == 0
    os.rename(spool.layout.job(State.PENDING, "later"), spool.layout.job(State.RUNNING, "later"))
    told = command("discard", "later", "key")
    assert told.code == 1
    assert "later: it runs; `spoolrunner cancel later` ends it" in told.err
    told = command("discard", "nobody")
    assert (told.code, "no job 'nobody'" in told.err) == (1, True)
    assert command("discard", "--state", "done").code == 0
    assert [names(spool, state) for state in State] == [[], ["later"], [], ["unwanted"]]
    assert sorted(os.listdir(spool.layout.folder(State.FAILED))) == ["unwanted.json", "unwanted.reason"]


@pytest.mark.usefixtures("museum")
def test_cancel(command, spool) -> None:
    """Jobs that wait or run are cancelled by filters as by their names; without a dispatcher the requests wait for the next."""
    assert command("cancel", "--match", "acme", "--dry-run").out.count("cancel-waits") == 1
    assert not requests.is_cancel_asked(spool.layout, "waits")
    told = command("cancel", "--match", "acme")
    assert (told.code, "no dispatcher runs" in told.err) == (0, True)
    assert requests.is_cancel_asked(spool.layout, "waits")
    assert not requests.is_cancel_asked(spool.layout, "later")
    told = command("cancel", "later", "done", "--no-wait")
    assert told.code == 1
    assert told.err == "done: neither in pending/ nor in running/\n"
    assert requests.is_cancel_asked(spool.layout, "later")
    assert "nothing to cancel" in command("cancel", "--state", "running").err


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["failed", "--error", "ValueError"], ["value1", "value2"]),
        (["failed", "--error", "ValueError", "-n", "1"], ["value2"]),
        (["pending", "--match", "acme"], ["waits"]),
        (["--method", "send"], ["value2"]),
        (["--kind", "app.Report.build", "--older", "1h"], []),
    ],
)
@pytest.mark.usefixtures("museum")
def test_list(command, words, shown) -> None:
    """The list is of the jobs that fit; where it ends early it says that there may be more."""
    told = command("list", *words)
    assert [row.split("\t")[0] for row in told.out.splitlines()[1:]] == shown
    assert ("there may be more in failed/" in told.err) is ("-n" in words)
