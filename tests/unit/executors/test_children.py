"""The children of a template: each end is reported once, whoever has collected the process."""

from __future__ import annotations

import os
import select
import signal
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there is no fork", allow_module_level=True)

from spoolrunner.executors.children import Children
from spoolrunner.system import processes


class Reported(Children):
    """Children of this process; `said` is what was reported of them."""

    def __init__(self) -> None:
        self.poll = select.poll()
        self.said = []
        super().__init__(self.poll, lambda *event: self.said.append(event))

    def wait(self) -> None:
        """Wait for an end that the poll knows of, and collect."""
        self.reap(self.poll.poll(20_000))


@pytest.fixture
def children(monkeypatch) -> Reported:
    """None so far, known by descriptors."""
    probe = processes.descriptor_of(os.getpid())
    if probe is None:
        pytest.skip("no descriptors of processes here")
    os.close(probe)
    return Reported()


def child() -> int:
    """The pid of a child that waits until it is killed."""
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def test_a_child_that_somebody_else_collected(children) -> None:
    """Its end is reported without a status, though another child lives; its descriptor does not wake the poll again."""
    taken, kept = child(), child()
    children.add(taken)
    children.add(kept)
    assert children.are_watched
    os.kill(taken, signal.SIGKILL)
    os.waitpid(taken, 0)
    children.wait()
    assert children.said == [(taken, None, 0.0, 0)]
    assert children.poll.poll(0) == []
    os.kill(kept, signal.SIGKILL)
    children.wait()
    assert children.said[1][:2] == (kept, -signal.SIGKILL)
    assert children.pids == set()


def test_children_that_were_all_collected(monkeypatch) -> None:
    """Without descriptors too: when there is none left to wait for, all that are known have ended."""
    monkeypatch.setattr(processes, "descriptor_of", lambda _pid: None)
    children = Reported()
    pids = [child(), child()]
    for pid in pids:
        children.add(pid)
    assert not children.are_watched
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    children.reap([])
    assert sorted(children.said) == sorted((pid, None, 0.0, 0) for pid in pids)
    assert children.pids == set()
