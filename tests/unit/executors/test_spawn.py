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
from spoolrunner.executors.base import AttemptKey
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
    executor.prepare()
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
    executor.prepare()
    executor._spare.process.kill()
    executor._spare.process.wait()
    executor.start(nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interpreter_that_died_before_it_had_read_all(executor, exits) -> None:
    """A process that is killed while a long job is still being written to it is reported with the signal."""
    executor.prepare()
    pid = executor._spare.process.pid
    os.kill(pid, signal.SIGSTOP)
    executor.start(nothing_to_do(params=["x" * 1_000_000]))
    os.kill(pid, signal.SIGKILL)
    assert exits.get()[:2] == (KEY, -signal.SIGKILL)


def test_what_waits_goes_with_the_executor(executor) -> None:
    """The waiting process ends when the executor is closed, and a closed one can be closed again."""
    executor.prepare()
    waiting = psutil.Process(executor._spare.process.pid)
    executor.close()
    assert not waiting.is_running()
    executor.close()


def test_what_waits_goes_with_the_dispatcher(executor) -> None:
    """The waiting process ends by itself when its pipe closes, as it does when the dispatcher dies."""
    executor.prepare()
    process, pipe = executor._spare
    executor._spare = None
    os.close(pipe)
    assert process.wait(PATIENCE) == EXIT_LEFT


def test_a_program_that_is_not_there(make) -> None:
    """An interpreter that cannot be started is an error that names the program."""
    executor = make(python="no-such-python")
    with pytest.raises(StartError, match="cannot start no-such-python"):
        executor.prepare()
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
    executor.prepare()
    for turn, name in enumerate(["one", "two"]):
        if turn:
            (tmp_path / "new").symlink_to(name, target_is_directory=True)
            os.replace(tmp_path / "new", link)
        executor.start(assigned(made.layout, "unit_spawn_link", "v", job_id=name))
        assert exits.get()[:2] == ((name, 1), EXIT_MADE)
        assert json.loads(left_in(made.layout, name).result) == [name, str(tmp_path / name), ["-c"], str(link)]


def test_a_folder_that_is_gone(make, tmp_path) -> None:
    """The error names the folder, not the interpreter."""
    executor = make(folder=str(tmp_path / "later"))
    (tmp_path / "later").mkdir()
    executor.prepare()
    (tmp_path / "later").rename(tmp_path / "gone")
    with pytest.raises(StartError, match="later"):
        executor.start(nothing_to_do())


def test_another_plan(executor, made, plan_of, exits) -> None:
    """The interpreter that waits is let go, and one that was started by the new plan gets the next job."""
    executor.prepare()
    waiting = executor._spare.process
    executor.replan(plan_of(made, environment={**os.environ, "COLOUR": "red"}))
    assert waiting.returncode is not None
    executor.start(assigned(made.layout, JOBS, "colour"))
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == '"red"'


def test_a_plan_by_which_nothing_can_be_started(executor, made, plan_of, exits) -> None:
    """It is refused, and the interpreter that waits gets the next job."""
    executor.prepare()
    waiting = executor._spare.process.pid
    with pytest.raises(StartError, match="no-such-python"):
        executor.replan(plan_of(made, python="no-such-python", environment={"COLOUR": "red"}))
    executor.start(assigned(made.layout, JOBS, "colour"))
    assert executor.pid(KEY) == waiting
    exits.get()
    assert left_in(made.layout).result == '"none"'
