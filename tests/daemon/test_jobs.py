"""What a job does and what is recorded of it, with a real dispatcher and real processes."""

from __future__ import annotations

import json
import sys

import pytest

from tests.daemon.harness import is_alive, until


def ended_by(attempt):
    """The signal that ended an attempt or, on Windows, the exit status that stands for it."""
    return attempt["exit_status"] if sys.platform == "win32" else attempt["signal"]


def run_one(home, **document):
    home.drop("one", **document)
    home.cli("run", "--drain", "--quiet")
    return home.where("one")


def test_a_file_moved_into_pending_is_run_and_lies_in_done(home):
    """A file renamed into pending/ runs within a moment and lies in done/ with its result and its history."""
    daemon = home.start().ready()

    home.drop("hello", method="echo", params=["hi"])

    daemon.expect("completed", "id=hello ")
    document = home.document("done", "hello")
    assert home.where("hello") == ["done"]
    assert document["result"] == "hi"
    assert [a["number"] for a in document["attempts"]] == [1]
    assert (
        document["attempts"][0] | {"outcome": "succeeded", "verdict": "done", "exit_status": 0}
        == document["attempts"][0]
    )
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("document", "result"),
    [
        ({"method": "add", "params": [1]}, 2),
        ({"method": "add", "params": {"a": 1, "b": 5}}, 6),
        ({"method": "later", "params": ["soon"]}, "soon"),
        ({"job": "jobs.Counter", "method": "count", "params": [5]}, 15),
        ({"job": "jobs.Counter", "method": "made"}, "Counter"),
        ({"job": "jobs.Counter", "method": "plain", "params": {"value": [1]}}, [1]),
    ],
)
def test_every_kind_of_callable_runs(home, document, result):
    """Module functions, coroutines, methods, class methods and static methods run, by position and by name."""
    assert run_one(home, **document) == ["done"]
    assert home.document("done", "one")["result"] == result


@pytest.mark.parametrize(
    "document",
    [
        {"method": "add", "params": [1, 2, 3]},
        {"method": "add", "params": {"c": 1}},
        {"method": "add"},
    ],
)
def test_parameters_that_do_not_fit_are_rejected_and_not_retried(home, document):
    """A call that the signature does not take is rejected before it is made, with the reason beside the file."""
    assert run_one(home, **document) == ["failed"]
    assert home.outcomes("failed", "one") == ["rejected"]
    assert "do not fit add(a, b=1)" in home.reason("one")["what"]


@pytest.mark.parametrize(
    "document",
    [
        {"method": "__class__"},
        {"method": "noop.__globals__"},
        {"method": "note", "params": ["x"]},
        {"job": "jobs.Counter", "method": "hidden"},
        {"job": "jobs.Counter", "method": "__init__"},
        {"job": "os", "method": "system", "params": ["touch imported"]},
        {"job": "not_there_at_all", "method": "x"},
    ],
)
def test_what_is_not_on_the_whitelist_never_runs_and_keeps_its_bytes(home, document):
    """A job or method that the table does not list is refused unread by Python, its bytes kept, the reason beside it."""
    text = json.dumps({"job": "jobs", **document})

    home.drop("one", text)
    home.cli("run", "--drain", "--quiet")

    assert home.where("one") == ["failed"]
    assert (home.spool / "failed" / "one.json").read_text() == text
    assert home.reason("one")["outcome"] == "rejected"
    assert "allowed_jobs" in home.reason("one")["what"]
    assert home.notes() == []


def test_a_class_that_needs_arguments_is_an_error_of_the_operator(home):
    """A listed class that cannot be made without arguments fails with a message that says so."""
    assert run_one(home, job="jobs.NeedsArguments", method="run", max_retries=0) == ["failed"]
    assert "without arguments" in home.document("failed", "one")["attempts"][0]["error"]["message"]


