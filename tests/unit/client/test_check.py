"""An installation is checked with the interpreter that its jobs would get."""

from __future__ import annotations

import shutil
import sys

import pytest

from spoolrunner.client.check import check
from spoolrunner.client.settings import settings_in_force
from spoolrunner.errors import SpoolLayoutError


def test_check(home) -> None:
    """Each allowed method that cannot be found is a problem; what can be found is none."""
    home(allowed_jobs={"spoolrunner.demo_jobs.Text": ["count_words", "count_wrods"]})
    (problem,) = check(settings_in_force()).problems
    assert "count_wrods" in problem


def test_check_with_no_interpreter(home) -> None:
    """An interpreter that is not there is the one problem."""
    home(python_binary="no-such-python")
    (problem,) = check(settings_in_force()).problems
    assert "no-such-python cannot be used" in problem


def test_check_without_folders(home, tmp_path) -> None:
    """A spool without its folders is an error."""
    home(spool="elsewhere")
    with pytest.raises(SpoolLayoutError):
        check(settings_in_force())


MODULES = {
    "check_exits": "import sys; sys.exit(0)",
    "check_dies": "import os; os._exit(0)",
    "check_kills": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "check_hangs": "import threading; threading.Event().wait()",
    "check_forks": "import os\nif hasattr(os, 'fork'): os.fork()\ndef f(): pass",
    "check_threads": "import threading; threading.Thread(target=threading.Event().wait).start()\ndef f(): pass",
    "check_closes": "import os; os.closerange(0, 100)\ndef f(): pass",
    "check_closes_and_hangs": "import os, threading; os.closerange(0, 100); threading.Event().wait()",
    "check_good": "def f(): pass",
    "check_faulty": "1 / 0",
}
"""module -> its source; each has, or would have, f."""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_module_that_ends_or_keeps_the_audit(home, tmp_path) -> None:
    """Each module that exits, dies or hangs is one problem, and all the others are looked at."""
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="ascii")
    home(allowed_jobs={name: ["f"] for name in MODULES}, import_timeout=2)
    found = check(settings_in_force()).problems
    problems = {problem.partition(".")[0]: problem for problem in found}
    for name, part in {
        "check_exits": "importing it exits: its module must run nothing when it is imported",
        "check_dies": "importing it ended the process with status 0",
        "check_kills": "importing it ended the process with status -9",
        "check_hangs": "importing it did not end within 2 s (import_timeout)",
        "check_closes": "importing it ended the process",
        "check_closes_and_hangs": "importing it did not end within 2 s",
        "check_faulty": "importing it raised ZeroDivisionError",
    }.items():
        assert part in problems.pop(name)
    assert problems == {}


def test_an_interpreter_that_has_no_spoolrunner(home, tmp_path) -> None:
    """It answers nothing, and its last words say why."""
    home(python_binary=sys.executable, environment={"PYTHONHOME": str(tmp_path)})
    (problem,) = check(settings_in_force()).problems
    assert problem.startswith(f"python_binary {sys.executable} cannot run jobs: ended the process with status")


def test_commands(home, tmp_path) -> None:
    """Each command whose program is not there is a problem, with where it was looked for as a job would; others are none."""
    (tmp_path / "bin").mkdir()
    python = {"argv": [sys.executable, "{x}"]}
    home(
        allowed_jobs={"shell": {"a": {"argv": ["no-such"]}, "b": {"argv": ["./no/such"]}, "python": python}},
        environment={"PATH": str(tmp_path / "bin")},
    )
    assert check(settings_in_force()).problems == [
        f"shell.a: there is no program 'no-such' in PATH ({tmp_path / 'bin'})",
        "shell.b: there is no program ./no/such, or it may not be executed",
    ]


def test_commands_beside_callables(home) -> None:
    """Callables are looked up, commands are not imported, also under one name."""
    python = {"argv": [sys.executable]}
    home(allowed_jobs={"spoolrunner.demo_jobs.Text": {"count_words": {}, "count_wrods": {}, "python": python}})
    (problem,) = check(settings_in_force()).problems
    assert "count_wrods" in problem


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_relative_program_is_looked_for_beside_the_configuration(home, tmp_path, monkeypatch) -> None:
    """As a job would find it, whatever folder `check` is run in."""
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir("/")
    home(allowed_jobs={"shell": {"tool": {"argv": ["./tool"]}}})
    assert check(settings_in_force()).problems == []


linux = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")


@linux
def test_a_sandbox_without_bubblewrap(home, tmp_path) -> None:
    """Where it is asked for and not there, that is a problem of the command."""
    home(
        allowed_jobs={"shell": {"a": {"argv": ["/bin/sh"], "sandbox": {}}, "b": {"argv": ["/bin/sh"]}}},
        environment={"PATH": str(tmp_path)},
    )
    (problem,) = check(settings_in_force()).problems
    assert problem.startswith("shell.a: sandbox: bubblewrap is not there (bwrap in PATH: ")


@linux
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bwrap is not installed")
def test_a_sandbox_is_tried(home, tmp_path) -> None:
    """One that can be made is no problem; one whose folders are not there is."""
    (tmp_path / "in").mkdir()
    home(
        allowed_jobs={
            "shell": {
                "good": {"argv": ["sh"], "sandbox": {"read": ["in"], "write": ["spool/tmp"]}},
                "bad": {"argv": ["sh"], "sandbox": {"read": ["out"]}},
            }
        }
    )
    assert check(settings_in_force()).problems == [f"shell.bad: sandbox.read: {tmp_path / 'out'} does not exist"]


@linux
def test_a_sandbox_that_cannot_be_made_here(home, tmp_path) -> None:
    """What bubblewrap says of that is passed on."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    fake.chmod(0o755)
    home(
        allowed_jobs={"shell": {"a": {"argv": ["/bin/sh"], "sandbox": {}}}}, environment={"PATH": f"{tmp_path / 'bin'}"}
    )
    assert check(settings_in_force()).problems == [
        "shell.a: sandbox: it cannot be made here: bwrap: No permissions to create new namespace"
    ]


def test_hooks(home, tmp_path) -> None:
    """A hook that is not there, or cannot be imported, is a problem as a job is."""
    (tmp_path / "check_worker.py").write_text("def setup(): pass\ndef generates(job): yield\n", encoding="ascii")
    names = {"template": "check_worker.setup", "process": "check_worker.stup"}
    home(allowed_jobs={}, setup=names, around="check_worker.generates")
    assert check(settings_in_force()).problems == [
        "check_worker.stup: the module has no such function (did you mean 'setup'?)",
        "check_worker.generates is a generator: calling it would run nothing",
    ]
