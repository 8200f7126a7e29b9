"""A fresh interpreter for each job: works on every platform.

One is started ahead and waits for its job, so that a job need not wait for it. What is its standard output at first is the pipe
by which it is told its job; when that closes and brought nothing, the dispatcher is gone, and it ends too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import NamedTuple

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.runner import told
from spoolrunner.attempt.settings import Settings
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, LocalExecutor, Plan, Report
from spoolrunner.executors.interpreter import Interpreter
from spoolrunner.executors.places import cannot_start, places_of

_PROGRAM = "from spoolrunner.attempt.runner import main; main()"
if sys.platform != "win32":
    _PROGRAM = f"from spoolrunner.system.dispositions import set_defaults; set_defaults(); {_PROGRAM}"
_PIPE_TAKES = 4096
"""Bytes that every pipe takes at once; more are written by a thread, since the process may be slow to read them."""


class _Spare(NamedTuple):
    """A process that waits for its job, and the pipe by which it gets it."""

    process: subprocess.Popen[bytes]
    pipe: int


class SpawnExecutor(LocalExecutor):
    """Starts an interpreter for each attempt."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._settings = Settings.from_bytes(plan.settings)
        self._interpreter = Interpreter(plan.python, plan.folder, plan.environment)
        self._places = places_of(plan)
        self._spare: _Spare | None = None

    def prepare(self) -> None:
        """Start the interpreter of the first job. StartError when that is not possible."""
        self._places.have_changed()  # what counts from now on is what lies there now
        self._spare = self._start_ahead()

    def start(self, assignment: Assignment) -> None:
        """Start the attempt, unless it was started. StartError when it is not possible."""
        key = AttemptKey(assignment.job_id, assignment.number)
        if key in self._pids:
            return
        self.know(assignment)
        process = self._use_spare(assignment) or self._use(self._start_ahead(), assignment)
        if process is None:
            raise StartError(f"{self._plan.python} ended as soon as it was started")
        if sys.platform == "win32":
            self.watch(key, process.pid, lambda: (process.wait(), None))
        else:
            self.watch_child(key, process.pid)
            # wait4 collects it. A Popen that knew of no end would be kept by subprocess, which collects it at the next start.
            process.returncode = 0
        self._replace_spare()

    def children(self) -> set[int]:
        """The processes of jobs, and the spare one."""
        spare = set() if self._spare is None else {self._spare.process.pid}
        return super().children() | spare

    def replan(self, plan: Plan) -> None:
        """Start the next interpreter by another plan. StartError: all stays as it is then."""
        before = self._plan, self._interpreter
        self._plan, self._interpreter = plan, Interpreter(plan.python, plan.folder, plan.environment)
        try:
            spare = self._start_ahead()
        except StartError:
            self._plan, self._interpreter = before
            raise
        self.close()
        self._spare = spare
        self._settings, self._places = Settings.from_bytes(plan.settings), places_of(plan)

    def close(self) -> None:
        """Let the spare process go. What runs, runs on."""
        if self._spare is not None:
            os.close(self._spare.pipe)
            self._spare.process.wait()
            self._spare = None

    def _use_spare(self, assignment: Assignment) -> subprocess.Popen[bytes] | None:
        if self._places.have_changed():
            self._interpreter.forget()
        if self._interpreter.is_outdated:
            self.close()
        spare, self._spare = self._spare, None
        return None if spare is None else self._use(spare, assignment)

    def _replace_spare(self) -> None:
        try:
            self._spare = self._start_ahead()
        except StartError:
            return  # the next start reports it, if it is still so then

    def _use(self, spare: _Spare, assignment: Assignment) -> subprocess.Popen[bytes] | None:
        """Tell the process its job; None when it has died."""
        data = told(self._settings, assignment.to_bytes(), os.getpid())
        if len(data) > _PIPE_TAKES:
            threading.Thread(target=_write, args=(spare.pipe, data), daemon=True).start()
        elif not _write(spare.pipe, data):
            spare.process.wait()
            return None
        return spare.process

    def _start_ahead(self) -> _Spare:
        command = self._interpreter.command(_PROGRAM, ())
        try:
            theirs, ours = os.pipe()
        except OSError as error:
            raise StartError(f"cannot start {self._plan.python}: {error.strerror}") from None
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                cwd=self._plan.folder,
                env=self._plan.environment,
                start_new_session=True,
                creationflags=_creation_flags(),
            )
        except OSError as error:
            os.close(ours)
            raise cannot_start(self._plan.python, self._plan.folder, error) from None
        finally:
            os.close(theirs)
        return _Spare(process, ours)


def _write(pipe: int, data: bytes) -> bool:
    """Write all and close; False when nobody reads it any more."""
    try:
        while data:
            data = data[os.write(pipe, data) :]
    except OSError:
        return False
    finally:
        os.close(pipe)
    return True


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
