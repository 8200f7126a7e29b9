"""An installation is checked with the interpreter that its jobs would get."""

from __future__ import annotations

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
