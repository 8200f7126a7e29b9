"""What a template does to import modules ahead of the jobs: one at a time, guarded, and with a word on what each one did.

Only a template that preloads imports this.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from spoolrunner.attempt import callables
from spoolrunner.executors.frames import CALL, IMPORTED, IMPORTING, LEFT_OUT, SKIPPED, framed
from spoolrunner.system import clock

if sys.platform != "win32":
    from spoolrunner.executors.effects import Effects, Surroundings
    from spoolrunner.executors.exit_handlers import ExitHandlers
    from spoolrunner.executors.guardian import Guardian

assert sys.platform != "win32"  # noqa: S101 -- there is no fork, and so no template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.binding import Callee
    from spoolrunner.executors.imported import Imported


class Preloaded(NamedTuple):
    """What came of it: the files of the modules, and what a forked process does first, and the template at its end."""

    files: list[str]
    reseed: Callable[[], Any] | None
    run_exit_handlers: Callable[[], None]


class UnfitError(Exception):
    """A template that has imported this module must not be forked."""


class Preloading:
    """Imports modules in this process, which is to be forked. `say` tells the dispatcher, at the other end of `socket`."""

    def __init__(self, socket: int, import_timeout: float, say: Callable[..., None]) -> None:
        self.exit_handlers = ExitHandlers()
        self._socket = socket
        self._seconds = import_timeout
        self._say = say

    def load(self, names: Sequence[str]) -> None:
        """Import these modules, or those of these classes. UnfitError when the template has to do without one of them."""
        for name in names:
            self._say(IMPORTING, name)
            problem = f"its import took longer than {self._seconds:g} s"
            guardian = Guardian(self._socket, self._seconds, framed(LEFT_OUT, name, problem))
            before = Surroundings()
            self.exit_handlers.watch()
            began = clock.SYSTEM.monotonic()
            error = _import(name)
            took = clock.SYSTEM.monotonic() - began
            guardian.leave()
            effects = self._undo(before)
            if effects.harmful:
                self._say(LEFT_OUT, name, f"its import left {', '.join(effects.harmful)}")
                raise UnfitError(name)
            if error:
                self._say(SKIPPED, name, error)
            else:
                self._say(IMPORTED, name, round(took, 3), effects.words())

    def _undo(self, before: Surroundings) -> Effects:
        effects = before.compare()
        count, are_all = self.exit_handlers.withhold()
        if count:
            effects.undone.append(f"exit handlers ({count})")
        if not are_all:
            effects.harmful.append("exit handlers that cannot be withheld")
        effects.harmful += before.restore()
        return effects


def _import(name: str) -> str:
    """Import what the dotted path names, or call it if that is asked for; return the error in words, or nothing."""
    try:
        if name.endswith(CALL):
            from spoolrunner.attempt import hooks

            hooks.call_once(hooks.TEMPLATE, name.removesuffix(CALL))
        else:
            callables.owner_of(name)
    except BaseException as error:
        # The job's own process will meet the same error and record it; here it only costs the head start.
        return f"{type(error).__name__}: {error}"
    return ""


def preload(
    names: Sequence[str],
    jobs: Mapping[str, Sequence[str]],
    imported: Imported,
    socket: int,
    import_timeout: float,
    say: Callable[..., None],
) -> Preloaded:
    """Import these modules, and let `imported` know what they offer; the end of this process when it is unfit afterwards."""
    before = list(sys.modules)
    made = Preloading(socket, import_timeout, say)
    try:
        made.load(names)
    except UnfitError:
        os._exit(0)
    _write_out()
    imported.callees = look_up(jobs)
    return Preloaded(imported.remember(before), reseeding(), made.exit_handlers.run)


def _write_out() -> None:
    """Write out what the modules have left in the buffers of their files: each job's process would write it once more."""
    for one in gc.get_objects():
        if type(one) in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom) and not one.closed:
            try:
                one.flush()
            except OSError:
                continue  # each job's process meets the same when it ends, and says so in its log


def look_up(jobs: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], Callee]:
    """Return the callables of the table whose modules are imported, by (job, method). Nothing is imported for that."""
    found = {}
    for job, methods in jobs.items():
        if not _is_imported(job):
            continue
        for method in methods:
            try:
                found[job, method] = callables.resolve(job, method)
            except Exception:  # noqa: S112 -- the job's own process will meet the same error and record it
                continue
    return found


def _is_imported(job: str) -> bool:
    """Whether the path leads to a module, or a class in a module, that is imported; else looking it up might import more."""
    module, dot, rest = job, "", ""
    while module not in sys.modules:
        module, dot, last = module.rpartition(".")
        if not dot:
            return False
        rest = f"{last}.{rest}" if rest else last
    return not rest or isinstance(vars(sys.modules[module]).get(rest.partition(".")[0]), type)


def reseeding() -> Callable[[], Any] | None:
    """Return what gives a forked process random numbers of its own where Python does not do so itself; None without need."""
    numpy = sys.modules.get("numpy.random")
    seed = getattr(numpy, "seed", None)
    return seed if callable(seed) else None
