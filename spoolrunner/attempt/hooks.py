"""What config.json puts around each callable: `setup`, called once in a process, and `around`, a context manager for the call.

And the trace context of the job, as environment variables. Only a job for which there is something of that imports this, and a
template with a setup of its own.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from spoolrunner.attempt import callables, returned
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.current_job import current_job
from spoolrunner.errors import NotAllowedError, SpoolRunnerError
from spoolrunner.protocol.tracing import CARRIERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spoolrunner.attempt.assignment import ToldHooks

TEMPLATE, PROCESS, AROUND = "setup.template", "setup.process", "around"
"""The keys of config.json."""
_called: set[tuple[str, str]] = set()
"""The key and function of each setup that this process, or the template that it was forked from, has behind it."""


class HookError(SpoolRunnerError):
    """A function that config.json puts around jobs cannot be used: its key, and why."""


def prepare(told: ToldHooks, python_path: list[str]) -> None:
    """Set the variables of the job's trace, and call each setup that was not called yet. Errors of theirs pass through."""
    template, process, _, variables = told
    if variables:
        for name in CARRIERS.values():  # those of a trace belong together: none of another one may stay
            os.environ.pop(name, None)
        os.environ.update(variables)
    if template or process:
        if sys.path[: len(python_path)] != python_path:
            sys.path[:0] = python_path
        call_once(TEMPLATE, template)
        call_once(PROCESS, process)


def call_once(key: str, name: str) -> None:
    """Call the function of that key, given by its dotted path, unless this process has it behind it or it is not set."""
    if not name or (key, name) in _called:
        return
    problem = returned.not_run(_made_by(key, name, []))
    if problem:
        raise HookError(f"{key}: {name}: {problem}")
    _called.add((key, name))


def wrapped(callee: Callee, around: str, run: Callable[[Any], Any]) -> Callee:
    """Return the callee within the context manager that the function of that dotted path makes; as it is without one.

    `run` is what runs a coroutine, which belongs into the context too.
    """
    return _Wrapped(callee, around, run) if around else callee


class _Wrapped(Callee):
    """A callee that is called within a context manager."""

    __slots__ = ("_around", "_inner", "_run")

    def __init__(self, inner: Callee, around: str, run: Callable[[Any], Any]) -> None:
        super().__init__(inner.name, inner.function, inner.owner)
        self._inner = inner
        self._around = around
        self._run = run

    def call(self, params: list[Any] | dict[str, Any]) -> Any:
        """Enter the context, call, and leave it. What the context suppresses counts as a call that returned None."""
        with ExitStack() as stack:
            _enter(stack, self._around)
            result = self._inner.call(params)
            return self._run(result) if returned.is_awaitable(result) else result
        return None


def _enter(stack: ExitStack, name: str) -> None:
    manager = _made_by(AROUND, name, [current_job()])
    if not hasattr(type(manager), "__enter__"):
        advice = "which is no context manager: decorate it with contextlib.contextmanager"
        raise HookError(f"{AROUND}: {name} returned {returned.type_name(type(manager))}, {advice}")
    try:
        stack.enter_context(manager)
    except SystemExit as error:
        raise _exited(AROUND, name, error) from error


def _made_by(key: str, name: str, arguments: list[Any]) -> Any:
    """Return what the function of that dotted path returns; HookError when it cannot be called so."""
    try:
        callee = callables.resolve(*name.rpartition(".")[::2])
    except NotAllowedError as error:
        raise HookError(f"{key}: {error}") from None
    try:
        return callee.call(arguments)
    except TypeError as error:
        problem = callee.refusal(error, arguments)
        if problem is None:
            raise
        raise HookError(f"{key}: {problem}") from None
    except SystemExit as error:
        raise _exited(key, name, error) from error


def _exited(key: str, name: str, error: SystemExit) -> HookError:
    return HookError(f"{key}: {name} exited with {error.code!r}, so that the job was not called")
