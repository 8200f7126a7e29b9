"""Modules that were found and compiled ahead, but not run: the process of a job runs them, and has imported them then.

That is what `import` does, less the search and the reading, which are done where they are done once for many jobs. An entry is
good as long as the files and the folders that were looked at are what they were. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

    Stamp = tuple[int, int, int, int] | None
    """(time of the last change of the content, and of anything, in nanoseconds; inode; bytes); None when it is gone."""


class CompiledModule:
    """A module object that is as new, the code that makes it what it is, and, of a package, the folders of its modules."""

    __slots__ = ("code", "folders", "module", "name")

    def __init__(self, name: str, module: ModuleType, code: CodeType, folders: list[str] | None) -> None:
        self.name = name
        self.module = module
        self.code = code
        self.folders = folders


class CompiledWay:
    """The modules along a dotted path, from the first name on, and the stamps of all that led to just these modules."""

    __slots__ = ("looked_at", "modules")

    def __init__(self, modules: list[CompiledModule], looked_at: dict[str, Stamp]) -> None:
        self.modules = modules
        self.looked_at = looked_at


ways: dict[str, CompiledWay] = {}
"""The dotted paths of the operator's table for which the template has made this ready; empty in all other processes."""


def stamp(path: str) -> Stamp:
    """Return what the file or the folder is like now."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def run(job: str) -> int:
    """Import the modules along the dotted path `job`; return how many of its names they are, or 0 when that is to be found out.

    It is 0 when nothing was made ready, when something has changed since, and when a package has changed its own `__path__`;
    an `import` is right then. What the modules raise comes through, and leaves no module behind, as with `import`.
    """
    way = ways.get(job)
    if way is None:
        return 0
    for path, then in way.looked_at.items():
        if stamp(path) != then:
            return 0
    parent, folders = None, None
    for made in way.modules:
        if parent is not None and getattr(parent, "__path__", None) != folders:
            return 0
        parent, folders = _imported(made, parent), made.folders
    return len(way.modules)


def _imported(made: CompiledModule, parent: ModuleType | None) -> ModuleType:
    name = made.name
    if name not in sys.modules:  # else its own package has imported it
        sys.modules[name] = made.module
        try:
            exec(made.code, made.module.__dict__)  # noqa: S102 -- as import does
        except BaseException:
            sys.modules.pop(name, None)
            raise
        if parent is not None:
            setattr(parent, name.rpartition(".")[2], sys.modules[name])
    return sys.modules[name]  # a module may put another object there
