"""How commands end that wait for a job, or look at one: `wait`, `logs -f`, `why`, `status`, `show`."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.client import waking
from spoolrunner.protocol.states import Outcome, State

DONE = {"attempts": [{"number": 1, "outcome": "succeeded", "verdict": "done"}]}
FAILED = {"attempts": [{"number": 1, "outcome": "failed", "verdict": "failed", "error": {"type": "ValueError"}}]}


@pytest.fixture
def ends(spool, drop) -> None:
    """A job for each end, and one that waits."""
    drop(State.DONE, "good", {**DONE, "result": {"a": 1}})
    drop(State.DONE, "none", DONE)
    drop(State.DONE, "dropped", {"attempts": [{**DONE["attempts"][0], "result_dropped": "set is no JSON"}]})
    drop(State.FAILED, "bad", FAILED)
    for outcome in (Outcome.CANCELLED, Outcome.REJECTED, Outcome.EXPIRED):
        drop(State.FAILED, outcome.value)
        spool.explain(outcome.value, outcome, "why", "", 0.0)
    drop(State.PENDING, "waits")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["good"], 0),
        (["good", "none", "good"], 0),
        (["bad"], 1),
        (["cancelled"], 1),
        (["rejected"], 1),
        (["expired"], 1),
        (["good", "bad"], 1),
        (["waits", "--timeout", "0"], 124),
        (["waits", "good", "--timeout", "0.01"], 124),
        (["waits", "bad", "--timeout", "0"], 1),
        (["waits", "good", "--any"], 0),
        (["waits", "bad", "--any"], 1),
        (["waits", "--any", "--timeout", "0"], 124),
        (["nobody"], 2),
        (["good", "nobody"], 2),
        (["../x"], 2),
        (["dropped"], 0),
        (["dropped", "--result"], 1),
    ],
)
@pytest.mark.usefixtures("ends")
def test_wait(command, words, code) -> None:
    """All done is 0, one that failed 1, an unknown one 2, and time that is up 124, which 1 beats."""
    assert command("wait", *words).code == code


@pytest.mark.usefixtures("ends")
def test_what_wait_prints(command) -> None:
    """Each job is named as it ends; results are JSON: of one job the value, of several an object of their ids."""
    assert command("wait", "good", "none").out == "good: done\nnone: done\n"
    assert json.loads(command("wait", "good", "--result").out) == {"a": 1}
    assert command("wait", "none", "--result").out == "null\n"
    told = command("wait", "good", "none", "bad", "dropped", "--result")
    assert json.loads(told.out) == {"good": {"a": 1}, "none": None}
    assert "job 'bad' failed: ValueError" in told.err
    assert "set is no JSON" in told.err
    assert "'waits' is still pending after 0 s" in command("wait", "waits", "--timeout", "0").err
    assert "no job 'x.json' in pending/" in command("wait", "x.json").err


@pytest.mark.usefixtures("ends")
def test_a_job_that_is_taken_away_while_it_is_waited_for(command, spool, monkeypatch) -> None:
    """A job whose file is removed meanwhile ends the wait with 1."""
    real = waking.Listener.wait

    def wait(self: waking.Listener, seconds: float) -> set[int]:
        if spool.exists(State.PENDING, "waits"):
            os.unlink(spool.layout.job(State.PENDING, "waits"))
        return real(self, seconds)

    monkeypatch.setattr(waking.Listener, "wait", wait)
    told = command("wait", "waits", "--timeout", "20s")
    assert (told.code, "was taken away" in told.err) == (1, True)


@pytest.mark.parametrize(("job_id", "code"), [("good", 0), ("bad", 1), ("cancelled", 1), ("nobody", 2)])
@pytest.mark.usefixtures("ends")
def test_logs_that_are_followed(command, spool, job_id, code) -> None:
    """`logs -f` ends as `wait` does; `logs` alone with 0, and with 1 where there is no such job."""
    with open(spool.layout.log("good"), "wb") as stream:
        stream.write(b"printed\n")
    told = command("logs", "-f", job_id)
    assert (told.code, told.out) == (code, "printed\n" if job_id == "good" else "")
    assert command("logs", job_id).code == (1 if job_id == "nobody" else 0)


@pytest.mark.usefixtures("ends")
def test_why(command) -> None:
    """`why` prints the reasons of a job that waits, and where another is."""
    assert command("why", "waits").out == "no dispatcher serves the spool; `spoolrunner run` starts one\n"
    told = json.loads(command("why", "waits", "--json").out)
    assert (told["state"], len(told["reasons"])) == ("pending", 1)
    assert command("why", "good").out == "it is done\n"
    assert command("why", "bad").out.startswith("it failed")
    assert command("why", "nobody").code == 1


@pytest.mark.usefixtures("ends")
def test_why_while_config_json_is_unfit(command) -> None:
    """What is wrong with it is said, and then what the files say of the job."""
    told = command("why", "waits", concurency=5)
    assert told.code == 0
    assert "concurency: unknown key" in told.err
    assert "is unfit" in told.out
    assert "no dispatcher serves the spool" in told.out


def test_status_without_a_dispatcher(command) -> None:
    """`status` ends with 1 when nobody serves the spool, unless that is said to be right."""
    assert command("status").code == 1
    assert command("status", "--json").code == 1
    assert command("status", "--no-dispatcher-ok").code == 0


@pytest.mark.usefixtures("ends")
def test_show_has_the_result_at_its_top(command) -> None:
    """The JSON of `show` has the result beside the document, where there is one."""
    assert json.loads(command("show", "good", "--json").out)["result"] == {"a": 1}
    assert json.loads(command("show", "none", "--json").out)["result"] is None
