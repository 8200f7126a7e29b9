"""One attempt of one job: in a process of its own for the whole of it, in this one for its parts."""

from __future__ import annotations

import os
import subprocess
import sys

import orjson
import pytest

from spoolrunner.attempt import current_job, runner
from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_RECORDED, EXIT_UNWRITABLE
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.policy import Limits, Policy
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import locks, record
from spoolrunner.spool.locks import START, Marker
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock as clock_module
from spoolrunner.system import processes

POLICY = Policy(max_retries=2, retry_interval=10.0, timeout=60.0)
PROGRAM = "from spoolrunner.attempt.runner import main; main()"
MODULE = """
import os, sys
import spoolrunner

class Jobs:
    def work(self, x, *, y=1):
        print("out", x)
        print("err", file=sys.stderr)
        return [x, y]

    async def later(self):
        return "later"

    def fail(self):
        raise ValueError("no such thing")

    def leave(self, code=0):
        sys.exit(code)

    def die(self):
        os._exit(7)

    def unfit(self):
        return {1, 2}

    def large(self):
        return "x" * 70000

    def unstringed(self):
        raise Unstringed

    def obey(self, then=None):
        assert spoolrunner.current_job().cancel_requested
        if then is not None:
            sys.exit(then)

    def about(self):
        job = spoolrunner.current_job()
        job.progress(0.5, "half")
        with open(job._layout.progress(job.id)) as stream:
            said = stream.read()
        return [job.id, job.attempt, job.meta, job.deadline.timestamp(), job.cancel_requested, sys.stdin.read(), said]

class Unstringed(Exception):
    def __str__(self):
        raise RuntimeError("no text")

def plain():
    return 5
"""
CLASS, NAME = "unit_runner_jobs.Jobs", "unit_runner_jobs"
METHODS = ["work", "later", "fail", "leave", "die", "unfit", "large", "unstringed", "obey", "about"]


@pytest.fixture
def settings(tmp_path, spool) -> Settings:
    (tmp_path / f"{NAME}.py").write_text(MODULE, encoding="ascii")
    return Settings(
        root=spool.layout.root,
        boot=processes.boot_id(),
        fsync=False,
        max_log_bytes=1 << 20,
        limits=Limits(3600.0, 100),
        python_path=[str(tmp_path)],
        allowed={CLASS: dict.fromkeys(METHODS, POLICY), NAME: {"plain": POLICY}},
        default_policy=POLICY,
    )


@pytest.fixture
def run(settings):
    """Run the runner as the dispatcher does; gives its exit status."""

    def start(job_id: str = "x", number: int = 1) -> int:
        command = [sys.executable, "-c", PROGRAM, job_id, str(number)]
        return subprocess.run(command, input=settings.to_bytes(), check=False, timeout=30).returncode

    return start


