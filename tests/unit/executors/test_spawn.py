"""Interpreters for jobs: started without a search for packages, and ahead of their jobs."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from spoolrunner.attempt import runner
from spoolrunner.attempt.settings import Settings
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Plan
from spoolrunner.executors.interpreter import Interpreter
from spoolrunner.executors.spawn import SpawnExecutor
from spoolrunner.protocol.policy import Limits, Policy
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

needs_venv = pytest.mark.skipif(sys.platform == "win32", reason="the Python for these tests there has no venv")
KEY = AttemptKey("x", 1)
SEEN = """
import builtins, json, os, sys
names = ["quit", "exit", "copyright", "credits", "license", "help"]
print(json.dumps([sys.path, sys.prefix, sys.exec_prefix, [hasattr(builtins, name) for name in names], os.environ.get("LINE")]))
"""


@pytest.fixture
def environment(tmp_path) -> tuple[str, Path]:
    """A virtual environment of its own: its interpreter, and its folder of packages."""
    import venv  # not in the Python for these tests on Windows

    venv.create(tmp_path / "venv", symlinks=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    return str(tmp_path / "venv" / "bin" / "python"), packages


def interpreter(python: str) -> Interpreter:
    """As the dispatcher makes it."""
    return Interpreter(python, os.getcwd(), dict(os.environ))


def seen(command: list[str]) -> list[object]:
    """What a program sees that is started so."""
    found: list[object] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


@needs_venv
def test_a_job_sees_what_an_ordinary_start_gives(environment, tmp_path) -> None:
    """Path, prefix, built-in names and lines of .pth files are there without a search, as they are with one."""
    python, packages = environment
    (tmp_path / "elsewhere").mkdir()
    (packages / "a.pth").write_text(f"{tmp_path / 'elsewhere'}\nimport os; os.environ['LINE'] = 'was run'\n")
    command = interpreter(python).command(SEEN, ())
    assert "-S" in command
    assert seen(command) == seen([python, "-P", "-c", SEEN])
    path, prefix, *_, line = seen(command)
    assert str(tmp_path / "elsewhere") in path
    assert (prefix, line) == (str(tmp_path / "venv"), "was run")


@needs_venv
def test_what_does_more_than_that_is_left_to_each_start(environment) -> None:
    """With a sitecustomize each job's interpreter makes the search for itself."""
    python, packages = environment
    (packages / "sitecustomize.py").write_text("import os; os.environ['LINE'] = 'customized'")
    command = interpreter(python).command(SEEN, ())
    assert "-S" not in command
    assert seen(command)[-1] == "customized"


@needs_venv
def test_a_package_that_is_installed_meanwhile_is_found(environment, tmp_path) -> None:
    """What is installed while the dispatcher runs is found by the next job."""
    python, packages = environment
    made = interpreter(python)
    made.command(SEEN, ())
    assert not made.is_outdated
    (tmp_path / "later").mkdir()
    (packages / "later.pth").write_text(f"{tmp_path / 'later'}\n")
    assert made.is_outdated
    assert str(tmp_path / "later") in seen(made.command(SEEN, ()))[0]


@pytest.mark.parametrize("python", ["no-such-python", "a-script"])
def test_what_is_no_python(tmp_path, python) -> None:
    """A program that is not there, or is no Python, is an error that names it."""
    if python == "a-script":
        if sys.platform == "win32":
            pytest.skip("a script is no program there")
        python = str(tmp_path / python)
        Path(python).write_text("#!/bin/sh\necho no\nexit 3\n")
        os.chmod(python, 0o700)
    with pytest.raises(StartError, match=os.path.basename(python)):
        interpreter(python).command(SEEN, ())


@pytest.fixture
def exits():
    """What the executor reports, as (key, status)."""
    return queue.SimpleQueue()


@pytest.fixture
def executor(tmp_path, exits):
    """A spawn executor for an empty spool: every attempt finds nothing to do."""
    layout = Layout(str(tmp_path / "spool"))
    Spool(layout).make()
    settings = Settings(
        root=layout.root, boot="", fsync=False, max_log_bytes=1000, limits=Limits(60.0, 9),
        python_path=[], allowed={}, default_policy=Policy(),
    )  # fmt: skip
    plan = Plan(
        python=sys.executable, settings=settings.to_bytes(), root=layout.root, boot="", folder=str(tmp_path),
        environment=dict(os.environ), preload=[], loaded=lambda files: None, notice=lambda event: None,
    )  # fmt: skip
    made = SpawnExecutor(plan, exits.put)
    yield made
    made.close()


def test_an_interpreter_waits_for_its_job(executor, exits) -> None:
    """The process that was started ahead becomes the job's, another one waits then, and both are reported or gone."""
    executor.prepare()
    waiting = executor._spare.process.pid
    executor.start(KEY)
    assert executor.pid(KEY) == waiting
    assert executor._spare.process.pid != waiting
    assert exits.get(timeout=30) == (KEY, runner.EXIT_LEFT)


def test_a_second_start_is_none(executor, exits) -> None:
    """Starting an attempt twice is the same as starting it once."""
    executor.start(KEY)
    pid = executor.pid(KEY)
    executor.start(KEY)
    assert executor.pid(KEY) == pid
    assert exits.get(timeout=30) == (KEY, runner.EXIT_LEFT)
    assert exits.empty()


def test_an_interpreter_that_died_while_it_waited(executor, exits) -> None:
    """A job whose process was killed before it was told is started in another one, or its end is reported."""
    executor.prepare()
    executor._spare.process.kill()
    executor._spare.process.wait()
    executor.start(KEY)
    assert exits.get(timeout=30).status == runner.EXIT_LEFT


def test_what_waits_goes_with_the_dispatcher(executor) -> None:
    """The waiting process ends when the executor is closed, and when the pipe closes because the dispatcher died."""
    executor.prepare()
    waiting = psutil.Process(executor._spare.process.pid)
    executor.close()
    assert not waiting.is_running()
