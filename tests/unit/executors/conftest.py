"""What tests of executors share: a plan for the spool of a configuration, jobs in it, and the ends that are reported."""

from __future__ import annotations

import os
import queue
import time
from collections import deque
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.executors.base import Exited, Plan
from spoolrunner.executors.plan import runner_settings
from spoolrunner.spool import traces
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.traces import LeftOutcome
from spoolrunner.system import processes

PATIENCE = 30.0


class Exits:
    """What an executor reports, heard as a dispatcher hears it: descriptors are listened to only by who waits here."""

    def __init__(self) -> None:
        self.inbox = make_inbox()
        self.put = self.inbox.put
        self._come: deque[Any] = deque()
        self.executors: list[Any] = []
        """Those that see to their own processes while we wait here, as in a dispatcher's loop."""

    def get(self, timeout: float = PATIENCE) -> Exited:
        """The next end, within so many seconds."""
        self.until(lambda: self._come, timeout)
        return self._come.popleft()

    @property
    def empty_so_far(self) -> bool:
        """Whether nothing has come while we listened."""
        return not self._come

    def empty(self) -> bool:
        """Whether none that was not asked for has come so far."""
        self._hear(0.0)
        return not self._come

    def until(self, condition: Callable[[], object], timeout: float = PATIENCE) -> None:
        """Listen until it holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "it did not come in time"
            self._hear(0.1)

    def ready(self, executor: Any) -> None:
        """Listen until the executor is ready; StartError when it cannot be."""

        def is_ready() -> bool:
            executor.prepare()
            return executor.is_ready

        self.until(is_ready)

    def start(self, executor: Any, told: Assignment) -> None:
        """Start the attempt as soon as the executor is ready."""
        self.ready(executor)
        executor.start(told)

    def ready_again(self, executor: Any) -> None:
        """Listen until an executor is ready which cannot get ready for a while."""
        self.until(lambda: executor.is_ready)

    def _hear(self, seconds: float) -> None:
        for executor in self.executors:
            executor.work(time.monotonic())
            seconds = min(seconds, executor.next_in(time.monotonic()))
        try:
            self._come.append(self.inbox.get(timeout=seconds))
        except queue.Empty:
            return


@pytest.fixture
def exits() -> Exits:
    """What the executor reports."""
    return Exits()


@pytest.fixture
def plan_of(exits):
    """A plan for this configuration, whose spool is made."""

    def make(config, **changes: Any) -> Plan:
        Spool(config.layout, fsync=False).make()
        values = {
            "python": config.python_binary,
            "settings": runner_settings(config, "").to_bytes(),
            "root": config.layout.root,
            "boot": "",
            "folder": config.folder,
            "environment": dict(os.environ),
            "preload": [],
            "jobs": {job: list(methods) for job, methods in config.allowed.items()},
            "loaded": lambda files: None,
            "notice": lambda event: None,
            "sources": exits.inbox,
            "is_limited": False,
        }
        return Plan(**{field.name: {**values, **changes}[field.name] for field in fields(Plan)})

    return make


def nothing_to_do(job_id: str = "x", number: int = 1, params: Any = ()) -> Assignment:
    """An attempt of a job whose file is not there: its process finds that, and leaves."""
    return Assignment(job_id, number, (1, 2, 3), "no.such", "job", list(params), 60.0)


def assigned(layout: Layout, job: str, method: str, *params: Any, job_id: str = "x") -> Assignment:
    """The first attempt of a job, whose file is put into running/."""
    path = layout.running(job_id)
    with open(path, "wb") as stream:
        stream.write(b"{}")
    status = os.stat(path)
    stamp = status.st_ino, status.st_size, status.st_mtime_ns
    mark = processes.mark(layout.root, job_id, 1, stamp, processes.home(layout.locks))
    return Assignment(job_id, 1, stamp, job, method, list(params), 60.0, mark=mark)


def left_in(layout: Layout, job_id: str = "x") -> LeftOutcome:
    """The outcome that the process of a job has left."""
    left = traces.peek(layout.lock(job_id)).outcome
    assert left is not None
    return left
