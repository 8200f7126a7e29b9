"""The command line, verb by verb, as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from spoolrunner.cli.demo import CONFIG
from tests.daemon.harness import COMMAND, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*words, cwd, code=0):
    done = subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == code, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done


def test_init_makes_an_installation_that_works_and_never_overwrites(tmp_path):
    """`init` makes config.json and the folders, for their owner alone; a second time it changes nothing."""
    run("init", "here", cwd=tmp_path)
    config = (tmp_path / "here" / "config.json").read_bytes()
    assert run("check", cwd=tmp_path / "here").stdout.endswith("2 of 2 allowed methods found\n")
    assert "left as it is" in run("init", "here", cwd=tmp_path).stdout
    assert (tmp_path / "here" / "config.json").read_bytes() == config
    if os.name == "posix":
        assert (tmp_path / "here" / "spool" / "pending").stat().st_mode & 0o777 == 0o700
    job_id = run(
        "enqueue", "spoolrunner.demo_jobs.Text", "count_words", "config.json", cwd=tmp_path / "here"
    ).stdout.strip()
    run("run", "--drain", cwd=tmp_path / "here")
    assert json.loads(run("show", job_id, "--json", cwd=tmp_path / "here").stdout)["state"] == "done"


def test_the_demo_ends_by_itself_with_every_job_where_it_belongs(tmp_path):
    """`demo` in an empty folder makes its own installation, shows the life of eleven jobs, and ends with 0."""
    told = run("demo", cwd=tmp_path).stdout
    spool = tmp_path / "spoolrunner-demo" / "spool"
    assert len(list((spool / "done").iterdir())) == 7
    assert len(list((spool / "failed").glob("*.json"))) == 4
    starts = [line for line in told.splitlines() if " started id=" in line]
    assert "-urgent " in starts[0]
    assert "Everything is left to be looked at" in told


def test_the_checkouts_own_configuration_is_the_demos():
    """config.json of the checkout and the configuration that `demo` makes elsewhere are the same."""
    with open(os.path.join(ROOT, "config.json")) as stream:
        assert json.load(stream) == CONFIG


@pytest.mark.parametrize(
    ("words", "document"),
    [
        (["jobs", "add", "1", "2"], {"params": ["1", "2"]}),
        (["jobs", "add", "--param", "a=1", "--param", "b=x=y"], {"params": {"a": "1", "b": "x=y"}}),
        (["jobs", "add", "--json", '[1, {"b": null}]', "--priority", "5"], {"params": [1, {"b": None}], "priority": 5}),
        (["jobs", "noop", "--timeout", "5", "--max-retries", "0"], {"timeout": 5.0, "max_retries": 0}),
        (["jobs", "noop", "--at", "2030-01-01T00:00:00Z"], {"next_run_at": "2030-01-01T00:00:00Z"}),
        (["jobs", "noop", "--meta", '{"a": 1}', "--expires-at", "2030-01-01T00:00:00Z"], {"meta": {"a": 1}}),
    ],
)
def test_enqueue_writes_what_its_words_say(home, words, document):
    """`enqueue` prints the id of a job file that holds exactly what was asked for."""
    job_id = home.cli("enqueue", *words).strip()
    found = home.document("pending", job_id)
    assert found | document == found
    assert os.listdir(home.spool / "tmp") == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["jobs", "nop"], "did you mean 'noop'?"),
        (["job", "noop"], "did you mean 'jobs'?"),
        (["jobs", "add", "1", "--json", "[2]"], "not mixed"),
        (["jobs", "add", "--json", "[2"], "--json: not valid UTF-8 JSON"),
        (["jobs", "add", "--param", "a"], "NAME=VALUE"),
        (["jobs", "noop", "--delay", "soon"], "delay: 'soon' is no duration"),
        (["jobs", "noop", "--priority", "5000"], "priority: expected `int` <= 1000"),
        (["jobs", "noop", "--id", "../x"], "an id is"),
        (["jobs", "noop", "--at", "tomorrow"], "next_run_at"),
        (["jobs", "noop", "--max-retries", "101"], "max_retries_limit"),
    ],
)
def test_enqueue_refuses_with_a_clear_error_and_writes_nothing(home, words, told):
    """Bad input to `enqueue` ends with 2, names the fault, and leaves no file."""
    assert told in run("enqueue", *words, cwd=home.folder, code=2).stderr
    assert os.listdir(home.spool / "pending") == os.listdir(home.spool / "tmp") == []


def test_enqueue_of_a_taken_id_fails(home):
    """An id that waits already is refused with 1, and the first job stays as it was."""
    home.cli("enqueue", "jobs", "echo", "first", "--id", "x")
    assert "taken" in run("enqueue", "jobs", "echo", "second", "--id", "x", cwd=home.folder, code=1).stderr
    assert home.document("pending", "x")["params"] == ["first"]


def test_a_wrong_configuration_is_told_at_once_and_whole(home):
    """Every problem of config.json is reported by every verb, with 2 but for those that need no more than the spool."""
    (home.folder / "config.json").write_text('{"allowed_jobs": {"jobs": ["_x"]}, "timeot": 3, "concurrency": 0}')
    for verb, code in (("list", 2), ("status", 0)):
        told = run(verb, cwd=home.folder, code=code).stderr
        assert "timeot: unknown key (did you mean 'timeout'?)" in told
        assert "concurrency: expected `int` >= 1" in told
        assert "'_x' is not a public method name" in told


def test_check_looks_up_every_allowed_job(make):
    """`check` names what is allowed but cannot be found or made, as a job's own process would meet it."""
    home = make(allowed_jobs={"jobs": ["noop", "nop"], "jobs.NeedsArguments": ["run"], "missing": ["x"]})
    told = run("check", cwd=home.folder, code=1)
    assert "did you mean 'noop'?" in told.stderr
    assert "made without arguments" in told.stderr
    assert "No module named 'missing'" in told.stderr
    assert "1 of 4 allowed methods found" in told.stdout


