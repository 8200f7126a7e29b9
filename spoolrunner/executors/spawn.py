"""A fresh interpreter for each job: works on every platform.

The runner's settings wait in a file that becomes its standard input, so that a start never blocks on a pipe.
"""

from __future__ import annotations

import os
import subprocess
import sys

from spoolrunner import durable, processes
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, LocalExecutor, Plan, Report

_PROGRAM = "import sys; from spoolrunner.runner import main; sys.exit(main())"


class SpawnExecutor(LocalExecutor):
    """Starts an interpreter for each attempt; the settings are staged in the spool's tmp/."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan.root, report)
        self._python = plan.python
        self._settings = plan.settings
        self._folder = plan.folder
        self._settings_path = os.path.join(plan.tmp, f"{os.getpid()}-{os.urandom(8).hex()}.settings")

    def start(self, key: AttemptKey) -> None:
        """Start it, unless it was started. StartError when that is not possible."""
        if key in self._pids:
            return
        command = [self._python, "-P", "-c", _PROGRAM, key.job_id, str(key.number)]
        try:
            with open(self._staged_settings(), "rb") as settings:
                process = subprocess.Popen(
                    command,
                    stdin=settings,
                    stdout=subprocess.DEVNULL,
                    cwd=self._folder,
                    env={**os.environ, processes.MARK: self.mark(key)},
                    start_new_session=True,
                    creationflags=_creation_flags(),
                )
        except OSError as error:
            raise StartError(f"cannot start {self._python}: {error.strerror or error}") from None
        self._pids[key] = process.pid
        self.watch(key, process.pid, process.wait)

    def close(self) -> None:
        """Remove the settings. What runs, runs on."""
        durable.unlink(self._settings_path)

    def _staged_settings(self) -> str:
        # tmp/ is swept of what is a day old, and a person may clear it: then the file is made again.
        if not os.path.exists(self._settings_path):
            durable.write_new(self._settings_path, self._settings, False)
        return self._settings_path


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
