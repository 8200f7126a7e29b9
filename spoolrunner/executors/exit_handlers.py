"""Exit handlers that a module registers when it is preloaded: kept from the jobs, and run once, by the template at its end.

What is made when the module is imported is there once for all jobs, so the first of them that ends must not take it away.
Only a template that preloads imports this.
"""

from __future__ import annotations

import atexit
import signal
import sys
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Handler = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

assert sys.platform != "win32"  # noqa: S101 -- there is no fork, and so no template

_SECONDS = 5
"""For which the handlers may run at the end; then the system ends the template."""


class ExitHandlers:
    """Watches what is registered from `watch` to `withhold`, and keeps it from forked processes; `run` runs it."""

    def __init__(self) -> None:
        self._withheld: list[Handler] = []
        self._registered: list[Handler] = []
        self._register = atexit.register
        self._count = 0

    def watch(self) -> None:
        """Take note of what is registered from now on."""
        self._registered = []
        self._count = _registered()
        atexit.register = self._note  # type: ignore[assignment]

    def withhold(self) -> tuple[int, bool]:
        """Take back what was registered: how many there were, and whether that was all.

        Those of Python's own library which are plain functions without arguments stay: they clean up what the process made
        itself, as logging and multiprocessing do.
        """
        atexit.register = self._register
        are_all = _registered() - self._count <= len(self._registered)
        withheld = [handler for handler in self._registered if not _is_pythons_own(handler)]
        for function, _, _ in withheld:
            atexit.unregister(function)
        finalizers = [finalizer for finalizer in _finalizers() if finalizer.atexit]
        for finalizer in finalizers:
            finalizer.atexit = False
        self._withheld += withheld
        self._withheld += [(finalizer, (), {}) for finalizer in finalizers]
        return len(withheld) + len(finalizers), are_all

    def run(self) -> None:
        """Run them, the last one first, in a bounded time."""
        if not self._withheld:
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_SECONDS)
        while self._withheld:
            function, arguments, named = self._withheld.pop()
            try:
                function(*arguments, **named)
            except BaseException:  # an exit too: the others are to run, as at the end of any interpreter
                sys.excepthook(*sys.exc_info())
        signal.alarm(0)

    def _note(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """In place of atexit.register; a module that keeps it can go on to use it."""
        self._registered.append((function, arguments, named))
        return self._register(function, *arguments, **named)


def _registered() -> int:
    return atexit._ncallbacks()  # noqa: SLF001 -- there is no public name


def _finalizers() -> list[Any]:
    weakref = sys.modules.get("weakref")
    return [] if weakref is None else list(weakref.finalize._registry)  # noqa: SLF001 -- as above


def _is_pythons_own(handler: Handler) -> bool:
    function, arguments, named = handler
    owner = getattr(function, "__self__", None)
    is_plain = type(function) is FunctionType or isinstance(owner, type)
    home = str(getattr(function, "__module__", "")).partition(".")[0]
    return is_plain and not arguments and not named and home in sys.stdlib_module_names
