"""Why a job has not started: every reason that there is."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.client import why as module
from spoolrunner.client.why import why, why_by_files
from spoolrunner.errors import JobNotFoundError
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.system import clock as clock_module

NOBODY = "no dispatcher serves the spool; `spoolrunner run` starts one"


@pytest.fixture(autouse=True)
def _time(clock, monkeypatch) -> None:
    monkeypatch.setattr(clock_module, "SYSTEM", clock)


@pytest.fixture
def serve(spool, monkeypatch):
    """A dispatcher serves the spool and has said this in status.json."""

    def say(**status) -> None:
        monkeypatch.setattr(module, "dispatcher_of", lambda layout: {"pid": 5, "host": "h", "since": "then"})
        with open(spool.layout.status, "w", encoding="ascii") as stream:
            json.dump({"state": "running", "concurrency": 2, **status}, stream)

    return say


def running(name: str, method: str = "build") -> dict:
    return {"id": name, "job": "app.Report", "method": method, "started_at": "2027-01-15T07:59:00Z"}


def reasons(settings, job_id: str = "x") -> list[str]:
    answer = why(settings, job_id)
    assert answer.state is State.PENDING
    return answer.reasons


def test_nothing_keeps_it(config, drop, serve) -> None:
    """A job that is about to start has no reason."""
    drop(State.PENDING, "x")
    serve()
    assert reasons(config()) == []
    serve(running=[running("a"), running("b")][:1])
    assert reasons(config()) == []


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE, State.FAILED])
def test_a_job_that_does_not_wait(config, drop, state) -> None:
    """A job that runs or is over waits for nothing; one that is nowhere is an error."""
    drop(state, "x")
    assert why(config(), "x") == (state, [])
    with pytest.raises(JobNotFoundError):
        why(config(), "y")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not valid UTF-8 JSON"),
        ({"prams": []}, "did you mean 'params'"),
        ({"method": "bild"}, "is not listed under 'app.Report' in allowed_jobs (did you mean 'build'?)"),
        ({"job": "app.Rapport"}, "is not in allowed_jobs"),
        ({"timeout": "30d"}, "timeout"),
    ],
)
def test_a_job_that_will_be_refused(config, drop, content, words) -> None:
    """Of a job that the dispatcher will refuse it is said with what words; a file that is being written may be such."""
    drop(State.PENDING, "x", content)
    first, *others = reasons(config(timeout_limit="1d"))
    assert first.startswith("it will be refused as it is: ")
    assert words in first
    assert others == [NOBODY]


def test_parameters_that_a_command_does_not_take(config, drop) -> None:
    """Of a command's job that will be refused it is said which parameter is missing."""
    drop(State.PENDING, "x")
    first, _ = reasons(config(allowed_jobs={"app.Report": {"build": {"argv": ["ls", "{folder}"]}}}))
    assert first.startswith("it will be refused as it is: params: folder: missing")


def test_a_signature_that_is_wrong(config, drop, tmp_path) -> None:
    """A job without a signature, where one is asked for, will be refused."""
    (tmp_path / "key").write_text("ab" * 32)
    os.chmod(tmp_path / "key", 0o600)
    drop(State.PENDING, "x")
    assert "signature" in reasons(config(signing_key="key"))[0]


def test_its_own_time(config, drop) -> None:
    """A job that is not due says when it is; one that has run says so; one that is too late, too."""
    due = "it is not due until 2999-01-01T00:00:00.000000Z"
    drop(State.PENDING, "x", {"next_run_at": "2999-01-01T00:00:00Z"})
    assert reasons(config()) == [due, NOBODY]
    attempts = [{"number": 1, "outcome": "failed", "verdict": "retry"}]
    drop(State.PENDING, "x", {"next_run_at": "2999-01-01T00:00:00Z", "attempts": attempts})
    assert reasons(config()) == [f"{due}, after attempt 1", NOBODY]
    drop(State.PENDING, "x", {"expires_at": "2026-01-01T00:00:00Z"})
    assert reasons(config())[0].startswith("it is too late for it")


