"""A fresh interpreter for each job: works on every platform.

One is started ahead and waits for its job, so that a job need not wait for it. Its settings lie in a file without a name that
is its standard input: a start never blocks on a pipe, and no other whitelist can be put in its place. What is its
standard output at first is the pipe by which it gets its job; when that closes, the dispatcher is gone, and it ends too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import orjson

from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, LocalExecutor, Plan, Report
from spoolrunner.executors.interpreter import Interpreter

_PROGRAM = "from spoolrunner.attempt.runner import main; main()"


class _Spare(NamedTuple):
    """A process that waits for its job, and the pipe by which it gets it."""

    process: subprocess.Popen[bytes]
    pipe: int


class SpawnExecutor(LocalExecutor):
    """Starts an interpreter for each attempt."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._interpreter = Interpreter(plan.python, plan.folder, plan.environment)
        self._spare: _Spare | None = None

    def prepare(self) -> None:
        """Start the interpreter of the first job. StartError when that is not possible."""
        self._spare = self._start_ahead()

    def start(self, key: AttemptKey) -> None:
        """Start it, unless it was started. StartError when that is not possible."""
        if key in self._pids:
            return
        process = self._use_spare(key) or self._use(self._start_ahead(), key)
        if process is None:
            raise StartError(f"{self._plan.python} ended as soon as it was started")
        self._pids[key] = process.pid
        self.watch(key, process.pid, process.wait)
        self._replace_spare()

    def close(self) -> None:
        """Let the spare process go. What runs, runs on."""
        if self._spare is not None:
            os.close(self._spare.pipe)
            self._spare.process.wait()
            self._spare = None

    def _use_spare(self, key: AttemptKey) -> subprocess.Popen[bytes] | None:
        if self._interpreter.is_outdated:
            self.close()
        spare, self._spare = self._spare, None
        return None if spare is None else self._use(spare, key)

    def _replace_spare(self) -> None:
        try:
            self._spare = self._start_ahead()
        except StartError:
            return  # the next start reports it, if it is still so then

    def _use(self, spare: _Spare, key: AttemptKey) -> subprocess.Popen[bytes] | None:
        """Tell the process its job; None when it has died."""
        try:
            os.write(spare.pipe, orjson.dumps([*key, self.mark(key)]) + b"\n")
        except OSError:
            spare.process.wait()
            return None
        finally:
            os.close(spare.pipe)
        return spare.process

    def _start_ahead(self) -> _Spare:
        command = self._interpreter.command(_PROGRAM, ())
        try:
            theirs, ours = os.pipe()
        except OSError as error:
            raise StartError(f"cannot start {self._plan.python}: {error.strerror}") from None
        try:
            with tempfile.TemporaryFile() as settings:
                settings.write(self._plan.settings)
                settings.seek(0)
                process = subprocess.Popen(
                    command,
                    stdin=settings,
                    stdout=theirs,
                    cwd=self._plan.folder,
                    env=self._plan.environment,
                    start_new_session=True,
                    creationflags=_creation_flags(),
                )
        except OSError as error:
            os.close(ours)
            raise StartError(f"cannot start {self._plan.python}: {error.strerror or error}") from None
        finally:
            os.close(theirs)
        return _Spare(process, ours)


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
