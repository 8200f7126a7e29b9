"""A new interpreter for each job, started ahead of it."""

from __future__ import annotations

import json
import os
import signal
import sys

import psutil
import pytest

from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_MADE
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, NotStarted
from spoolrunner.executors.plan import runner_settings
from spoolrunner.executors.spawn import SpawnExecutor
from tests.unit.executors.conftest import PATIENCE, assigned, left_in, nothing_to_do

KEY = AttemptKey("x", 1)
JOBS = "unit_spawn_jobs"
ANOTHER = "import os, sys\ndef v():\n    return [{!r}, os.getcwd(), sys.argv, sys.path[0]]\n"
MODULE = """
import os, sys

def length(text):
    return [len(text), sys.stdin.read(), os.environ["SPOOLRUNNER_JOB"]]

def fail():
    raise ValueError("no such thing")

def die():
    os._exit(7)

def colour():
    return os.environ.get("COLOUR", "none")
"""


@pytest.fixture
def made(config, tmp_path):
    """A configuration with jobs."""
    (tmp_path / f"{JOBS}.py").write_text(MODULE, encoding="ascii")
    return config(allowed_jobs={JOBS: ["length", "fail", "die", "colour"]})


@pytest.fixture
def make(made, plan_of, exits):
    """Make spawn executors, which are closed at the end."""
    executors = []

    def make(**changes):
        executors.append(SpawnExecutor(plan_of(made, **changes), exits.put))
        exits.executors.append(executors[-1])
        return executors[-1]

    yield make
    for executor in executors:
        executor.close()


@pytest.fixture
def executor(make):
    """A spawn executor."""
    return make()


def test_an_interpreter_waits_for_its_job(executor, exits) -> None:
    """The process that was started ahead becomes the job's, another one waits then, and both are reported or gone."""
    exits.ready(executor)
    waiting = executor._spare.process.pid
    executor.start(nothing_to_do())
    assert executor.pid(KEY) == waiting
    assert executor._spare.process.pid != waiting
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


# A pipe takes 64 KiB at once; what is longer, and what is longer than 4 KiB, is written by a thread.
@pytest.mark.parametrize("size", [0, 5_000, 70_000, 1_000_000])
def test_a_job_is_told_what_it_is_to_do(executor, made, exits, size) -> None:
    """Parameters of any length come across; the job reads nothing, and carries its mark."""
    executor.start(assigned(made.layout, JOBS, "length", "ü" * size))
    key, status, usage, _ = exits.get()
    assert (key, status) == (KEY, EXIT_MADE)
    assert (usage is None) is (sys.platform == "win32")
    assert usage is None or (usage.max_rss_kib > 1024 and 0 < usage.cpu_s < PATIENCE)
    left = left_in(made.layout)
    mark = executor.mark(KEY).replace("\\", "\\\\")
    assert (left.outcome, left.result) == ("succeeded", f'[{size}, "", "{mark}"]')


@pytest.mark.parametrize(("method", "status"), [("fail", EXIT_MADE), ("die", 7)])
def test_the_status_of_an_end(executor, made, exits, method, status) -> None:
    """A job that fails has been made; one that ends its process is reported with its own status."""
    executor.start(assigned(made.layout, JOBS, method))
    assert exits.get()[:2] == (KEY, status)


def test_a_second_start_is_none(executor, exits) -> None:
    """Starting an attempt twice is the same as starting it once."""
    executor.start(nothing_to_do())
    pid = executor.pid(KEY)
    executor.start(nothing_to_do())
    assert executor.pid(KEY) == pid
    assert exits.get()[:2] == (KEY, EXIT_LEFT)
    assert exits.empty()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no zombies")
def test_an_end_is_not_collected_by_the_next_start(executor, exits) -> None:
    """A process that has ended unheard keeps its status and usage until it is asked, also while others are started."""
    executor.start(nothing_to_do())
    os.waitid(os.P_PID, executor.pid(KEY), os.WEXITED | os.WNOWAIT)
    executor.start(nothing_to_do("y"))
    ends = sorted([exits.get(), exits.get()])
    assert [end[:2] for end in ends] == [(KEY, EXIT_LEFT), (("y", 1), EXIT_LEFT)]
    assert None not in [end.usage for end in ends]