@pytest.fixture
def attempt(settings, spool, monkeypatch, clock):
    """Make an attempt in this process, up to its record; gives what came of it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(current_job, "_current", None)
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    yield lambda **raw: runner._attempt(settings, spool.layout, "x", 1, {"job": CLASS, **raw})[0]
    sys.modules.pop(NAME, None)


def read(spool, job_id: str = "x") -> dict:
    return jsontext.decode(spool.read(State.RUNNING, job_id).data)


def touch(path: str) -> None:
    with open(path, "wb"):
        pass


def test_a_whole_attempt(spool, drop, run) -> None:
    """A job runs, its output lies in its log, and its record in its running file; nothing else is moved."""
    inode = os.stat(
        drop(State.RUNNING, "x", {"job": CLASS, "method": "work", "params": ["ü"], "meta": {"k": 1}})
    ).st_ino
    assert run() == EXIT_RECORDED
    raw = read(spool)
    assert (raw["result"], raw["meta"], raw["retries"]) == (["ü", 1], {"k": 1}, 0)
    (made,) = raw["attempts"]
    assert (made["number"], made["outcome"], made["verdict"], made["exit_status"]) == (1, "succeeded", "done", 0)
    assert {"started_at", "ended_at", "host", "pid"} <= set(made)
    with open(spool.layout.log("x"), encoding="utf-8") as stream:
        header, *output = stream.read().splitlines()
    assert header == f"--- attempt 1 · {made['started_at']} · pid {made['pid']}"
    assert sorted(output) == ["err", "out ü"]
    marker = locks.peek(spool.layout.lock("x"))
    assert marker is not None
    assert (marker.kind, marker.attempt, marker.inode, marker.pid) == (START, 1, inode, made["pid"])
    assert marker.process_started
    assert os.stat(spool.layout.job(State.RUNNING, "x")).st_ino != inode
    assert os.listdir(spool.layout.tmp) == []


def test_a_failure(spool, drop, run) -> None:
    """A job that raises is recorded with its error and the time of its retry, and says so in its log."""
    drop(State.RUNNING, "x", {"job": CLASS, "method": "fail", "delay": "5m", "result": "old"})
    assert run() == EXIT_RECORDED
    raw = read(spool)
    (made,) = raw["attempts"]
    assert (made["outcome"], made["verdict"]) == ("failed", "retry")
    assert (made["error"]["type"], made["error"]["message"]) == ("ValueError", "no such thing")
    assert made["error"]["traceback"].startswith("Traceback (most recent call last):\n")
    assert 'raise ValueError("no such thing")' in made["error"]["traceback"]
    assert "next_run_at" in raw
    assert not {"delay", "result"} & set(raw)
    with open(spool.layout.log("x"), encoding="utf-8") as stream:
        assert "ValueError: no such thing" in stream.read()


def test_a_death(spool, drop, run) -> None:
    """A job that ends its process leaves its document as it was, and a start marker that fits it."""
    path = drop(State.RUNNING, "x", {"job": CLASS, "method": "die"})
    assert run() == 7
    assert "attempts" not in read(spool)
    marker = locks.peek(spool.layout.lock("x"))
    assert marker is not None
    assert marker.fits(0, os.stat(path).st_ino)


def test_what_a_job_knows_of_itself(spool, drop, run) -> None:
    """A job is told its id, attempt, meta and deadline; it reads nothing from standard input; its progress goes with it."""
    earlier = {"number": 1, "outcome": "failed", "verdict": "retry"}
    drop(State.RUNNING, "x", {"job": CLASS, "method": "about", "attempts": [earlier], "meta": {"k": 1}, "timeout": 50})
    assert run(number=2) == EXIT_RECORDED
    raw = read(spool)
    job_id, number, meta, deadline, cancel, stdin, said = raw["result"]
    assert (job_id, number, meta, cancel, stdin) == ("x", 2, {"k": 1}, False, "")
    began = clock_module.parse_time(raw["attempts"][1]["started_at"])
    assert began + 50 <= deadline <= began + 55
    assert orjson.loads(said) == {"fraction": 0.5, "text": "half"}
    assert not os.path.exists(spool.layout.progress("x"))


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (None, 1),
        (b"{", 1),
        ({}, 2),
        ({"attempts": [{"number": 1, "outcome": "failed", "verdict": "retry"}]}, 1),
        ({"attempts": 5}, 1),
        ({"attempts": [5]}, 2),
    ],
)
def test_nothing_to_do(spool, drop, settings, content, number) -> None:
    """When the file is gone, unreadable or expects another attempt, the runner leaves no marker and changes nothing."""
    if content is not None:
        drop(State.RUNNING, "x", content)
    before = content and spool.read(State.RUNNING, "x")
    assert runner.run(settings, Layout(settings.root), "x", number) == EXIT_LEFT
    assert locks.peek(spool.layout.lock("x")) is None
    assert before == (content and spool.read(State.RUNNING, "x"))


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
@pytest.mark.parametrize("thing", ["a link", "a pipe", "a folder"])
def test_nothing_but_a_file_is_read(spool, drop, settings, thing) -> None:
    """What took the place of a claimed document, so that it looks the same from outside, is neither read nor waited for."""
    path = spool.layout.running("x")
    if thing == "a link":
        os.symlink(
            drop(State.PENDING, "another", b'{"job": "unit_runner_jobs.Jobs", "method": "work", "params": [1]}'), path
        )
    elif thing == "a pipe":
        os.mkfifo(path)
    else:
        os.mkdir(path)
    assert runner.run(settings, Layout(settings.root), "x", 1) == EXIT_LEFT
    assert locks.peek(spool.layout.lock("x")) is None
    assert os.path.islink(path) == (thing == "a link")


def test_an_attempt_that_was_begun(spool, drop, settings) -> None:
    """An attempt that another process began, and did not record, is not made again."""
    status = os.stat(drop(State.RUNNING, "x"))
    marker = Marker(START, 1, status.st_ino, 5, "gone")
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    lock.append(marker)
    lock.close()
    assert runner.run(settings, Layout(settings.root), "x", 1) == EXIT_LEFT
    assert locks.peek(spool.layout.lock("x")) == marker


def test_a_lock_that_is_held(spool, drop, settings, monkeypatch) -> None:
    """When another process has the job, the runner leaves it alone."""
    monkeypatch.setattr(runner, "LOCK_PATIENCE", 0.0)
    drop(State.RUNNING, "x")
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    try:
        assert runner.run(settings, Layout(settings.root), "x", 1) == EXIT_LEFT
    finally:
        lock.close()


def test_a_spool_that_cannot_be_written(drop, settings, monkeypatch, capfd) -> None:
    """When the start marker cannot be written the attempt is not begun, and it is said why."""
    drop(State.RUNNING, "x")

    def full(*args) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(locks.JobLock, "append", full)
    assert runner.run(settings, Layout(settings.root), "x", 1) == EXIT_UNWRITABLE
    assert "attempt 1 of x was not begun: [Errno 28] No space left on device" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("raw", "outcome", "result"),
    [
        ({"method": "work", "params": [1]}, Outcome.SUCCEEDED, [1, 1]),
        ({"method": "work", "params": {"x": 1, "y": 2}}, Outcome.SUCCEEDED, [1, 2]),
        ({"method": "later"}, Outcome.SUCCEEDED, "later"),
        ({"job": NAME, "method": "plain"}, Outcome.SUCCEEDED, 5),
        ({"method": "leave"}, Outcome.SUCCEEDED, None),
        ({"method": "leave", "params": [None]}, Outcome.SUCCEEDED, None),
        ({"method": "leave", "params": [3]}, Outcome.FAILED, None),
        ({"method": "leave", "params": ["sorry"]}, Outcome.FAILED, None),
        ({"method": "fail"}, Outcome.FAILED, None),
        ({"method": "unfit"}, Outcome.SUCCEEDED, None),
        ({"method": "large"}, Outcome.SUCCEEDED, None),
    ],
)
def test_outcomes(attempt, raw, outcome, result) -> None:
    """A call that returns succeeded, with its value if that may be kept; one that raises or exits otherwise failed."""
    ending = attempt(**raw)
    assert (ending.outcome, ending.result) == (outcome, result)


@pytest.mark.parametrize(("code", "status", "message"), [(3, 3, "3"), ("sorry", 1, "sorry"), ([], 1, "[]")])
def test_exit_status(attempt, code, status, message) -> None:
    """A job that exits with something else than 0 failed with that status, as a program would."""
    ending = attempt(method="leave", params=[code])
    assert (ending.exit_status, ending.error) == (status, {"type": "SystemExit", "message": message})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"job": "os", "method": "system", "params": ["true"]}, "job 'os' is not in allowed_jobs"),
        ({"job": None, "method": "work"}, "job None is not in allowed_jobs"),
        ({"method": "_private"}, "method '_private' is not listed"),
        ({"method": "work", "params": []}, "missing a required argument: 'x'"),
        ({"method": "work", "params": [1, 2]}, "too many positional arguments"),
        ({"method": "work", "params": "x"}, "params must be an array or an object"),
        ({"method": "work", "params": [1], "timeout": "soon"}, "'soon' is no duration"),
        (
            {"method": "work", "params": [1], "timeout": 7200},
            "is more than the operator allows (3600 s, timeout_limit)",
        ),
        ({"method": "work", "params": [1], "timeout": 0}, "timeout: must be more than 0 seconds"),
        (
            {"method": "work", "params": [1], "max_retries": 101},
            "max_retries: 101 is more than the operator allows (100, max_retries_limit)",
        ),
        ({"method": "work", "params": [1], "max_retries": True}, "max_retries: True is not a number"),
    ],
)
def test_the_document_is_judged_anew(attempt, raw, message) -> None:
    """What is not allowed, does not fit or breaks a limit is rejected by the job's own process, and nothing is called."""
    ending = attempt(**raw)
    assert ending.outcome is Outcome.REJECTED
    assert message in ending.error["message"]


