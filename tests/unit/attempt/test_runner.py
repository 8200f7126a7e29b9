"""One attempt of one job: in a process of its own for the whole of it, in this one for its parts."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys

import orjson
import pytest

from spoolrunner.attempt import current_job, forks, runner
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.in_process import run_here
from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_MADE, EXIT_UNWRITABLE, NO_PARENT, NONE_KNOWN
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol.states import State
from spoolrunner.spool import lock_lines, locks, traces
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.traces import LeftOutcome, Traces
from spoolrunner.system import clock as clock_module
from spoolrunner.system import durable, machine, processes, times

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, links and pipes of POSIX")
PROGRAM = "from spoolrunner.attempt.runner import main; main()"
TIMEOUT, IMPORT_TIMEOUT = 50.0, 20.0
NAME = "unit_runner_jobs"
CLASS = f"{NAME}.Jobs"
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

    def about(self):
        job = spoolrunner.current_job()
        job.progress(0.5, "half")
        with open(job._layout.progress(job.id)) as stream:
            said = stream.read()
        mark = os.environ["SPOOLRUNNER_JOB"]
        return [job.id, job.attempt, job.meta, job.deadline.timestamp(), job.cancel_requested, sys.stdin.read(), said, mark]

    def nothing(self):
        import atexit
        atexit.register(lambda: print(*sys.modules))

    def forks(self, how):
        pid = os.fork()
        if pid == 0:
            print("the child was here")
            if how == "returns":
                return "from the child"
            if how == "raises":
                raise ValueError("in the child")
            if how == "raises a TypeError":
                return len(5)
            sys.exit(eval(how))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def steps_in_a_child(self):
        pid = os.fork()
        if pid == 0:
            spoolrunner.current_job().step("one", int)
            os._exit(0)
        os.waitpid(pid, 0)
        return spoolrunner.current_job().step("one", int, 5)

    def forks_and_dies(self):
        if os.fork():
            os._exit(7)
        return "from the child"

    def closes_all(self, path):
        os.closerange(3, 64)
        kept = [open(path, "ab") for _ in range(20)]  # one of them has the number that the lock had
        spoolrunner.kept = kept
        return len(kept)

    def closes_its_streams(self):
        os.closerange(0, 3)
        return "without streams"

    def removes(self, path):
        os.unlink(path)
        return "removed"

    def counts_syncs(self, go):
        def sync(descriptor):
            os.write(1, ("synced " + os.readlink(f"/proc/self/fd/{descriptor}") + chr(10)).encode())
        os.fsync = sync
        if go:
            with open(go) as stream:
                stream.read()

    def fills_its_memory(self):
        held = []
        while True:
            held.append(bytearray(1 << 20))

    def takes_all_files(self):
        held = []
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))

def plain():
    return 5
"""


@pytest.fixture
def settings(tmp_path, spool) -> Settings:
    (tmp_path / f"{NAME}.py").write_text(MODULE, encoding="ascii")
    return Settings(spool.layout.root, machine.boot_id(), False, 1 << 20, [str(tmp_path)], IMPORT_TIMEOUT)


@pytest.fixture
def assign(spool, drop):
    """Put a file into running/, and give an attempt of it as a dispatcher tells it."""

    def make(method="plain", params=(), job=CLASS, number=1, timeout=TIMEOUT, limits=None, meta=None) -> Assignment:
        job = NAME if method == "plain" else job
        drop(State.RUNNING, "x", {"job": job, "method": method})
        stamp = spool.stamp(State.RUNNING, "x")
        params = params if isinstance(params, dict) else list(params)
        mark = processes.mark(spool.layout.root, "x", number, stamp, processes.home(spool.layout.locks))
        return Assignment("x", number, stamp, job, method, params, timeout, limits, meta, mark)

    return make


@pytest.fixture
def begin(settings, assign, tmp_path):
    """Start a job's process as a dispatcher does: what it is told comes by its standard output."""
    begun = []

    def start(method: str = "plain", *params, before: str = "", **changes) -> subprocess.Popen[bytes]:
        told = tmp_path / "told"
        told.write_bytes(runner.told(settings, assign(method, params, **changes).to_bytes(), os.getpid()))
        with told.open("rb") as stream:
            begun.append(
                subprocess.Popen([sys.executable, "-c", before + PROGRAM], stdin=subprocess.DEVNULL, stdout=stream)
            )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait(10)


@pytest.fixture
def run(begin):
    """Run a job in a process of its own; gives its exit status."""
    return lambda *args, **changes: begin(*args, **changes).wait(30)


