"""Jobs in the dispatcher's own process, one after the other: for tests of applications, and for debugging a job.

What a job does to its process it does to the dispatcher here: its imports, its exit, its crash. No timeout, cancel or limit can
be kept, since nobody is there to keep it. Lock, marker, outcome line and log are the real ones, as in any executor.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.in_process import run_here
from spoolrunner.attempt.settings import Settings
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Exited, Plan, Report
from spoolrunner.executors.local import LocalExecutor
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.traces import Marker


class InlineExecutor(LocalExecutor):
    """Makes each attempt while it is started."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._layout = Layout(plan.root)
        self._me = os.getpid()
        self.replan(plan)

    def replan(self, plan: Plan) -> None:
        """Make attempts by another plan. StartError if it limits a job: all stays as it is then."""
        if plan.is_limited:  # its process would be ours
            raise StartError(
                'executor "inline" cannot limit a job: leave memory, cpu_time, open_files and the like out'
            )
        super().replan(plan)
        self._settings = Settings.from_bytes(plan.settings)

    def start(self, assignment: Assignment) -> None:
        """Make the attempt, and report its end."""
        sys.stdout.flush()
        sys.stderr.flush()
        with _as_a_jobs_process(self._plan), redirect_stdout(_stream(1)), redirect_stderr(_stream(2)):
            status = run_here(self._settings, self._layout, assignment)
        self._report(Exited(AttemptKey(assignment.job_id, assignment.number), status, left=False))

    def lives(self, marker: Marker) -> bool:
        """Whether another process left this marker and still runs: an attempt of ours is over when anybody can ask."""
        return marker.pid != self._me and super().lives(marker)

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:  # noqa: ARG002 -- the signature is the protocol's
        """None: our own attempts hold nothing when anybody can ask."""
        return None

    def ask_to_end(self, key: AttemptKey) -> None:
        """End an adopted attempt; one of ours is over."""
        if key in self._pids:
            super().ask_to_end(key)

    def kill(self, key: AttemptKey) -> None:
        """As above, at once."""
        if key in self._pids:
            super().kill(key)


@contextmanager
def _as_a_jobs_process(plan: Plan) -> Iterator[None]:
    """Let folder, environment, arguments and import path be those of a job's process, for a block."""
    before = _folder(), dict(os.environ), sys.argv[:], sys.path[:]
    os.chdir(plan.folder)
    _set_environment(plan.environment)
    sys.argv[:] = ["-c"]
    try:
        yield
    finally:
        folder, environment, sys.argv[:], sys.path[:] = before
        _set_environment(environment)
        if folder:
            os.chdir(folder)


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""  # removed: there is nothing to go back to


def _set_environment(environment: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def _stream(descriptor: int) -> io.TextIOWrapper:
    """What a job prints to, whatever stands in for our own standard streams: its log is at the descriptor while it runs."""
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
