"""Interpreters for jobs: started without a search for packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spoolrunner.errors import StartError
from spoolrunner.executors.interpreter import Interpreter

needs_venv = pytest.mark.skipif(sys.platform == "win32", reason="the Python for these tests there has no venv")
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


def test_a_command_ends_with_its_arguments() -> None:
    """The program text and the arguments come last, the arguments as the program is to see them."""
    made = interpreter(sys.executable)
    command = made.command("import sys; print(sys.argv[1:])", ("a b", "--c"))
    assert command[0] == sys.executable
    assert command[-2:] == ["a b", "--c"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "['a b', '--c']"


def test_the_search_is_made_once() -> None:
    """An interpreter is outdated before its first command, and not after it, so that the next command makes no search."""
    made = interpreter(sys.executable)
    assert made.is_outdated
    first = made.command("pass", ())
    assert not made.is_outdated
    made._search = None  # a second search would call it
    assert made.command("pass", ()) == first


@pytest.mark.skipif(
    any(Path(sys.base_prefix).glob("python*._pth")),
    reason="a Python whose path stands in a ._pth file ignores PYTHONPATH",
)
def test_the_environment_is_the_jobs(tmp_path) -> None:
    """The search is made in the folder and with the environment of jobs: what only the dispatcher has is not found by it."""
    made = Interpreter(sys.executable, str(tmp_path), {**os.environ, "PYTHONPATH": str(tmp_path / "of_jobs")})
    command = made.command(SEEN, ())
    assert str(tmp_path / "of_jobs") in seen(command)[0]
