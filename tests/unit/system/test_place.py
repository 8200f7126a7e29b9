"""Where a process lives, and whether a pid means it here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from spoolrunner.system import machine, place, processes
from spoolrunner.system.place import Place

HERE = Place("h", "4", "1.2")
in_a_namespace = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"),
    reason="only root on Linux makes namespaces of pids",
)


@pytest.mark.parametrize(
    ("namespace", "home", "here"),
    [
        ("4", "1.2", True),
        ("", "", True),
        ("4", "", True),
        ("5", "1.2", False),
        ("4", "1.3", False),
        ("", "1.3", False),
        ("5", "1.3", False),
    ],
)
def test_here(namespace, home, here) -> None:
    """A process is here if namespace and spool are ours; a marker of an older version does not say, and is taken for ours."""
    assert HERE.is_here(namespace, home) is here
    assert HERE.is_ours(home) is (home != "1.3")


def test_this_place(tmp_path) -> None:
    """It is that of this host and process, and of the folder that is there now."""
    found = place.place(str(tmp_path))
    assert found == Place(machine.host(), place.namespace_of(os.getpid()), processes.home(str(tmp_path)))
    assert bool(found.namespace) is (sys.platform == "linux")


def test_our_own_pids_are_what_they_are() -> None:
    """A pid of our namespace, or of a marker that names none, is that pid."""
    assert place.pid_seen_from_here(77, place.namespace()) == 77
    assert place.pid_seen_from_here(77, "") == 77
    assert place.pid_seen_from_here(1, "no such namespace") is None


@in_a_namespace
def test_a_process_in_a_namespace_below(tmp_path) -> None:
    """From above a process is seen by another pid than its own; from within, nothing of the above is seen."""
    program = """
import os, sys
from spoolrunner.system import place
print(os.getpid(), place.namespace(), place.pid_seen_from_here(int(sys.argv[1]), sys.argv[2]), flush=True)
sys.stdin.read()
"""
    command = ["unshare", "-p", "-f", "--mount-proc", "--kill-child", sys.executable, "-c", program]
    ours = place.namespace()
    with subprocess.Popen(
        [*command, str(os.getpid()), ours], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        pid, namespace, seen = process.stdout.readline().split()
        assert (pid, seen) == ("1", "None")
        assert namespace != ours
        outer = place.pid_seen_from_here(1, namespace)
        assert outer is not None
        assert processes.started(outer, "") is not None
        assert place.namespace_of(outer) == namespace
        process.kill()