def test_schema_is_a_json_schema_of_the_job_file(home):
    """`schema` prints a JSON Schema that knows the fields of a job file."""
    schema = json.loads(home.cli("schema"))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"job", "method", "params", "attempts"} <= set(schema["$defs"]["Document"]["properties"])


def test_list_show_and_status_agree_as_json(home):
    """What the verbs say of the same spool agrees, and is JSON with --json."""
    home.drop("good", method="echo", params=["x"])
    home.drop("bad", '{"no": "job"}')  # refused at the first look
    home.drop("later", method="noop", delay="1h")
    daemon = home.start().ready()
    until(lambda: home.where("good") == ["done"] and home.where("bad") == ["failed"])
    status = json.loads(home.cli("status", "--json"))
    listed = {job["id"]: job for job in json.loads(home.cli("list", "--json"))}
    assert status["counts"] == {"pending": 1, "running": 0, "done": 1, "failed": 1}
    assert status["dispatcher"]["pid"] == daemon.process.pid
    assert {job_id: job["state"] for job_id, job in listed.items()} == {
        "good": "done",
        "bad": "failed",
        "later": "pending",
    }
    assert listed["bad"]["outcome"] == "rejected"
    assert json.loads(home.cli("show", "good", "--json"))["document"]["result"] == "x"
    assert home.cli("list", "done").splitlines()[1].split("\t")[:2] == ["good", "done"]
    home.cli("show", "nobody", code=1)
    daemon.stop()
    assert json.loads(home.cli("status", "--json", "--no-dispatcher-ok"))["dispatcher"] is None


def test_logs_follow_a_job_to_its_end(home):
    """`logs -f` prints what a running job prints, and ends with it."""
    home.start().ready()
    home.drop("one", method="echo", params=["first words"], delay=1)
    assert home.cli("logs", "one", "-f").splitlines()[1:] == ["echo first words"]
    assert run("logs", "nobody", cwd=home.folder, code=1).stdout == ""
    assert run("logs", "nobody", "-f", cwd=home.folder, code=2).stdout == ""


def test_prune_removes_what_is_old_and_nothing_else(make):
    """`prune` removes jobs older than keep_done and keep_failed with their logs; --dry-run removes nothing."""
    home = make(keep_done="1h", keep_failed="2h")
    for job_id in ("old", "new"):
        home.drop(job_id, method="echo", params=["x"])
    home.drop("bad", '{"no": "job"}')  # refused at the first look
    home.cli("run", "--drain")
    for path in ("done/new.json", "failed/bad.json"):
        os.utime(home.spool / path, (1, 1))  # says nothing
    old = home.document("done", "old")
    old["attempts"][-1]["ended_at"] = "2026-01-01T00:00:00Z"
    (home.spool / "done" / "old.json").write_text(json.dumps(old))
    assert home.cli("prune", "--dry-run").count("would remove") == 1
    assert home.where("old") == ["done"]
    home.cli("prune")
    assert home.where("old") == []
    assert (home.where("new"), home.where("bad")) == (["done"], ["failed"])
    assert sorted(os.listdir(home.spool / "logs" / "jobs")) == ["new.log"]
    assert sorted(os.listdir(home.spool / "failed")) == ["bad.json", "bad.reason"]


def test_drain_of_a_paused_spool_says_so(home):
    """`run --drain` while paused starts nothing and ends with 1."""
    home.cli("pause")
    home.drop("one", method="noop")
    home.cli("run", "--drain", code=1)
    assert home.where("one") == ["pending"]


def test_importing_the_package_is_cheap():
    """`import spoolrunner` loads neither the dispatcher nor any library it needs."""
    code = "import sys, spoolrunner; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for library in ("watchdog", "filelock", "msgspec", "psutil", "rich", "orjson", "logging", "threading"):
        assert f"'{library}'" not in loaded
