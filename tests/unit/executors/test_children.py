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

    def wait(self, ahead=()) -> None:
        """Wait for an end that the poll knows of, and collect."""
        self.reap(self.poll.poll(20_000), ahead)


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
    children.add(taken, ("taken", 1))
    children.add(kept, ("kept", 1))
    assert children.are_watched
    os.kill(taken, signal.SIGKILL)
    os.waitpid(taken, 0)
    children.wait()
    assert children.said == [(taken, None, 0.0, 0)]
    assert children.poll.poll(0) == []
    os.kill(kept, signal.SIGKILL)
    children.wait()
    assert children.said[1][:2] == (kept, -signal.SIGKILL)
    assert children.jobs == {}


def test_children_that_were_all_collected(monkeypatch) -> None:
    """Without descriptors too: when there is none left to wait for, all that are known have ended, those ahead as well."""
    monkeypatch.setattr(processes, "descriptor_of", lambda _pid: None)
    children = Reported()
    pid, ahead = child(), child()
    children.add(pid, ("x", 1))
    assert not children.are_watched
    for each in (pid, ahead):
        os.kill(each, signal.SIGKILL)
        os.waitpid(each, 0)
    children.reap([], [ahead])
    assert children.said == [(pid, None, 0.0, 0), (ahead, None, 0.0, 0)]
    assert children.jobs == {}