@pytest.fixture
def make(settings, spool, assign, monkeypatch, clock):
    """Make an attempt in this process; gives what it left. A function is called as if it were preloaded."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(current_job, "_current", None)
    monkeypatch.setattr(current_job, "_told", None)
    monkeypatch.setattr(clock_module, "SYSTEM", clock)

    def attempt(method="plain", params=(), parent=NO_PARENT, **changes) -> Traces:
        callees = NONE_KNOWN
        if callable(method):
            method, callees = "f", {(CLASS, "f"): Callee("f", method, None)}
        assignment = assign(method, params, **changes)
        streams = os.dup(1), os.dup(2)
        try:
            assert runner.run(settings, spool.layout, assignment, callees, parent) == EXIT_MADE
        finally:
            for number, stream in enumerate(streams, start=1):
                os.dup2(stream, number)
                os.close(stream)
            forks.forget_attempt()
        return left(spool)

    yield attempt
    sys.modules.pop(NAME, None)


def left(spool) -> Traces:
    """What lies in the lock file of the job."""
    return traces.peek(spool.layout.lock("x"))


def lines(spool) -> list[str]:
    """The kinds of the lines in it, in their order."""
    with open(spool.layout.lock("x"), "rb") as stream:
        return [orjson.loads(line)["kind"] for line in stream.read().splitlines() if line]


def logged(spool) -> str:
    """The output of the job."""
    with open(spool.layout.log("x"), encoding="utf-8") as stream:
        return stream.read()


def never() -> None:
    """A job that must not be called."""
    raise AssertionError("it was called")


def touch(path: str) -> None:
    with open(path, "wb"):
        pass


def append(spool, *data: bytes) -> None:
    """Write lines into the lock file, as another process left them."""
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    for line in data:
        lock.append(line)
    lock.close()


def start_line(attempt: int, stamp: tuple[int, int, int], began: float = 1.0) -> bytes:
    """A start marker of another process."""
    return lock_lines.start(attempt, stamp, 5, "gone", "2026-11-23T17:45:01Z", began, imports=False)


def failing(code: int, times_to_fail: int, real):
    """A function that fails so often, and then does what the real one does."""
    tries = []

    def fail(*args):
        tries.append(args)
        if len(tries) <= times_to_fail:
            raise OSError(code, os.strerror(code))
        return real(*args)

    return fail, tries


# -- a whole attempt


def test_a_whole_attempt(spool, run) -> None:
    """A job runs, its output lies in its log, and its outcome in its lock file; its document is not touched."""
    assert run("work", "ü") == EXIT_MADE
    found = left(spool)
    before = spool.stamp(State.RUNNING, "x")
    marker = found.marker
    assert marker.fits(0, before, wholly=True)
    assert (marker.is_start, marker.imports, bool(marker.process_started)) == (True, True, True)
    assert found.outcome == LeftOutcome("succeeded", found.outcome.ended_at, result='["ü", 1]')
    assert marker.began <= found.ready
    assert times.parse_time(marker.started_at) <= times.parse_time(found.outcome.ended_at)
    header, *output = logged(spool).splitlines()
    assert header == f"--- attempt 1 · {marker.started_at} · pid {marker.pid}"
    assert sorted(output) == ["err", "out ü"]
    assert lines(spool) == ["start", "ready", "outcome"]
    assert orjson.loads(spool.read(State.RUNNING, "x").data) == {"job": CLASS, "method": "work"}
    assert os.listdir(spool.layout.tmp) == []


def test_the_document_is_not_opened(spool, make) -> None:
    """What a job's process is told is all that it needs: its file is compared from outside, and stays as it was."""
    before = []

    def look() -> None:
        before.append(spool.stamp(State.RUNNING, "x"))
        os.chmod(spool.layout.running("x"), 0)

    assert make(look).outcome.outcome == "succeeded"
    assert before == [spool.stamp(State.RUNNING, "x")]


def test_a_failure(spool, run) -> None:
    """A job that raises leaves its error, and says so in its log."""
    assert run("fail") == EXIT_MADE
    found = left(spool).outcome
    assert (found.outcome, found.error["type"], found.error["message"]) == ("failed", "ValueError", "no such thing")
    assert found.error["traceback"].startswith(f'Traceback (most recent call last):\n  File "{settings_path(spool)}')
    assert 'raise ValueError("no such thing")' in found.error["traceback"]
    assert "ValueError: no such thing" in logged(spool)


def settings_path(spool) -> str:
    """The file of the job's module."""
    return os.path.join(os.path.dirname(spool.layout.root), f"{NAME}.py")


def test_a_death(spool, run) -> None:
    """A job that ends its process leaves its document as it was, and a start marker that fits it."""
    assert run("die") == 7
    found = left(spool)
    assert found.marker.fits(0, spool.stamp(State.RUNNING, "x"), wholly=True)
    assert found.outcome is None
    assert lines(spool) == ["start", "ready"]


def test_what_a_job_knows_of_itself(spool, run) -> None:
    """A job is told its id, attempt, meta and deadline; it reads nothing from standard input; its progress goes with it."""
    assert run("about", number=2, meta={"k": 1}) == EXIT_MADE
    found = left(spool)
    job_id, number, meta, deadline, cancel, stdin, said, mark = orjson.loads(found.outcome.result)
    assert (job_id, number, meta, cancel, stdin) == ("x", 2, {"k": 1}, False, "")
    began = times.parse_time(found.marker.started_at)
    assert began + TIMEOUT <= deadline <= began + TIMEOUT + 10
    assert orjson.loads(said) == {"fraction": 0.5, "text": "half"}
    assert mark == processes.mark(spool.layout.root, "x", 2, found.marker.stamp, processes.home(spool.layout.locks))
    assert left(spool).outcome.progress is True


@posix
def test_only_the_process_of_the_job_makes_steps(spool, run) -> None:
    """A process that the job forked makes no steps: it is no part of the attempt."""
    assert run("steps_in_a_child") == EXIT_MADE
    assert left(spool).outcome.result == "5"
    assert left(spool).outcome.steps is True
    assert "StepError: step 'one': only the process of the job makes steps" in logged(spool)


def test_a_process_that_is_told_nothing(tmp_path) -> None:
    """A process whose pipe closes without a word ends: its dispatcher is gone, or does without."""
    (tmp_path / "told").touch()
    with (tmp_path / "told").open("rb") as stream:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stdout=stream, stderr=subprocess.PIPE, timeout=30, check=False
        )
    assert (done.returncode, done.stderr) == (EXIT_LEFT, b"")


# -- what is not to be made


@pytest.mark.parametrize("what", ["gone", "longer", "as long", "touched", "another file"])
def test_a_file_that_is_another_by_now(spool, settings, assign, what) -> None:
    """When the file is not what the dispatcher looked at, to the last stamp, no marker is left and nothing is called."""
    told = assign()
    path = spool.layout.running("x")
    with open(path, "rb") as stream:
        data = stream.read()
    inode, _, changed_at = told.stamp
    if what == "gone":
        os.unlink(path)
    elif what == "longer":
        with open(path, "ab") as stream:
            stream.write(b" ")
        os.utime(path, ns=(changed_at, changed_at))
    elif what == "as long":
        with open(path, "r+b") as stream:
            stream.write(b"!")
    elif what == "touched":
        os.utime(path, ns=(changed_at, changed_at + 1000))
    else:
        with open(f"{path}.new", "wb") as stream:
            stream.write(data)
        os.utime(f"{path}.new", ns=(changed_at, changed_at))
        os.replace(f"{path}.new", path)
        assert os.stat(path).st_ino != inode
    assert run_here(settings, spool.layout, told, {(NAME, "plain"): Callee("f", never, None)}) == EXIT_LEFT
    assert left(spool) == traces.NO_TRACES
    assert not os.path.exists(spool.layout.log("x"))


