"""Processes whose parent has ended: in processes of their own, since a test run must not begin to get orphans."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spoolrunner.system import orphans

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="orphans are given to another than the first process on Linux"
)

# A child in a session of its own forks and ends; the orphan, which is marked by its environment, waits for a pipe.
HEIR = """
import os, sys
from spoolrunner.system import orphans
assert orphans.among(()) == []
if sys.argv[1] == "heir":
    assert orphans.get_them()
assert orphans.are_ours() is (sys.argv[1] == "heir")
ours, theirs = os.pipe()
go, gone = os.pipe()
os.set_inheritable(go, True)
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(gone)
        os.write(theirs, b"%d" % os.getpid())
        os.execve("/bin/sh", ["sh", "-c", "exec 1>&-; read line <&%d" % go], {"SPOOLRUNNER_JOB": "/s:x:1:a.b"})
    os._exit(0)
orphan = int(os.read(ours, 20))
os.waitpid(child, 0)
"""
FOUND = """
import select
assert orphans.among({orphan}) == []
assert orphans.among(()) == [orphan]
assert orphans.belongs(orphan, child, b"no mark")
while not orphans.belongs(orphan, 0, b"SPOOLRUNNER_JOB=/s:x:1:"):  # it has not come to its exec yet
    assert not orphans.is_ended(orphan)
assert not orphans.belongs(orphan, 0, b"SPOOLRUNNER_JOB=/s:x:10:")
orphans.collect(orphan)
assert orphans.among(()) == [orphan], "it lives"
end = os.pidfd_open(orphan)
os.kill(orphan, 9)
select.select([end], [], [])
assert orphans.is_ended(orphan)
assert not orphans.belongs(orphan, child, b"SPOOLRUNNER_JOB")
assert orphans.among(()) == [orphan]
orphans.collect(orphan)
orphans.collect(orphan)
assert orphans.is_ended(orphan)
assert orphans.among(()) == []
print("as it should be")
"""
NOT_FOUND = """
assert orphans.among(()) == []
os.kill(orphan, 9)
print("as it should be")
"""


def run(role: str, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEIR + program, role], capture_output=True, text=True, timeout=40, check=False
    )
    assert done.stdout == "as it should be\n", done.stderr


def test_orphans_of_one_who_asked_for_them() -> None:
    """They are found among the children, known by session and mark, and collected when they have ended."""
    run("heir", FOUND)


def test_orphans_of_one_who_did_not_ask() -> None:
    """They are somebody else's."""
    run("nobody", NOT_FOUND)


def test_a_system_that_does_not_tell(monkeypatch) -> None:
    """Where the kernel lists no children nobody can tell."""
    monkeypatch.setattr(orphans, "_CHILDREN", "/proc/self/no-such-folder")
    assert orphans.among(()) is None


def test_the_first_process_gets_them(monkeypatch) -> None:
    """The first process of a container gets orphans without having asked."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert orphans.are_ours()