def test_a_module_that_cannot_be_imported(attempt, settings, tmp_path) -> None:
    """A module that raises when it is imported is a failure of the attempt, to be retried."""
    (tmp_path / f"{NAME}.py").write_text("1 / 0\n", encoding="ascii")
    ending = attempt(method="work", params=[1])
    assert (ending.outcome, ending.error["type"]) == (Outcome.FAILED, "ZeroDivisionError")


def test_a_cancel_that_the_job_saw(attempt, spool) -> None:
    """A job that saw the request to cancel and returns counts as cancelled."""
    touch(spool.layout.cancel("x"))
    assert attempt(method="obey").outcome is Outcome.CANCELLED


def test_a_cancel_that_the_job_did_not_see(attempt, spool) -> None:
    """A job that finished its work without having looked succeeded."""
    touch(spool.layout.cancel("x"))
    assert attempt(method="work", params=[1]).outcome is Outcome.SUCCEEDED


def test_a_failure_during_a_cancel(attempt, spool) -> None:
    """A job that raises while it is being cancelled counts as cancelled."""
    touch(spool.layout.cancel("x"))
    assert attempt(method="fail").outcome is Outcome.CANCELLED


@pytest.mark.parametrize("code", [0, 1])
def test_an_exit_during_a_cancel(attempt, spool, code) -> None:
    """A job that saw the request to cancel and exits counts as cancelled, like one that returns or raises."""
    touch(spool.layout.cancel("x"))
    assert attempt(method="obey", params=[code]).outcome is Outcome.CANCELLED