@posix
@pytest.mark.parametrize("thing", ["a link to it", "a pipe", "a folder"])
def test_nothing_but_the_file_counts(spool, settings, assign, thing) -> None:
    """What took the place of a claimed document is neither followed nor waited for."""
    told = assign()
    path = spool.layout.running("x")
    if thing == "a link to it":
        os.rename(path, f"{path}.moved")
        os.symlink(f"{path}.moved", path)
    else:
        os.unlink(path)
        (os.mkfifo if thing == "a pipe" else os.mkdir)(path)
    assert runner.run(settings, spool.layout, told) == EXIT_LEFT
    assert left(spool) == traces.NO_TRACES


def test_an_attempt_that_was_begun(spool, settings, assign) -> None:
    """An attempt that another process began, and did not end, is not made again."""
    told = assign()
    other = lock_lines.start(1, told.stamp, 5, "gone", "2026-11-23T17:45:01Z", 1.0, imports=True)
    append(spool, other, lock_lines.ready(1, 2.0))
    before = left(spool)
    assert runner.run(settings, spool.layout, told) == EXIT_LEFT
    assert left(spool) == before


@pytest.mark.parametrize(
    "others",
    [
        lambda stamp: [start_line(1, (stamp[0] + 1, *stamp[1:]))],
        lambda stamp: [start_line(1, (stamp[0], stamp[1] + 1, stamp[2]))],
        lambda stamp: [start_line(1, (*stamp[:2], stamp[2] + 1))],
        lambda stamp: [start_line(2, stamp)],
        lambda stamp: [start_line(1, stamp), lock_lines.claim(1, stamp)],
        lambda stamp: [start_line(1, stamp)[:-20], b"\n"],
        lambda stamp: [start_line(1, stamp)[:-1]],
        lambda _: [b"\nnonsense"],
    ],
    ids=[
        "of another file",
        "of another size",
        "of another time",
        "of another attempt",
        "claimed since",
        "torn",
        "without its line break",
        "nonsense",
    ],
)
def test_an_attempt_after_another(spool, make, monkeypatch, others) -> None:
    """Lines that do not say that this very attempt was begun keep nobody from making it."""
    real = runner._Attempt.begin

    def begin_late(attempt, *, imports):
        for line in others(attempt._assignment.stamp):
            attempt._lock.append(line)
        return real(attempt, imports=imports)

    monkeypatch.setattr(runner._Attempt, "begin", begin_late)
    found = make(lambda: "made")
    assert (found.marker.pid, found.outcome.result) == (os.getpid(), '"made"')


def test_a_lock_that_is_held(spool, settings, assign, monkeypatch) -> None:
    """When another process has the job, it is left alone."""
    monkeypatch.setattr(runner, "LOCK_PATIENCE", 0.0)
    told = assign()
    lock = locks.acquire(spool.layout.lock("x"))
    assert lock is not None
    try:
        assert runner.run(settings, spool.layout, told) == EXIT_LEFT
    finally:
        lock.close()


def test_a_spool_that_cannot_be_written(spool, settings, assign, monkeypatch, capfd) -> None:
    """When the start marker cannot be written the attempt is not begun, and it is said why."""
    fail, _ = failing(errno.ENOSPC, 1, None)
    monkeypatch.setattr(locks.JobLock, "append", fail)
    told = assign()
    assert runner.run(settings, spool.layout, told) == EXIT_UNWRITABLE
    assert "attempt 1 of x was not begun: [Errno 28] No space left on device" in capfd.readouterr().err


def test_another_root(settings, assign, tmp_path) -> None:
    """A spool that is not there is one that cannot be written."""
    nowhere = Layout(str(tmp_path / "nowhere"))
    assert runner.run(settings, nowhere, assign()) == EXIT_UNWRITABLE
    assert not os.path.exists(nowhere.root)


# -- outcomes


@pytest.mark.parametrize(
    ("method", "params", "outcome", "result"),
    [
        ("work", [1], "succeeded", [1, 1]),
        ("work", {"x": 1, "y": 2}, "succeeded", [1, 2]),
        ("later", [], "succeeded", "later"),
        ("plain", [], "succeeded", 5),
        ("leave", [], "succeeded", None),
        ("leave", [None], "succeeded", None),
        ("leave", [3], "failed", None),
        ("leave", ["sorry"], "failed", None),
        ("fail", [], "failed", None),
        ("work", [], "rejected", None),
        ("work", [1, 2], "rejected", None),
        ("work", {"x": 1, "z": 2}, "rejected", None),
        ("no_such_method", [], "failed", None),
    ],
)
def test_outcomes(make, method, params, outcome, result) -> None:
    """A call that returns succeeded, one that could not begin is rejected, and one that raises or exits otherwise failed."""
    found = make(method, params).outcome
    assert (found.outcome, None if found.result is None else orjson.loads(found.result)) == (outcome, result)
    assert (found.error is None) is (outcome == "succeeded")


@pytest.mark.parametrize(("code", "status", "message"), [(3, 3, "3"), ("sorry", 1, "sorry"), ([], 1, "[]")])
def test_exit_status(make, code, status, message) -> None:
    """A job that exits with something else than 0 failed with that status, as a program would."""
    found = make("leave", [code]).outcome
    assert (found.exit_status, found.error) == (status, {"type": "SystemExit", "message": message})


def test_a_rejection_says_what_is_wrong(make) -> None:
    """Params that do not fit are named, with what the method takes."""
    found = make("work", [1, 2]).outcome
    assert found.error == {
        "type": "TypeError",
        "message": "params do not fit work(self, x, *, y=1): too many positional arguments",
    }


def test_a_result_that_cannot_be_kept(spool, make) -> None:
    """A job whose result is no JSON succeeded; both its outcome and its log say why there is none."""
    found = make(lambda: {1, 2}).outcome
    assert (found.outcome, found.result) == ("succeeded", None)
    assert found.result_dropped == "set is no JSON: Object of type set is not JSON serializable"
    assert found.result_dropped in logged(spool)