def test_a_job_knows_itself(home):
    """Inside a job current_job() gives id, attempt and meta; its folder is that of config.json."""
    assert run_one(home, method="whoami", meta={"who": "me"}) == ["done"]
    told = home.document("done", "one")["result"]
    assert told | {"id": "one", "attempt": 1, "meta": {"who": "me"}, "cwd": str(home.folder)} == told


def test_failures_are_retried_until_they_succeed(make):
    """A job that fails twice succeeds on its third attempt, with all three in its history."""
    home = make(max_retries=5)
    daemon = home.start().ready()
    home.drop("one", method="fail_until", params=[3])
    daemon.expect("completed", "id=one ")
    assert home.outcomes("done", "one") == ["failed", "failed", "succeeded"]
    assert home.document("done", "one")["retries"] == 2
    first = home.document("done", "one")["attempts"][0]["error"]
    assert (first["type"], first["message"]) == ("RuntimeError", "not yet")
    assert "in fail_until" in first["traceback"]
    assert "runner.py" not in first["traceback"]


def test_retries_are_limited(make):
    """A job that always fails is started 1 + max_retries times and lies in failed/; a retry by hand begins afresh."""
    home = make(max_retries=1)
    daemon = home.start().ready()
    home.drop("one", method="fail")
    daemon.expect("failed", "id=one ", "verdict=failed")
    assert home.outcomes("failed", "one") == ["failed", "failed"]

    (home.spool / "failed" / "one.json").rename(home.spool / "pending" / "one.json")

    daemon.expect("failed", "id=one ", "verdict=failed")
    assert home.outcomes("failed", "one") == ["failed"] * 4


@pytest.mark.parametrize(
    ("method", "params", "told"),
    [("die", [9], "status 9" if sys.platform == "win32" else "SIGKILL"), ("leave", [3], "status 3")],
)
def test_a_process_that_dies_without_a_record_is_crashed_and_counted(home, method, params, told):
    """However a job's process dies, its start is counted, and its retries end."""
    daemon = home.start().ready()
    home.drop("one", method=method, params=params)
    daemon.expect("failed", "id=one ", "verdict=failed")
    assert home.outcomes("failed", "one") == ["crashed", "crashed"]
    assert told in home.document("failed", "one")["attempts"][0]["error"]["message"]


def test_on_crash_fail_does_not_start_a_crashed_job_again(make):
    """With on_crash "fail" a crash is final."""
    home = make(on_crash="fail", max_retries=5)
    daemon = home.start().ready()
    home.drop("one", method="die")
    daemon.expect("failed", "id=one ", "verdict=failed")
    assert home.outcomes("failed", "one") == ["crashed"]


@pytest.mark.parametrize(("status", "state", "outcome"), [(0, "done", "succeeded"), (3, "failed", "failed")])
def test_sys_exit_is_an_ordinary_end(home, status, state, outcome):
    """sys.exit(0) in a job is success and any other status a failure that names it."""
    home.drop("one", method="exits", params=[status], max_retries=0)
    home.cli("run", "--drain", "--quiet")
    assert home.where("one") == [state]
    attempt = home.document(state, "one")["attempts"][0]
    assert (attempt["outcome"], attempt["exit_status"]) == (outcome, status)