def test_what_people_asked_for(spool, config, drop, serve) -> None:
    """A pause and a cancel are said, with the files that ask for them."""
    drop(State.PENDING, "x")
    serve()
    requests.pause(spool.layout)
    requests.request_cancel(spool.layout, "x")
    assert reasons(config()) == [
        f"it is to be cancelled: {spool.layout.cancel('x')} exists",
        f"the spool is paused: {spool.layout.pause} exists; `spoolrunner resume` goes on",
    ]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"state": "blocked", "trouble": ["No space left on device"]}, ["blocked: No space left on device"]),
        ({"state": "blocked"}, ["the dispatcher is blocked"]),
        ({"state": "stopping"}, ["about to end"]),
        ({"trouble": ["/etc/config.json is not taken over, since"]}, []),
        ({"trouble": ["CONFIG is not taken over, what was read before stays"]}, ["is not taken over"]),
    ],
)
def test_what_keeps_the_dispatcher(config, drop, serve, status, told) -> None:
    """What the dispatcher says to be wrong with itself is a reason; trouble of other jobs is not."""
    settings = config()
    drop(State.PENDING, "x")
    serve(**{**status, "trouble": [text.replace("CONFIG", settings.path) for text in status.get("trouble", [])]})
    found = reasons(settings)
    assert len(found) == len(told)
    assert all(words in sentence for words, sentence in zip(told, found, strict=True))


def test_what_is_put_off(config, drop, serve) -> None:
    """What stands in the dispatcher's register of this job is said, until when, and once."""
    drop(State.PENDING, "x")
    drop(State.RUNNING, "x")
    entries = [{"id": "x", "why": "another runs", "until": None}, {"id": "y", "why": "other"}]
    serve(postponed=entries, running=[running("x")])
    assert reasons(config()) == ["another runs"]
    serve(postponed=[{"id": "x", "why": "it is tried again", "until": "2027-01-15T08:00:02Z"}])
    assert reasons(config()) == ["it is tried again, until 2027-01-15T08:00:02Z"]
    serve()
    assert reasons(config()) == ["an earlier job of this id is still in running/"]


def test_its_method_is_busy(config, drop, serve) -> None:
    """A method that runs as often as it may is a reason, though the register shows the first hundred jobs only."""
    settings = config(allowed_jobs={"app.Report": {"build": {"concurrency": 1}, "send": {}}})
    drop(State.PENDING, "x")
    serve(concurrency=5, running=[running("a", "send")])
    assert reasons(settings) == []
    serve(concurrency=5, running=[running("a", "send"), running("b")])
    assert reasons(settings) == ["its method runs as often as it may at once: 1 of 1"]


def test_behind_others(config, drop, serve, monkeypatch) -> None:
    """While all places are taken it is said how many come before it, of those that are due."""
    drop(State.PENDING, "a", age=9)
    drop(State.PENDING, "later", {"next_run_at": "2999-01-01T00:00:00Z"})
    drop(State.PENDING, "urgent", {"priority": 5}, age=1)
    drop(State.PENDING, "torn", b"{")
    drop(State.PENDING, "x", age=5)
    drop(State.PENDING, "y", age=1)
    serve(running=[running("b"), running("c")])
    assert reasons(config(priority_aging=0)) == ["all 2 places are taken; it is behind 2 others"]
    assert reasons(config(priority_aging=0), "urgent") == ["all 2 places are taken; it is behind 0 others"]
    monkeypatch.setattr(module.listing, "MOST_ORDERED", 3)
    assert reasons(config()) == ["all 2 places are taken; others that are due may come before it"]


def test_a_status_of_another_shape(config, drop, serve) -> None:
    """What is in status.json that we do not write counts as not told."""
    drop(State.PENDING, "x")
    serve(state=5, concurrency="x", running={"a": 1}, postponed=[None, {"id": "x"}], trouble="x")
    assert reasons(config()) == []


def test_while_config_json_is_unfit(spool, drop, serve) -> None:
    """What the files and the dispatcher say is said all the same, and that the rest is not."""
    drop(State.PENDING, "x", {"delay": 60, "job": "not.allowed", "group": "mail"})
    requests.pause_part(spool.layout, "group-mail")
    serve(state="blocked", trouble=["the disk is full"])
    answer = why_by_files(spool.layout, "config.json", "x")
    unfit, *reasons = answer.reasons
    assert unfit.startswith("config.json is unfit")
    assert [text.partition(":")[0].partition(" until")[0] for text in reasons] == [
        "it is not due",
        "the dispatcher is blocked",
        "its group is paused",
    ]


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE, State.FAILED])
def test_elsewhere_while_config_json_is_unfit(spool, drop, state) -> None:
    """Where a job lies that does not wait is known without config.json."""
    drop(state, "x")
    assert why_by_files(spool.layout, "config.json", "x") == (state, [])
