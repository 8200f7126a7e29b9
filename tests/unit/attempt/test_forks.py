"""What a process holds of its attempt, and how a forked one ends. Whole attempts that fork are in test_runner."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spoolrunner.attempt import forks
from spoolrunner.spool import locks

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@posix
def test_a_child_holds_nothing(tmp_path) -> None:
    """A forked process has neither the lock nor the attempt, however it was forked; its parent keeps both."""
    lock = locks.acquire(str(tmp_path / "x.lock"))
    assert lock is not None
    forks.hold(lock)
    try:
        for fork in (os.fork, lambda: os.forkpty()[0]):
            pid = fork()
            if pid == 0:
                if lock.is_at(lock.descriptor):  # its number may mean another file by now
                    os._exit(7)
                os._exit(5 if forks.held is None and forks.is_child else 6)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
        assert forks.held is lock
        assert not forks.is_child
    finally:
        forks.forget_attempt()
    assert forks.held is None


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        ("None", 0, ""),
        ("SystemExit()", 0, ""),
        ("SystemExit(3)", 3, ""),
        ("SystemExit(True)", 1, ""),
        ("SystemExit(2**64)", 255, ""),
        ("SystemExit('sorry')", 1, "sorry\n"),
        ("ValueError('no')", 1, "ValueError: no\n"),
        ("Hostile()", 1, ""),
        ("ValueError('no'), sys.__setattr__('excepthook', lambda *_: sys.exit(0))", 1, ""),
    ],
)
def test_how_a_child_ends(error, status, printed) -> None:
    """It ends as its interpreter would: with that status, and the error on its standard error; no exit handler is run."""
    program = (
        "import atexit, sys\nfrom spoolrunner.attempt import forks\natexit.register(print, 'handled')\n"
        "class Hostile(SystemExit):\n    code = property(lambda self: sys.exit(0))\n"
        f"made = ({error},)\nforks.end_of_child(made[0])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr.endswith(printed)
