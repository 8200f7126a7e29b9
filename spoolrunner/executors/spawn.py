"""A fresh interpreter for each job: works on every platform.

The runner's settings wait in a file without a name that becomes its standard input: a start never blocks on a pipe, and
nobody can put another whitelist in its place.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from spoolrunner import processes
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, LocalExecutor, Plan, Report

_PROGRAM = "import sys; from spoolrunner.runner import main; sys.exit(main())"


class SpawnExecutor(LocalExecutor):
    """Starts an interpreter for each attempt."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan.root, report)
        self._python = plan.python
        self._settings = plan.settings
        self._folder = plan.folder
        self._environment = plan.environment

    def start(self, key: AttemptKey) -> None:
        """Start it, unless it was started. StartError when that is not possible."""
        if key in self._pids:
            return
        command = [self._python, "-P", "-c", _PROGRAM, key.job_id, str(key.number)]
        try:
            with tempfile.TemporaryFile() as settings:
                settings.write(self._settings)
                settings.seek(0)
                process = subprocess.Popen(
                    command,
                    stdin=settings,
                    stdout=subprocess.DEVNULL,
                    cwd=self._folder,
                    env={**self._environment, processes.MARK: self.mark(key)},
                    start_new_session=True,
                    creationflags=_creation_flags(),
                )
        except OSError as error:
            raise StartError(f"cannot start {self._python}: {error.strerror or error}") from None
        self._pids[key] = process.pid
        self.watch(key, process.pid, process.wait)


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
