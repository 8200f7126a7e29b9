"""Job objects of Windows: what a job's process starts ends with it, or when asked, unless it came to its end in order."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from spoolrunner.system import processes

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="job objects are of Windows")
MARK = "C:\\spool ü:x:1"
# A child that knows nothing of the mark, and whose parent is gone when it is looked for.
STARTER = """
import subprocess, sys
nothing = subprocess.DEVNULL
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=nothing, stdout=nothing, stderr=nothing)
print(child.pid)
"""
PARENT = f"""
import os, subprocess, sys
from spoolrunner.system import processes
processes.keep_together()
bare = {{"SYSTEMROOT": os.environ["SYSTEMROOT"]}}
started = subprocess.run([sys.executable, "-c", {STARTER!r}], env=bare, stdout=subprocess.PIPE, check=True)
print(started.stdout.decode().strip(), flush=True)
sys.stdin.readline()
processes.free_children()
"""


@pytest.fixture
def parent():
    """A process that holds itself and a grandchild together; yields it and the grandchild."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, processes.MARK: MARK},
    )
    assert process.stdout is not None
    grandchild = psutil.Process(int(process.stdout.readline()))
    yield process, grandchild
    process.kill()
    process.communicate()
    if grandchild.is_running():
        grandchild.kill()


def test_what_a_killed_process_started_ends_with_it(parent) -> None:
    """A process that dies takes along what it started, whether that can be found or not."""
    process, grandchild = parent
    process.kill()
    grandchild.wait(10)


def test_all_ends_when_asked(parent) -> None:
    """Whoever knows the mark ends the process and what it started, at once."""
    process, grandchild = parent
    processes.end_together(MARK)
    assert process.wait(10) == 15
    grandchild.wait(10)


def test_another_mark_ends_nothing(parent) -> None:
    """The mark of another attempt reaches nothing of it."""
    process, grandchild = parent
    processes.end_together(MARK + "0")
    assert process.poll() is None
    assert grandchild.is_running()


def test_an_orderly_end_leaves_what_was_started(parent) -> None:
    """What a process started outlives it when it comes to its end as it should."""
    process, grandchild = parent
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(10) == 0
    assert grandchild.is_running()
