"""What a template has imported ahead: the callables, the files that came with them, and whether these are still the same.

Light: a template imports it, and each job's process compares.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from spoolrunner.attempt.binding import Callee

    Stamp = tuple[int, int, int, int, int]

_PYTHON_ITSELF = os.path.dirname(os.__file__)
_PYTHONS_ARCHIVE = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
_NOTHING: Stamp = (0, 0, 0, 0, 0)
_CHANGED: Stamp = (-1, 0, 0, 0, 0)
"""Such as no file has."""
_GRAIN = 10_000_000
"""Nanoseconds by which the time of a change may lie behind the clock."""


class Imported:
    """The modules that a template has imported. `callees` are what they offer: (job, method) -> callable."""

    def __init__(self) -> None:
        self.callees: dict[tuple[str, str], Callee] = {}
        self._code: dict[str, Stamp] = {}
        self._folders: dict[str, tuple[Stamp, str, frozenset[str]]] = {}
        """folder -> its stamp, the package that it is the folder of (with a dot, or nothing), and the names in it."""
        self._began = clock.SYSTEM.wall()

    def remember(self, before: Iterable[str]) -> list[str]:
        """Take note of the modules that were imported since these were; returns their files."""
        modules = [sys.modules[name] for name in set(sys.modules) - set(before)]
        began = int(self._began * 1e9) - _GRAIN
        # Written since we began: which version was imported cannot be known, so it counts as changed.
        self._code = {
            path: then if max(then[2], then[3]) < began else _CHANGED for path, then in code_files(modules).items()
        }
        folders = dict.fromkeys(_before_python_itself(), "")
        for module in modules:
            if _is_users(getattr(module, "__file__", None)):
                folders |= dict.fromkeys(getattr(module, "__path__", ()), f"{module.__name__}.")
        self._folders = {folder: (stamp(folder), package, _listed(folder)) for folder, package in folders.items()}
        return sorted(self._code)

    def is_outdated(self) -> bool:
        """Whether code that was imported is another on disk now, or would be found elsewhere."""
        for path, then in self._code.items():
            if stamp(path) != then:
                return True
        for folder, (then, package, names) in self._folders.items():
            if stamp(folder) != then and any(_is_loaded(name, package) for name in _listed(folder) - names):
                return True
        return False


def code_files(modules: list[Any]) -> dict[str, Stamp]:
    """The source files of these modules with their stamps, or the archives they are in, but for those of Python itself."""
    found = {}
    for module in modules:
        path = getattr(module, "__file__", None)
        if path and _is_users(path):
            path = _on_disk(path)
            found[path] = stamp(path)
    return found


def stamp(path: str) -> Stamp:
    """What tells a file, or what lies at its path instead, from the one that was there; zeros when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return _NOTHING  # removed: another than the one that was imported
    return status.st_ino, status.st_dev, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def warm_import_caches() -> None:
    """Let Python list the folders of the import path now: a fork finds the lists, and only compares their times.

    A folder that is not there yet is looked for again by each job, which Python by itself would not do.
    """
    from importlib.machinery import PathFinder

    PathFinder.find_spec("spoolrunner_has_no_such_module")
    for folder in sys.path:
        if folder in sys.path_importer_cache and sys.path_importer_cache[folder] is None:
            del sys.path_importer_cache[folder]


def _is_users(path: str | None) -> bool:
    return bool(path) and (not str(path).startswith(_PYTHON_ITSELF) or "site-packages" in str(path))


def _on_disk(path: str) -> str:
    """The file itself, or the archive that it is in."""
    there = path
    while not os.path.exists(there):
        there, last = os.path.split(there)
        if not last:
            return path
    return path if os.path.isdir(there) else there


def _before_python_itself() -> list[str]:
    """The folders of the import path in which a new file may come to shadow a module that was found in a later one."""
    before = []
    for folder in sys.path:
        if folder == _PYTHON_ITSELF:
            break
        if folder and os.path.basename(folder) != _PYTHONS_ARCHIVE:
            before.append(folder)
    return before


def _listed(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()  # an archive, or not there


def _is_loaded(file_name: str, package: str) -> bool:
    return package + file_name.partition(".")[0] in sys.modules
