"""The folders and archives that lie at the paths of an installation: whether they are others than a moment ago.

A deployment may flip a link, or make a folder anew: what was started in the old one would run with the new one's code.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable

from spoolrunner.attempt.settings import Settings
from spoolrunner.errors import StartError
from spoolrunner.executors.base import Plan

Identity = tuple[int, ...]


class Places:
    """What lies at these paths, kept as given: they are resolved anew at each look."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(dict.fromkeys(path for path in paths if path))
        self._known = self._look()

    def have_changed(self) -> bool:
        """Whether something else lies there than at the last look. What is in a folder does not count."""
        now = self._look()
        if now == self._known:
            return False
        self._known = now
        return True

    def _look(self) -> list[Identity]:
        return [_identity(path) for path in self._paths]


def places_of(plan: Plan) -> Places:
    """The places on which each job's process of this plan depends: its folder, its import path, its interpreter."""
    program = shutil.which(plan.python, path=plan.environment.get("PATH"))
    interpreter = os.path.dirname(program) if program else ""
    return Places([plan.folder, *Settings.from_bytes(plan.settings).python_path, interpreter])


def cannot_start(program: str, folder: str, error: Exception) -> StartError:
    """Return why the system refused to start an interpreter; the program is not to blame when it is the folder that is gone."""
    what = program if os.path.isdir(folder) else f"a process in {folder}"
    return StartError(f"cannot start {what}: {getattr(error, 'strerror', None) or error}")


def _identity(path: str) -> Identity:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    if stat.S_ISDIR(status.st_mode):
        return status.st_dev, status.st_ino
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
