"""The inline executor: jobs in the dispatcher's own process, with the real lock, marker, outcome line and log."""

from __future__ import annotations

import json
import os
import sys

import pytest

from spoolrunner.client.enqueue import enqueue
from spoolrunner.config.load import load_config
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.errors import ConfigError, StartError
from spoolrunner.executors.inline import InlineExecutor
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

JOBS = """
import os, sys
from spoolrunner import current_job

SEEN = []

def note(word):
    print("noting", word)
    SEEN.append((word, current_job().id, os.getpid()))
    return word.upper()

def fail():
    raise LookupError("nothing there")

def look():
    os.environ["CHANGED"] = "1"
    return [os.getcwd(), sys.argv, sys.path[0], os.environ["SPOOLRUNNER_CONFIG"], "HOME" in os.environ]

def leave():
    sys.exit(3)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation with the inline executor."""
    (tmp_path / "inline_jobs.py").write_text(JOBS, encoding="utf-8")
    raw = {
        "allowed_jobs": {"inline_jobs": ["note", "fail", "leave", "look"]},
        "executor": "inline",
        "max_retries": 0,
        "fsync": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    Spool(Layout(str(tmp_path / "spool"))).make()
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("inline_jobs", None)


def drain(home) -> None:
    Dispatcher(load_config(str(home / "config.json"))).run(drain=True)


def test_a_job_runs_in_this_process(home, capfd) -> None:
    """Its effect is seen here; its result, history and output are where any executor leaves them."""
    job = enqueue("inline_jobs", "note", ["hello"], id="x", config=str(home / "config.json"))
    drain(home)
    assert [("hello", "x", os.getpid())] == sys.modules["inline_jobs"].SEEN
    document = job.refresh().document
    assert (job.state, document["result"], document["attempts"][0]["outcome"]) == ("done", "HELLO", "succeeded")
    assert "noting hello" in (home / "spool" / "logs" / "jobs" / "x.log").read_text(encoding="utf-8")
    print("here again")
    assert capfd.readouterr().out == "here again\n"


@pytest.mark.parametrize(("method", "outcome"), [("fail", "LookupError"), ("leave", "SystemExit")])
def test_a_job_that_fails_leaves_the_dispatcher_alone(home, method, outcome) -> None:
    """An exception and an exit are the job's own: they are recorded, and the next job runs."""
    job = enqueue("inline_jobs", method, id="x", config=str(home / "config.json"))
    enqueue("inline_jobs", "note", ["after"], id="y", config=str(home / "config.json"))
    drain(home)
    assert job.refresh().document["attempts"][0]["error"]["type"] == outcome
    assert (home / "spool" / "done" / "y.json").exists()
    assert list((home / "spool" / "locks").iterdir()) == []


def test_a_job_whose_file_was_changed_meanwhile(home, monkeypatch) -> None:
    """An attempt that is not to be made leaves the job's lock free: the dispatcher settles the file, and the job runs then."""
    path = home / "spool" / "running" / "x.json"
    real, starts = InlineExecutor.start, []

    def start_late(executor, assignment) -> None:
        if not starts:
            document = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps({**document, "params": ["changed"]}), encoding="utf-8")
        starts.append(assignment.params)
        real(executor, assignment)

    monkeypatch.setattr(InlineExecutor, "start", start_late)
    job = enqueue("inline_jobs", "note", ["hello"], id="x", config=str(home / "config.json"))
    dispatcher = Dispatcher(load_config(str(home / "config.json")))
    dispatcher.run(drain=True)
    while job.refresh().state == "pending":  # it was put off for a second
        dispatcher = Dispatcher(load_config(str(home / "config.json")))
        dispatcher.run(drain=True)
    assert starts == [["hello"], ["changed"]]
    assert (job.state, job.document["result"]) == ("done", "CHANGED")


def test_limits_cannot_be_kept(home) -> None:
    """A policy that limits a job's process is refused: the process would be the dispatcher's."""
    raw = json.loads((home / "config.json").read_text(encoding="utf-8"))
    (home / "config.json").write_text(json.dumps({**raw, "no_new_privileges": True}), encoding="utf-8")
    if sys.platform == "win32":
        with pytest.raises(ConfigError):
            drain(home)
        return
    with pytest.raises(StartError, match="inline"):
        drain(home)


def test_a_job_finds_what_any_process_of_a_job_has(home, monkeypatch, tmp_path_factory) -> None:
    """Folder, arguments, import path and environment are those that the configuration says; afterwards they are ours again."""
    raw = json.loads((home / "config.json").read_text("utf-8"))
    (home / "prod.json").write_text(json.dumps({**raw, "inherit_environment": False}), encoding="utf-8")
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    before = os.getcwd(), dict(os.environ), sys.argv[:], sys.path[:]
    path = str(home / "prod.json")
    job = enqueue("inline_jobs", "look", id="x", config=path)
    Dispatcher(load_config(path)).run(drain=True)
    assert job.result() == [str(home), ["-c"], str(home), path, False]
    assert (os.getcwd(), dict(os.environ), sys.argv[:], sys.path[:]) == before


def test_another_plan(config, plan_of) -> None:
    """Attempts are made by it, unless it limits a job: then all stays as it is."""
    made = plan_of(config())
    executor = InlineExecutor(made, print)
    with pytest.raises(StartError, match="inline"):
        executor.replan(plan_of(config(), is_limited=True))
    assert executor._plan is made
    other = plan_of(config(import_timeout="7s"))
    executor.replan(other)
    assert (executor._plan, executor._settings.import_timeout) == (other, 7.0)