def test_a_coroutine_that_raises(make) -> None:
    """An error inside a coroutine is a failure like any other, a TypeError too."""

    async def later():
        return len(5)

    found = make(later).outcome
    assert (found.outcome, found.error["type"]) == ("failed", "TypeError")


def test_an_endless_recursion(make) -> None:
    """A job that runs out of its stack failed, and its outcome is whole."""

    def again():
        return again()

    found = make(again).outcome
    assert (found.outcome, found.error["type"]) == ("failed", "RecursionError")


def test_an_interrupt(make) -> None:
    """A job that gets Ctrl-C failed."""

    def interrupted():
        raise KeyboardInterrupt

    found = make(interrupted).outcome
    assert (found.outcome, found.error["type"]) == ("failed", "KeyboardInterrupt")


def test_a_cancel_that_the_job_saw(make, spool) -> None:
    """A job that saw the request to cancel and returns counts as cancelled, and what it returned is not kept."""
    touch(spool.layout.cancel("x"))
    found = make(lambda: current_job.current_job().cancel_requested).outcome
    assert found == LeftOutcome("cancelled", found.ended_at)


def test_a_cancel_that_the_job_did_not_see(make, spool) -> None:
    """A job that finished its work without having looked succeeded."""
    touch(spool.layout.cancel("x"))
    assert make("work", [1]).outcome.outcome == "succeeded"


def test_a_failure_during_a_cancel(make, spool) -> None:
    """A job that raises while it is being cancelled counts as cancelled, with its error."""
    touch(spool.layout.cancel("x"))
    found = make("fail").outcome
    assert (found.outcome, found.error["type"]) == ("cancelled", "ValueError")


@pytest.mark.parametrize("code", [0, 1])
def test_an_exit_during_a_cancel(make, spool, code) -> None:
    """A job that is being cancelled and exits counts as cancelled, like one that returns or raises."""
    touch(spool.layout.cancel("x"))
    assert make("leave", [code]).outcome.outcome == "cancelled"


@pytest.mark.parametrize(("seconds", "outcome"), [(TIMEOUT - 1, "failed"), (TIMEOUT, "timed_out")])
@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1)])
def test_a_failure_after_the_deadline(make, clock, error, seconds, outcome) -> None:
    """A job that raises or exits because its time was over timed out."""

    def late():
        clock.advance(seconds)
        raise error

    assert make(late).outcome.outcome == outcome


# -- the import


def test_the_timeout_counts_from_the_end_of_the_import(make, clock, tmp_path) -> None:
    """An import has its own time: it says when it has ended, and the job's deadline is as long after that as its timeout."""
    slow = f"from spoolrunner.system import clock\nclock.SYSTEM.advance({IMPORT_TIMEOUT - 1})\n"
    seen = "\ndef deadline():\n    return spoolrunner.current_job().deadline.timestamp()\n"
    (tmp_path / f"{NAME}.py").write_text(slow + MODULE + seen, encoding="ascii")
    found = make("deadline", job=NAME)
    assert found.marker.imports is True
    assert found.ready == found.marker.began + IMPORT_TIMEOUT - 1
    assert orjson.loads(found.outcome.result) == clock.wall() + TIMEOUT


def test_what_is_preloaded_is_ready_at_once(spool, make) -> None:
    """Where nothing is to be imported the marker says so, no line tells the end of that, and the timeout counts from it."""

    def deadline() -> float:
        return current_job.current_job().deadline.timestamp()

    found = make(deadline)
    assert (found.marker.imports, found.ready) == (False, None)
    began = times.parse_time(found.marker.started_at)
    assert orjson.loads(found.outcome.result) == began + TIMEOUT
    assert lines(spool) == ["start", "outcome"]


@pytest.mark.parametrize(("seconds", "outcome"), [(IMPORT_TIMEOUT - 1, "failed"), (IMPORT_TIMEOUT, "timed_out")])
def test_an_import_that_takes_too_long(make, tmp_path, seconds, outcome) -> None:
    """A module that fails when its time for the import is over timed out; its job was not called."""
    late = f"from spoolrunner.system import clock\nclock.SYSTEM.advance({seconds})\n1 / 0\n"
    (tmp_path / f"{NAME}.py").write_text(late, encoding="ascii")
    found = make("work", [1])
    assert (found.outcome.outcome, found.outcome.error["type"]) == (outcome, "ZeroDivisionError")
    assert found.ready is None


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("len(5)", "TypeError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("def (", "SyntaxError"),
        ("import no_such_module_here", "ModuleNotFoundError"),
    ],
)
def test_a_module_that_cannot_be_imported(spool, make, tmp_path, source, error) -> None:
    """A module that raises when it is imported is a failure of the attempt, to be retried; a TypeError is no refusal."""
    (tmp_path / f"{NAME}.py").write_text(source, encoding="ascii")
    found = make("work", [1])
    assert (found.outcome.outcome, found.outcome.error["type"]) == ("failed", error)
    assert lines(spool) == ["start", "outcome"]


def test_the_import_path_is_put_in_front_once(make, settings) -> None:
    """Modules are found in python_path first, which a second attempt in the process does not put there again."""
    make("plain")
    assert sys.path[:1] == settings.python_path
    length = len(sys.path)
    make("plain", number=2)
    assert len(sys.path) == length


# -- processes that a job forks


@posix
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("returns", 0),
        ("raises", 1),
        ("raises a TypeError", 1),
        ("None", 0),
        ("3", 3),
        ("300", 300 & 0xFF),
        ("'sorry'", 1),
    ],
)
def test_a_forked_child_that_comes_back(spool, run, how, status) -> None:
    """A child of the job that comes back into our code ends there, with the status of a program; it leaves no outcome."""
    assert run("forks", how) == EXIT_MADE
    found = left(spool)
    assert found.outcome == LeftOutcome("succeeded", found.outcome.ended_at, result=str(status))
    assert lines(spool) == ["start", "ready", "outcome"]
    log = logged(spool)
    assert log.count("the child was here\n") == 1
    assert ("Traceback" in log) is how.startswith("raises")
    assert "the attempt failed" not in log


