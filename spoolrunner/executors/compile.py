"""Finds and compiles the modules of the jobs in the template, and runs none of them: see `attempt.compiled`.

Nothing of a module is shared by that: what its import does is done in the process of each job. Light: a template imports it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec

from spoolrunner.attempt import compiled
from spoolrunner.attempt.compiled import CompiledModule, CompiledWay, stamp
from spoolrunner.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.machinery import ModuleSpec

_TRIES = 2
"""The first may write bytecode, and change a folder that was looked at."""
_SECOND = 1_000_000_000
_TICK, _COARSE_TICK = _SECOND // 10, 2 * _SECOND
"""Nanoseconds within which a file may be changed twice without a change of its times; the longer one where a file system keeps
whole seconds, or two of them as FAT does."""


def compile_ahead(jobs: Iterable[str]) -> list[str]:
    """Make ready the modules of these entries of the operator's table; return their files.

    What cannot be found or compiled is left out: the process of its job will meet the same, and record it.
    """
    files = []
    for job in jobs:
        for _ in range(_TRIES):
            try:
                way = _way(job)
            except (
                Exception
            ):  # whatever it is, the import in the job's own process raises it again, and that is recorded
                break
            if way is not None and all(stamp(path) == then for path, then in way.looked_at.items()):
                compiled.ways[job] = way
                files += [made.code.co_filename for made in way.modules]
                break
    return files


def _way(job: str) -> CompiledWay | None:
    """Return what `import` would go through; None when a module is not one of source in a file, or too young to be known."""
    names = job.split(".")
    modules: list[CompiledModule] = []
    looked_at: dict[str, compiled.Stamp] = {}
    folders: list[str] | None = None
    for length in range(1, len(names) + 1):
        name = ".".join(names[:length])
        if any(not isinstance(folder, str) for folder in folders or sys.path):
            return None
        spec = _found(name, folders)
        origin = None if spec is None else spec.origin
        for folder in folders or sys.path:
            looked_at[folder or os.getcwd()] = stamp(folder or os.getcwd())
            if origin is not None and os.path.dirname(origin) in (folder, os.path.join(folder, names[length - 1])):
                break
        if spec is None:
            break  # a class, then
        if type(spec.loader) is not SourceFileLoader or origin is None:
            return None
        looked_at[origin] = stamp(origin)
        code = spec.loader.get_code(name)
        if code is None:
            return None
        folders = spec.submodule_search_locations
        modules.append(CompiledModule(name, module_from_spec(spec), code, None if folders is None else list(folders)))
        if folders is None:
            break
    return CompiledWay(modules, looked_at) if modules and _are_settled(looked_at) else None


def _found(name: str, folders: list[str] | None) -> ModuleSpec | None:
    """Ask all finders, in their order, as `import` does."""
    for finder in sys.meta_path:
        spec = finder.find_spec(name, folders, None)
        if spec is not None:
            return spec
    return None


def _are_settled(looked_at: dict[str, compiled.Stamp]) -> bool:
    """Whether all of it is so old that a later change gives it another time."""
    now = int(clock.SYSTEM.wall() * _SECOND)
    for times in looked_at.values():
        if times is not None:
            latest = max(times[:2])
            if now - latest < (_TICK if times[0] % _SECOND else _COARSE_TICK):
                return False
    return True