@pytest.mark.parametrize(
    "method",
    [
        "fail",
        "leave",
    ],
)
def test_a_failure_after_the_deadline(attempt, clock, monkeypatch, method) -> None:
    """A job that raises or exits because its time was over timed out."""
    real = runner.Callee.call

    def late(self, params):
        clock.advance(POLICY.timeout)
        return real(self, params)

    monkeypatch.setattr(runner.Callee, "call", late)
    assert attempt(method=method, params=[1] if method == "leave" else []).outcome is Outcome.TIMED_OUT


def test_an_error_without_a_text(attempt) -> None:
    """An error whose text cannot be had is recorded by its type."""
    ending = attempt(method="unstringed")
    assert (ending.outcome, ending.error["type"]) == (Outcome.FAILED, f"{NAME}.Unstringed")


def test_the_record_waits_for_the_disk(spool, drop, clock, monkeypatch, capfd) -> None:
    """When the disk refuses the record it is tried again until it is written, and said once."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    drop(State.RUNNING, "x")
    real, tries = record.commit, []

    def full_twice(*args) -> None:
        tries.append(clock.monotonic())
        if len(tries) < 3:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(record, "commit", full_twice)
    runner._record_patiently(spool.layout, "x", {"job": "a", "method": "b", "attempts": []}, False, None)
    assert len(tries) == 3
    assert len(set(tries)) == 3
    assert read(spool)["job"] == "a"
    assert capfd.readouterr().err.count("cannot be written") == 1


def test_a_log_that_cannot_be_had(spool, drop, run) -> None:
    """A job whose log cannot be opened runs all the same."""
    os.mkdir(spool.layout.log("x"))
    drop(State.RUNNING, "x", {"job": CLASS, "method": "work", "params": [1]})
    assert run() == EXIT_RECORDED
    assert read(spool)["result"] == [1, 1]


def test_the_runner_is_light() -> None:
    """A job's process loads none of what only the dispatcher needs."""
    heavy = ("watchdog", "filelock", "psutil", "msgspec", "rich", "logging", "threading", "asyncio", "subprocess")
    program = f"import spoolrunner.attempt.runner, sys\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.split() == []


def test_another_root(settings, tmp_path) -> None:
    """A spool that is not there is one that cannot be written."""
    assert runner.run(settings, Layout(str(tmp_path / "nowhere")), "x", 1) == EXIT_UNWRITABLE
    assert not os.path.exists(Layout(str(tmp_path / "nowhere")).root)