@posix
def test_a_forked_child_that_outlives_the_job(spool, run) -> None:
    """A job whose process ends while its child comes back has left no outcome: the child's is none."""
    assert run("forks_and_dies") == 7
    assert left(spool).outcome is None


@posix
@pytest.mark.parametrize("how", ["pass", "raise ValueError('in the child')", "sys.exit(3)"])
def test_a_module_that_forks_when_it_is_imported(spool, run, tmp_path, how) -> None:
    """A child that comes back from the import ends there: the job is called once, by the process of the attempt."""
    forks = f"import os, sys\npid = os.fork()\nif pid == 0:\n    {how}\nelse:\n    os.waitpid(pid, 0)\n"
    (tmp_path / f"{NAME}.py").write_text(forks + MODULE, encoding="ascii")
    assert run("work", "once") == EXIT_MADE
    assert left(spool).outcome.outcome == "succeeded"
    assert lines(spool) == ["start", "ready", "outcome"]
    assert logged(spool).count("out once") == 1


@posix
def test_a_forked_child_does_not_hold_the_lock(spool, begin, tmp_path) -> None:
    """The lock is free when the job's own process has ended, though a child of it lives on."""
    os.mkfifo(tmp_path / "fifo")
    lives_on = f"""
def leaves_a_child():
    if os.fork() == 0:
        with open({os.fspath(tmp_path / "fifo")!r}) as stream:
            stream.read()
        os._exit(0)
"""
    (tmp_path / f"{NAME}.py").write_text(MODULE + lives_on, encoding="ascii")
    assert begin("leaves_a_child", job=NAME).wait(30) == EXIT_MADE
    lock = locks.acquire(spool.layout.lock("x"), 30)  # the child may not have come to close its copy yet
    assert lock is not None
    lock.close()
    with open(tmp_path / "fifo", "w", encoding="ascii"):
        pass  # the child was there, and ends now


# -- a lock that the job gave away


@posix
def test_a_job_that_closes_all_descriptors(spool, run, tmp_path) -> None:
    """The outcome of a job that closed the lock lies in the lock file, and never in a file that got its number."""
    path = tmp_path / "of_the_job"
    assert run("closes_all", str(path)) == EXIT_MADE
    assert left(spool).outcome.result == "20"
    assert lines(spool) == ["start", "ready", "outcome"]
    assert path.read_bytes() == b""


@posix
def test_a_job_that_closes_its_streams(spool, run) -> None:
    """A job without standard streams is made like any other."""
    assert run("closes_its_streams") == EXIT_MADE
    assert left(spool).outcome.result == '"without streams"'


@posix
def test_a_job_that_removes_its_lock_file(spool, run) -> None:
    """The outcome lies in a new lock file at the path, behind the start marker of its attempt."""
    assert run("removes", spool.layout.lock("x")) == EXIT_MADE
    found = left(spool)
    assert lines(spool) == ["start", "outcome"]
    assert found.marker.fits(0, spool.stamp(State.RUNNING, "x"), wholly=True)
    assert (found.marker.imports, bool(found.marker.process_started)) == (True, True)
    assert found.outcome.result == '"removed"'


@posix
def test_a_lock_file_that_was_made_anew(spool, make) -> None:
    """Where a dispatcher has made the marker of the attempt anew, the outcome is written behind that one."""

    def remove():
        os.unlink(spool.layout.lock("x"))
        append(spool, start_line(1, spool.stamp(State.RUNNING, "x"), began=9.0))

    found = make(remove)
    assert lines(spool) == ["start", "outcome"]
    assert (found.marker.began, found.outcome.outcome) == (9.0, "succeeded")


@posix
@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("what", ["gone", "another"])
def test_an_outcome_that_nobody_waits_for(spool, make, what, closes) -> None:
    """When the lock was lost and the job's file is another by now, the outcome is dropped: it was settled without it."""
    path = spool.layout.running("x")

    def lose():
        if closes:
            os.close(forks.held.descriptor)
        os.unlink(spool.layout.lock("x"))
        os.unlink(path)
        if what == "another":
            touch(path)

    assert make(lose) == traces.NO_TRACES


@posix
def test_the_attempt_that_follows_is_left_alone(spool, make) -> None:
    """When another attempt was begun meanwhile, behind the back of one that lost its lock, its marker stays the last word."""

    def lose():
        os.unlink(spool.layout.lock("x"))
        path = spool.layout.running("x")
        with open(f"{path}.new", "wb") as stream:
            stream.write(b"recorded")
        os.replace(f"{path}.new", path)
        append(spool, start_line(2, spool.stamp(State.RUNNING, "x")))

    found = make(lose)
    assert (found.marker.attempt, found.outcome) == (2, None)
    assert lines(spool) == ["start"]


@posix
def test_a_closed_lock_that_another_holds_when_the_outcome_comes(spool, make, clock) -> None:
    """Where the last marker is its own, one that closed its lock waits for nobody: it lives, so nobody else writes there."""
    held = []

    def lose():
        os.close(forks.held.descriptor)
        held.append(locks.acquire(spool.layout.lock("x")))

    before = clock.monotonic()
    assert make(lose).outcome.outcome == "succeeded"
    assert clock.monotonic() == before
    held[0].close()


@posix
def test_a_new_lock_that_another_holds_when_the_outcome_comes(spool, make, clock, monkeypatch) -> None:
    """One whose lock file was removed waits until the dispatcher, which looks for a moment, gives the new one up."""
    monkeypatch.setattr(runner, "LOCK_PATIENCE", 0.0)
    held = []

    def lose():
        os.unlink(spool.layout.lock("x"))
        held.append(locks.acquire(spool.layout.lock("x")))

    def sleep(seconds):
        clock.advance(seconds)
        held[0].close()

    monkeypatch.setattr(clock, "sleep", sleep)
    before = clock.monotonic()
    assert make(lose).outcome.outcome == "succeeded"
    assert clock.monotonic() == before + 1
    assert lines(spool) == ["start", "outcome"]


