"""Who has a file of a spool open: those that this spool started, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from spoolrunner.system import openers, place, processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who has a file open")


@contextmanager
def holding(path: str, mark: str):
    """A process that has the file open and carries that mark."""
    program = f"import sys; held = open({path!r}); print('up', flush=True); sys.stdin.read()"
    environment = {**os.environ, processes.MARK: mark}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout.readline().strip() == b"up"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def lock(tmp_path) -> str:
    """A lock file in the locks/ of a spool."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "x.lock").touch()
    return str(tmp_path / "locks" / "x.lock")


def pids(found) -> set[int]:
    return {process.pid for process in found}


def test_holders_carry_the_mark_of_the_spool(lock, tmp_path) -> None:
    """Of those that have the file open only what this spool started is found: no backup, and nothing of a copy."""
    root, home = str(tmp_path), processes.home(os.path.dirname(lock))
    ours, attempt = processes.mark(root, "", 0, (0, 0, 0), home), processes.mark(root, "x", 1, (5, 6, 7), home)
    others = (
        "",
        root,
        processes.mark(root, "x", 1, (5, 6, 7), "1.2"),
        processes.mark(root + "2", "x", 1, (5, 6, 7), home),
    )
    with open(lock, "rb"), holding(lock, ours) as first, holding(lock, attempt) as second:
        assert pids(openers.holders(lock, root)) == {first.pid, second.pid}
    for mark in others:
        with open(lock, "rb"), holding(lock, mark):
            assert pids(openers.holders(lock, root)) == set()


@linux
def test_holders_by_another_path(lock, tmp_path) -> None:
    """A file is known by device and inode: one that was opened by another path is the same."""
    (tmp_path / "link").symlink_to(tmp_path)
    mark = processes.mark(str(tmp_path), "x", 1, (5, 6, 7), processes.home(os.path.dirname(lock)))
    with holding(str(tmp_path / "link" / "locks" / "x.lock"), mark) as process:
        assert pids(openers.holders(lock, str(tmp_path))) == {process.pid}


@linux
def test_what_lives_in_another_namespace_is_not_found(lock, tmp_path, monkeypatch) -> None:
    """A holder in another namespace of pids is for the dispatcher there, whatever it carries."""
    mark = processes.mark(str(tmp_path), "x", 1, (5, 6, 7), processes.home(os.path.dirname(lock)))
    with holding(lock, mark):
        monkeypatch.setattr(place, "namespace_of", lambda pid: "another")
        assert pids(openers.holders(lock, str(tmp_path))) == set()
        os.unlink(lock)
        assert openers.holder_of_removed(lock) is None


@linux
def test_holder_of_removed(tmp_path) -> None:
    """The process that has a removed file open is found, by a path through a link too, and not one with its successor open."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = tmp_path / "real" / "x.lock"
    path.touch()
    with path.open() as stream, subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[stream.fileno()]) as holder:
        assert openers.holder_of_removed(str(path)) is None
        path.unlink()
        path.touch()
        assert openers.holder_of_removed(str(tmp_path / "link" / "x.lock")) == holder.pid
        holder.kill()