def test_a_job_past_its_timeout_is_terminated(home):
    """A job that outlives its timeout is ended, recorded as timed_out, and counted."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["never"], timeout=0.5, max_retries=0)
    daemon.expect("failed", "id=one ", "outcome=timed_out")
    attempt = home.document("failed", "one")["attempts"][0]
    assert ended_by(attempt) == 15
    assert "timeout of 0.5 s" in attempt["error"]["message"]


def test_a_job_that_ignores_the_terminate_signal_is_killed(home):
    """After kill_grace a job that ignores SIGTERM is killed."""
    daemon = home.start().ready()
    home.drop("one", method="stubborn", timeout=1, max_retries=0)
    daemon.expect("failed", "id=one ", "outcome=timed_out")
    assert ended_by(home.document("failed", "one")["attempts"][0]) == (15 if sys.platform == "win32" else 9)


def test_the_whole_tree_ends_with_the_job(home):
    """Children of a job that is ended end with it, those that left its session too."""
    daemon = home.start().ready()
    for job_id, setsid in (("stays", False), ("leaves", True)):
        home.drop(job_id, method="parent", params=[setsid], timeout=1, max_retries=0)
    for _ in range(2):
        daemon.expect("failed", "outcome=timed_out")
    children = [int(note.split()[1]) for note in home.notes() if note.startswith("child")]
    assert [is_alive(child) for child in children] == [False, False]


def test_a_job_that_closes_its_descriptors_still_counts_as_running(home):
    """A free lock does not prove death: while the process lives nobody settles or starts the job again."""
    daemon = home.start().ready()
    home.drop("one", method="closes_everything")
    until(lambda: "begin closed" in home.notes())
    daemon.kill()
    second = home.start().ready()
    second.expect("adopted", "id=one ")
    assert home.where("one") == ["running"]
    (home.folder / "go").touch()
    second.expect("completed", "id=one ")
    assert home.notes() == ["begin closed", "end closed"]


def test_a_jobs_output_is_kept_with_the_attempt_it_belongs_to(home):
    """Standard output lies in logs/jobs/ID.log under a line that says which attempt begins; silence leaves no file."""
    home.drop("loud", method="echo", params=["héllo"])
    home.drop("silent", method="add", params=[1])
    home.cli("run", "--drain", "--quiet")
    header, text = (home.spool / "logs" / "jobs" / "loud.log").read_text("utf-8").splitlines()
    assert header.startswith("--- attempt 1 · ")
    assert text == "echo héllo"
    assert sorted(path.name for path in (home.spool / "logs" / "jobs").iterdir()) == ["loud.log"]


def test_a_jobs_output_is_cut_at_the_limit(make):
    """Output beyond max_log_bytes is cut, with a note that says where."""
    home = make(max_log_bytes=5000)
    home.drop("one", method="chatter", params=[100_000])
    home.cli("run", "--drain", "--quiet")
    data = (home.spool / "logs" / "jobs" / "one.log").read_bytes()
    assert 5000 < len(data) < 5200
    assert b"cut here: the limit of 5000 bytes" in data[-120:]


def test_a_return_value_that_is_no_json_is_not_kept(home):
    """A job that returns what JSON cannot hold succeeds, without a result, and its log says so."""
    assert run_one(home, method="unjsonable") == ["done"]
    assert "result" not in home.document("done", "one")
    assert "was not kept" in (home.spool / "logs" / "jobs" / "one.log").read_text()


def test_logs_tell_every_event_in_one_line_and_failures_with_traceback(home):
    """background_jobs.log has a line an event; background_jobs_errors.log has each failure with its traceback."""
    home.drop("good", method="noop")
    home.drop("bad", method="fail", params=["line one\nforged id=x \x1b[31m"], max_retries=0)
    home.cli("run", "--drain", "--quiet")
    log = (home.spool / "logs" / "background_jobs.log").read_text()
    errors = (home.spool / "logs" / "background_jobs_errors.log").read_text()
    for kind, job_id in [("started", "good"), ("completed", "good"), ("started", "bad"), ("failed", "bad")]:
        (line,) = [row for row in log.splitlines() if f" {kind} id={job_id} " in row]
        assert "class=jobs method=" in line
        assert "attempt=1/" in line
    (completed,) = [row for row in log.splitlines() if " completed " in row]
    (failed,) = [row for row in log.splitlines() if " failed " in row]
    assert "duration=" in completed
    assert "\x1b" not in log + errors
    assert "\\n" in failed
    assert "    Traceback (most recent call last):" in errors
    assert not [row for row in errors.splitlines() if row.startswith("forged")]