@posix
def test_a_system_that_does_not_say_whose_a_descriptor_is(spool, make, monkeypatch) -> None:
    """While it cannot be known whether the lock is still ours, nothing is written elsewhere: it is asked again."""
    fail, tries = failing(errno.EIO, 2, os.fstat)

    def work():
        monkeypatch.setattr(os, "fstat", fail)

    assert make(work).outcome.outcome == "succeeded"
    assert len(tries) > 2
    assert lines(spool) == ["start", "outcome"]


# -- a disk that refuses


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_the_outcome_waits_for_the_disk(spool, make, clock, monkeypatch, code) -> None:
    """When the disk refuses the outcome it is tried again until it is written, which is said once; the job runs once."""
    fail, tries = failing(code, 3, locks.JobLock.append)
    calls = []

    def work():
        calls.append(clock.monotonic())
        monkeypatch.setattr(locks.JobLock, "append", fail)
        return "done"

    found = make(work)
    assert (found.outcome.result, len(calls)) == ('"done"', 1)
    assert len(tries) == 4
    assert clock.monotonic() == calls[0] + 3
    assert lines(spool) == ["start", "outcome"]
    assert logged(spool).count("cannot be written, trying on: ") == 1


def test_a_line_that_was_written_in_part(spool, make, monkeypatch) -> None:
    """A line of which only a part went to a full disk harms nothing: the whole one follows, and is read."""
    real = os.write

    def work():
        cut = []

        def write(descriptor, data):
            if descriptor == forks.held.descriptor and not cut:
                cut.append(data)
                return real(descriptor, data[: len(data) // 2])
            return real(descriptor, data)

        monkeypatch.setattr(os, "write", write)
        return "done"

    assert make(work).outcome.result == '"done"'
    with open(spool.layout.lock("x"), "rb") as stream:
        assert stream.read().count(b'"kind":"outcome"') == 2


def test_the_end_of_an_import_waits_for_the_disk(make, tmp_path, clock) -> None:
    """When the disk refuses the line that ends the import, the job waits for it: its timeout counts from there."""
    full = (
        "from spoolrunner.spool import locks\nreal, left = locks.JobLock.append, [1, 2]\n"
        "def fail(*args):\n    if left:\n        left.pop()\n        raise OSError(28, 'full')\n"
        "    locks.JobLock.append = real\n    real(*args)\nlocks.JobLock.append = fail\n"
    )
    (tmp_path / f"{NAME}.py").write_text(full + MODULE, encoding="ascii")
    found = make("plain")
    assert found.outcome.result == "5"
    assert clock.monotonic() == found.marker.began + 2


@posix
def test_progress_is_left_to_be_removed(spool, make) -> None:
    """Whether there is a file of its progress stands in the outcome line: who records the attempt removes it."""

    def report():
        current_job.current_job().progress(0.5)

    assert make(report).outcome.progress is True
    assert os.path.exists(spool.layout.progress("x"))


def test_no_progress_to_be_removed(make) -> None:
    """Of a job that reported none nothing is said, so nothing is looked for."""
    assert make(lambda: None).outcome.progress is False


# -- who reports the end


@pytest.fixture
def synced(spool, monkeypatch) -> list[str]:
    """What is synced, by its name in the spool."""
    found: list[str] = []
    monkeypatch.setattr(durable, "sync", lambda path: found.append(os.path.relpath(path, spool.layout.root)))
    monkeypatch.setattr(durable, "sync_folder", durable.sync)
    return found


ALL = [os.path.join("locks", "x.lock"), "locks", "running"]


@posix
@pytest.mark.parametrize(
    ("parent", "fsync", "expected"),
    [
        (os.getppid, True, []),  # who forked us will report our end
        (lambda: 1 << 22, True, ALL),  # another is our parent now: who forked us is gone
        (lambda: 1 << 22, False, []),
        (lambda: NO_PARENT, True, []),  # an attempt in its dispatcher's own process
    ],
)
@pytest.mark.parametrize("ends", ["well", "badly"])
def test_an_orphan_syncs_its_outcome(make, settings, synced, parent, fsync, expected, ends) -> None:
    """One whose dispatcher is gone makes its outcome durable itself, however it ended; otherwise the dispatcher syncs."""
    settings.fsync = fsync
    make((lambda: None) if ends == "well" else (lambda: 1 / 0), parent=parent())
    assert synced == expected


@posix
def test_an_outcome_that_cannot_be_synced(spool, make, settings, monkeypatch) -> None:
    """A sync that fails is said, and is no reason to stay: the outcome is written."""
    settings.fsync = True
    fail, tries = failing(errno.EIO, 9, None)
    monkeypatch.setattr(durable, "sync", fail)
    assert make(lambda: None, parent=1 << 22).outcome.outcome == "succeeded"
    assert "the outcome is written, but not synced: [Errno 5]" in logged(spool)
    assert len(tries) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names what is synced")
@pytest.mark.parametrize("dies", [True, False])
def test_a_process_whose_parent_died(spool, settings, assign, tmp_path, dies) -> None:
    """A job's process knows whether who started it is still there when it has ended."""
    settings.fsync = True
    os.mkfifo(tmp_path / "go")
    told = assign("counts_syncs", [str(tmp_path / "go")])
    (tmp_path / "told").write_bytes(runner.told(settings, told.to_bytes(), os.getpid()))
    starter = f"""
import marshal, os, subprocess, sys
with open({str(tmp_path / "told")!r}, "r+b") as told:
    *what, _ = marshal.load(told)
    told.seek(0)
    marshal.dump((*what, os.getpid()), told, 2)
    told.truncate()
with open({str(tmp_path / "told")!r}, "rb") as told:
    job = subprocess.Popen([sys.executable, "-c", {PROGRAM!r}], stdout=told)
print("up", flush=True)
sys.stdin.read()
job.wait()
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        with open(tmp_path / "go", "w", encoding="ascii"):  # the job is in its call now
            if dies:
                parent.kill()
                parent.wait()
        if not dies:
            parent.stdin.close()
            assert parent.wait(30) == 0
    lock = locks.acquire(spool.layout.lock("x"), 30)
    assert lock is not None, "the job has not ended"
    lock.close()
    names = re.findall(r"synced (.*)", logged(spool))
    root = os.path.realpath(spool.layout.root)
    assert [os.path.relpath(name, root) for name in names] == (ALL if dies else [])
    assert left(spool).outcome.outcome == "succeeded"


# -- output and limits


def test_a_log_that_cannot_be_had(spool, run) -> None:
    """A job whose log cannot be opened runs all the same."""
    os.mkdir(spool.layout.log("x"))
    assert run("work", 1) == EXIT_MADE
    assert left(spool).outcome.result == "[1, 1]"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux keeps these limits")
@pytest.mark.parametrize(
    ("method", "limits", "error"),
    [
        ("fills_its_memory", (64 << 20, None, None, False), "MemoryError"),
        ("takes_all_files", (None, None, 32, False), "OSError"),
    ],
)
def test_a_job_that_used_up_what_it_has(spool, run, method, limits, error) -> None:
    """A job that was held to its limits leaves its outcome all the same."""
    assert run(method, limits=limits) == EXIT_MADE
    found = left(spool).outcome
    assert (found.outcome, found.error["type"]) == ("failed", error)


def test_limits_that_the_system_refuses(make, monkeypatch) -> None:
    """A job that cannot be limited is not called: that is a failure of the attempt."""
    from spoolrunner.attempt import rlimits

    fail, _ = failing(errno.EPERM, 9, None)
    monkeypatch.setattr(rlimits, "restricted_by", fail)
    found = make(never, limits=(None, 1.0, None, False)).outcome
    assert (found.outcome, found.error["type"]) == ("failed", "PermissionError")


# -- values, errors and streams that are not what they seem

HOSTILE = """
import os, sys, signal
from spoolrunner import current_job

def ends(how):
    if how == "exits":
        os._exit(9)
    if how == "raises":
        raise KeyboardInterrupt
    if how == "leaves":
        sys.exit(0)
    if how == "forks":
        if os.fork() == 0:
            return
        os.wait()
    if how == "hangs":
        os.kill(os.getpid(), signal.SIGKILL)  # as its timeout would

class Error(Exception):
    def __init__(self, how):
        self.how = how

    def __str__(self):
        ends(self.how)
        return "a text"

class Items(dict):
    def items(self):
        ends(self.get("how"))
        return super().items()

class Stream:
    def __init__(self, how):
        self.how = how

    def write(self, text):
        pass

    def flush(self):
        ends(self.how)

class Liar(Exception):
    __class__ = SystemExit
    code = 0

class Meta(type):
    __name__ = __module__ = property(lambda self: ends("raises"))

class Unnamed(Exception, metaclass=Meta):
    pass

class Everything:
    def __getattr__(self, name):
        ends("raises")

class Number(int):
    def __eq__(self, other):
        ends("raises")
    __hash__ = __int__ = __index__ = __bool__ = __repr__ = __str__ = __eq__

def raises(how):
    raise Error(how)

def returns(how):
    return Items(how=how)

def prints(how):
    sys.stdout = Stream(how)
    return "printed"

def lies():
    raise Liar

def unnamed():
    raise Unnamed

def everything():
    return Everything()

def leaves_by_number():
    sys.exit(Number(3))

def number():
    return Number(3)

def handles_signals():
    import signal
    left = [1, 2]
    def handle(*_):
        if left:
            left.pop()
            raise KeyboardInterrupt
    signal.signal(signal.SIGUSR1, handle)
    class Stamp:
        def __getattr__(self, name):
            return getattr(kept, name)
        def text(self):
            os.kill(os.getpid(), signal.SIGUSR1)
            return kept.text()
    from spoolrunner.system import clock
    kept, clock.SYSTEM = clock.SYSTEM, Stamp()
    return "handled"

def chain(length):
    error = None
    for number in range(length):
        made = ValueError("x" * 1000)
        made.__context__ = error
        error = made
    raise error

def suggests():
    class Thing:
        def __dir__(self):
            os._exit(9)
    Thing().attribute

def unrun_module_function():
    return None
"""


@pytest.fixture
def hostile(tmp_path, run, spool):
    """Run one of the hostile functions in a process of its own; gives the outcome that the dispatcher reads."""

    def make(function: str, *params: object, **changes) -> LeftOutcome:
        (tmp_path / f"{NAME}.py").write_text(HOSTILE, encoding="ascii")
        run(function, *params, job=NAME, **changes)
        made = left(spool).outcome
        assert made is not None
        return made

    return make


@posix
@pytest.mark.parametrize("how", ["exits", "raises", "leaves", "hangs", "forks"])
def test_an_error_whose_text_does_not_come(hostile, spool, how) -> None:
    """The failure is recorded with its type, whatever its text does: raise, exit, fork, or hang."""
    made = hostile("raises", how)
    assert (made.outcome, made.error["type"]) == ("failed", f"{NAME}.Error")
    assert ("a text" in made.error["message"]) is (how == "forks")
    assert lines(spool).count("outcome") == (1 if how in ("exits", "hangs") else 2)


@posix
@pytest.mark.parametrize("how", ["exits", "raises", "leaves", "hangs"])
def test_a_value_that_does_not_come(hostile, how) -> None:
    """The job succeeded, and why its value is missing is said, whatever its own methods do."""
    made = hostile("returns", how)
    assert (made.outcome, made.result) == ("succeeded", None)
    assert made.result_dropped.startswith("Items is no JSON: ")


@posix
def test_a_value_that_forks(hostile, spool) -> None:
    """A child that the value's own method has forked leaves no outcome."""
    assert hostile("returns", "forks").result == '{"how": "forks"}'
    assert lines(spool).count("outcome") == 2  # the one ahead, and that of the job's process


@posix
@pytest.mark.parametrize("how", ["exits", "raises", "leaves", "hangs", "forks"])
def test_a_stream_that_does_not_flush(hostile, how) -> None:
    """The outcome is written before any stream of the job's is flushed."""
    assert hostile("prints", how).result == '"printed"'


def test_values_that_lie_about_their_type(hostile) -> None:
    """What counts is the type itself, not what an object, a class or its metaclass says about it."""
    assert hostile("lies").outcome == "failed"


@pytest.mark.parametrize(
    ("function", "outcome", "kind"), [("unnamed", "failed", "Unnamed"), ("leaves_by_number", "failed", "SystemExit")]
)
def test_errors_that_lie(hostile, function, outcome, kind) -> None:
    """An error whose class has no name, and a status whose methods raise, are recorded as what they are."""
    made = hostile(function)
    assert (made.outcome, made.error["type"].rpartition(".")[2]) == (outcome, kind)
    assert made.exit_status == (3 if function == "leaves_by_number" else None)


def test_an_object_that_has_every_attribute(hostile) -> None:
    """It is asked for nothing."""
    assert hostile("everything").result_dropped.startswith("Everything is no JSON: ")


def test_a_number_is_what_it_is(hostile) -> None:
    """The methods of a number of the job's own are not called."""
    assert hostile("number").result == "3"


@posix
def test_a_signal_while_the_outcome_is_written(hostile) -> None:
    """A handler of the job's that raises in the middle of our work loses nothing: the line is written again."""
    assert hostile("handles_signals").result == '"handled"'


def test_a_chain_of_errors(hostile) -> None:
    """However long the chain of errors is, the record is as long as any."""
    made = hostile("chain", 5000)
    assert made.error["type"] == "ValueError"
    assert len(made.error["traceback"].encode()) <= 16 << 10


def test_a_suggestion_that_ends_the_process(hostile) -> None:
    """Python asks an object what it has, to suggest another name: where that ends the process, the error is there already."""
    made = hostile("suggests")
    assert (made.outcome, made.error["type"]) == ("failed", "AttributeError")


@pytest.mark.parametrize("code", ["", "0", "None", "3", "'sorry'"])
@pytest.mark.parametrize(
    "source",
    [
        "import sys\ndef f(): pass\nsys.exit({})\n",
        "import sys\nclass C:\n  def __init__(self): sys.exit({})\n  def f(self): pass\n",
        "import sys\nclass C:\n  def __new__(cls): sys.exit({})\n  def f(self): pass\n",
        "import sys\nclass C:\n  def __getattribute__(self, name): sys.exit({})\n  def f(self): pass\n",
    ],
)
def test_an_exit_before_the_call(make, tmp_path, source, code) -> None:
    """A module or class that exits, with 0 too, fails its job: nothing of it has run."""
    (tmp_path / f"{NAME}.py").write_text(source.format(code), encoding="ascii")
    made = make("f", job=f"{NAME}.C" if "class" in source else NAME).outcome
    assert (made.outcome, made.error["type"]) == ("failed", "SystemExit")
    assert "exited before the call, so that nothing was run" in made.error["message"]
    assert made.exit_status == {"3": 3, "'sorry'": 1}.get(code, 0)


# -- what a job pays for

HEAVY = {
    *("orjson", "typing", "enum", "collections", "re", "json", "dataclasses", "inspect"),
    *("threading", "logging", "subprocess", "asyncio", "functools", "datetime", "traceback", "tempfile", "random"),
    *("msgspec", "psutil", "watchdog", "filelock", "rich", "socket", "select", "selectors", "signal", "ctypes"),
}


@pytest.fixture
def bare() -> str:
    """What comes before the program, so that an interpreter has nothing loaded but what it needs itself."""
    return f"import sys; sys.path[:] = {sys.path!r}\n"


def loaded_by(spool, settings, told: Assignment, bare: str, tmp_path) -> set[str]:
    """What a job's process had loaded at its end, as the job printed it."""
    (tmp_path / "told").write_bytes(runner.told(settings, told.to_bytes(), os.getpid()))
    with (tmp_path / "told").open("rb") as stream:
        command = [sys.executable, "-S", "-c", bare + PROGRAM]
        assert subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stream, timeout=30, check=False).returncode == 0
    return set(logged(spool).splitlines()[-1].split())


def test_a_whole_attempt_is_light(spool, settings, assign, bare, tmp_path) -> None:
    """From its start to its end a job's process imports nothing that it can do without, and what the job itself imports."""
    loaded = loaded_by(spool, settings, assign("nothing"), bare, tmp_path)
    assert {"spoolrunner.attempt.runner", NAME} <= loaded
    assert loaded & HEAVY == set()
    assert left(spool).outcome.outcome == "succeeded"


@pytest.mark.parametrize("result", ["None", "True", "5", "'text'", "[1]", "'ü'", "{'a': (1.5, None)}"])
def test_what_a_result_costs(spool, settings, assign, bare, tmp_path, result) -> None:
    """No result needs a JSON library: a job that gave up its root or its descriptors could not import one."""
    source = (
        f"def f():\n    import atexit, sys\n    atexit.register(lambda: print(*sys.modules))\n    return {result}\n"
    )
    (tmp_path / f"{NAME}.py").write_text(source, encoding="utf-8")
    loaded = loaded_by(spool, settings, assign("f", job=NAME), bare, tmp_path)
    assert loaded & {"json", "orjson"} == set()
    assert json.loads(left(spool).outcome.result or "null") == json.loads(json.dumps(eval(result)))


@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="from 3.13 on Python imports a module of its own for a traceback"
)
def test_what_a_failure_costs(spool, settings, assign, bare, tmp_path) -> None:
    """The traceback of an error is made by the interpreter itself; only a refused call is looked at with inspect."""
    source = (
        "def f():\n    import atexit, sys\n    atexit.register(lambda: print(*sys.modules))\n    raise ValueError\n"
    )
    (tmp_path / f"{NAME}.py").write_text(source, encoding="utf-8")
    loaded = loaded_by(spool, settings, assign("f", job=NAME), bare, tmp_path)
    assert left(spool).outcome.error["traceback"].endswith("ValueError\n")
    assert loaded & (HEAVY | {"traceback", "linecache", "tokenize"}) == set()