def test_an_interpreter_that_died_while_it_waited(executor, exits) -> None:
    """A job whose process was killed before it was told is started in another one."""
    exits.ready(executor)
    executor._spare.process.kill()
    executor._spare.process.wait()
    executor.start(nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interpreter_that_died_before_it_had_read_all(executor, exits) -> None:
    """A process that is killed while a long job is still being written to it is reported with the signal."""
    exits.ready(executor)
    pid = executor._spare.process.pid
    os.kill(pid, signal.SIGSTOP)
    executor.start(nothing_to_do(params=["x" * 1_000_000]))
    os.kill(pid, signal.SIGKILL)
    assert exits.get()[:2] == (KEY, -signal.SIGKILL)


def test_what_waits_goes_with_the_executor(executor, exits) -> None:
    """The waiting process ends when the executor is closed, and a closed one can be closed again."""
    exits.ready(executor)
    waiting = psutil.Process(executor._spare.process.pid)
    executor.close()
    assert not waiting.is_running()
    executor.close()


def test_what_waits_goes_with_the_dispatcher(executor, exits) -> None:
    """The waiting process ends by itself when its pipe closes, as it does when the dispatcher dies."""
    exits.ready(executor)
    spare, executor._spare = executor._spare, None
    os.close(spare._pipe)
    assert spare.process.wait(PATIENCE) == EXIT_LEFT


def test_a_program_that_is_not_there(make, exits) -> None:
    """An interpreter that cannot be started is an error that names the program."""
    executor = make(python="no-such-python")
    with pytest.raises(StartError, match="cannot start no-such-python"):
        exits.ready(executor)
    with pytest.raises(StartError, match="cannot start no-such-python"):
        executor.start(nothing_to_do())


def test_another_folder_at_the_path(make, made, exits, tmp_path) -> None:
    """When a link on the way to the folder is flipped, the interpreter that waits is replaced by one in the new folder."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "unit_spawn_link.py").write_text(ANOTHER.format(name), encoding="ascii")
    link = tmp_path / "current"
    try:
        link.symlink_to("one", target_is_directory=True)
    except OSError:
        pytest.skip("no links may be made here")
    settings = runner_settings(made, "")
    settings.python_path = [str(link)]
    executor = make(folder=str(link), settings=settings.to_bytes())
    for turn, name in enumerate(["one", "two"]):
        if turn:
            (tmp_path / "new").symlink_to(name, target_is_directory=True)
            os.replace(tmp_path / "new", link)
        exits.ready(executor)
        executor.start(assigned(made.layout, "unit_spawn_link", "v", job_id=name))
        assert exits.get()[:2] == ((name, 1), EXIT_MADE)
        assert json.loads(left_in(made.layout, name).result) == [name, str(tmp_path / name), ["-c"], str(link)]


def test_a_folder_that_is_gone(make, exits, tmp_path) -> None:
    """The error names the folder, not the interpreter."""
    executor = make(folder=str(tmp_path / "later"))
    (tmp_path / "later").mkdir()
    exits.ready(executor)
    (tmp_path / "later").rename(tmp_path / "gone")
    with pytest.raises(StartError, match="later"):
        exits.ready(executor)


@pytest.fixture
def lib(tmp_path):
    """A folder that comes before ours on the import path of the jobs' processes."""
    (tmp_path / "lib").mkdir()
    return tmp_path / "lib"


@pytest.fixture
def hindered(make, lib):
    """A spawn executor whose processes find what is in `lib` first."""
    return make(environment={**os.environ, "PYTHONPATH": str(lib)})


def test_an_interpreter_that_cannot_run_our_program(hindered, exits, lib) -> None:
    """Why it cannot is the error before anything is started; when it is mended the next one waits for its job."""
    (lib / "spoolrunner.py").write_text("raise ImportError('half an upgrade')")
    with pytest.raises(StartError, match="ImportError: half an upgrade"):
        exits.ready(hindered)
    assert not hindered.is_ready
    (lib / "spoolrunner.py").unlink()
    exits.ready(hindered)
    hindered.start(nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


def test_an_installation_that_breaks_in_mid_life(hindered, exits, lib) -> None:
    """A job that was given to a process which never came to our program is reported as not started."""
    exits.ready(hindered)
    (lib / "spoolrunner.py").write_text("raise ImportError('half an upgrade')")
    hindered.start(nothing_to_do())  # by the one that waited
    assert exits.get()[:2] == (KEY, EXIT_LEFT)
    hindered.start(nothing_to_do("y"))
    refused = exits.get()
    assert isinstance(refused, NotStarted)
    assert (refused.key, "half an upgrade" in refused.problem) == (("y", 1), True)
    with pytest.raises(StartError, match="half an upgrade"):
        exits.ready(hindered)


def test_nothing_waits_for_an_interpreter_that_hangs(made, make, exits, tmp_path) -> None:
    """Neither the search for packages nor the start of our program holds anybody up."""
    if sys.platform == "win32":
        pytest.skip("a script is no program there")
    os.mkfifo(tmp_path / "fifo")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nread line < {tmp_path / "fifo"}\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    executor = make(python=str(python))
    executor.prepare()
    executor.prepare()
    assert not executor.is_ready
    for _ in range(2):
        exits.until(lambda: executor._interpreter.is_searching or executor._spare is not None)
        executor.prepare()
        assert not executor.is_ready
        with open(tmp_path / "fifo", "w", encoding="ascii") as stream:
            stream.write("go\n")
        exits.until(lambda: executor._interpreter._searching is None or not executor._interpreter._searching.is_alive())
        executor.prepare()
    exits.ready(executor)


def test_an_interpreter_that_never_comes(executor, exits) -> None:
    """One that hangs before our program is killed after a while, and that is an error like any other."""
    exits.until(lambda: executor.prepare() or executor._spare is not None)
    spare = executor._spare
    if sys.platform == "win32" or spare.is_heard:
        pytest.skip("it was too quick to be stopped" if sys.platform != "win32" else "signals of POSIX")
    os.kill(spare.process.pid, signal.SIGSTOP)
    executor._come_by = 0.0
    if spare.is_heard:
        pytest.skip("it was too quick to be stopped")
    with pytest.raises(StartError, match="did not come to our program within"):
        executor.prepare()
    exits.until(lambda: spare.process.returncode is not None)


def test_no_process_to_be_had(executor, exits, monkeypatch) -> None:
    """The limit of processes is an error of the start, and no descriptor is left of it."""
    exits.ready(executor)
    executor._do_without_spare()

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr("spoolrunner.executors.spawned.subprocess.Popen", refuse)
        with pytest.raises(StartError, match="temporarily unavailable"):
            executor.prepare()
        assert not executor.is_ready
    exits.ready(executor)


def test_another_plan(executor, made, plan_of, exits) -> None:
    """The interpreter that waits is let go, and one that was started by the new plan gets the next job."""
    exits.ready(executor)
    waiting = executor._spare
    executor.replan(plan_of(made, environment={**os.environ, "COLOUR": "red"}))
    assert not executor.is_ready
    exits.start(executor, assigned(made.layout, JOBS, "colour"))
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == '"red"'
    exits.until(lambda: waiting not in executor._leaving)


def test_a_plan_by_which_nothing_can_be_started(executor, made, plan_of, exits) -> None:
    """It is refused, and the interpreter that waits gets the next job."""
    exits.ready(executor)
    waiting = executor._spare.process.pid
    with pytest.raises(StartError, match="no-such-python"):
        executor.replan(plan_of(made, python="no-such-python", environment={"COLOUR": "red"}))
    exits.start(executor, assigned(made.layout, JOBS, "colour"))
    assert executor.pid(KEY) == waiting
    exits.get()
    assert left_in(made.layout).result == '"none"'
