"""What a template has imported ahead: the callables, the files that came with them, and whether these are still the same.

Light: a template imports it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.attempt import callables
from spoolrunner.executors.frames import SKIPPED, THREADS
from spoolrunner.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spoolrunner.attempt.binding import Callee

_PYTHON_ITSELF = os.path.dirname(os.__file__)


class Imported:
    """The modules that a template has imported. `callees` are what they offer: (job, method) -> callable."""

    def __init__(self) -> None:
        self.callees: dict[tuple[str, str], Callee] = {}
        self._code: dict[str, tuple[int, int]] = {}

    def load(self, jobs: dict[str, list[str]], say: Callable[..., None]) -> list[str]:
        """Import what these jobs name, and return the files that came with it. A module that starts a thread ends us."""
        before = set(sys.modules)
        began = int(clock.SYSTEM.wall() * 1e9)
        for job, methods in jobs.items():
            try:
                for method in methods:
                    self.callees[job, method] = callables.resolve(job, method)
            except BaseException as error:
                # The job's own process will meet the same error and record it; here it only costs the head start.
                say(SKIPPED, job, f"{type(error).__name__}: {error}")
            if threads() > 1:
                say(THREADS, job)
                sys.exit(0)
        files = code_files([sys.modules[name] for name in set(sys.modules) - before])
        # Written since we began: which version was imported cannot be known, so it counts as changed.
        self._code = {path: then if then[0] < began else (0, 0) for path, then in files.items()}
        return sorted(files)

    def is_outdated(self) -> bool:
        """Whether code that was imported is another on disk now."""
        for path, then in self._code.items():  # noqa: SIM110 -- a generator would cost each job its making
            if stamp(path) != then:
                return True
        return False


def code_files(modules: list[Any]) -> dict[str, tuple[int, int]]:
    """The source files of these modules with their stamps, but for those of Python itself."""
    found = {}
    for module in modules:
        path = getattr(module, "__file__", None)
        if path and (not path.startswith(_PYTHON_ITSELF) or "site-packages" in path):
            found[path] = stamp(path)
    return found


def stamp(path: str) -> tuple[int, int]:
    """The time of change (nanoseconds) and the size of a file; zeros when it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)  # removed: another than the one that was imported
    return status.st_mtime_ns, status.st_size


def warm_import_caches() -> None:
    """Let Python list the folders of the import path now: a fork finds the lists, and only compares their times."""
    from importlib.machinery import PathFinder

    PathFinder.find_spec("spoolrunner_has_no_such_module")


def threads() -> int:
    """The threads of this process, those that Python knows nothing of included where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        threading = sys.modules.get("threading")
        return threading.active_count() if threading is not None else 1
