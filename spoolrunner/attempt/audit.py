"""The audit of the operator's table, in a process of its own: `spoolrunner check` asks what of it cannot be called."""

from __future__ import annotations

import builtins
import importlib
from typing import Any

from spoolrunner.attempt.answering import Say, answer
from spoolrunner.attempt.callables import resolve
from spoolrunner.attempt.outcome import class_name
from spoolrunner.errors import NotAllowedError


def print_audit() -> None:
    """Read {python_path, allowed: job -> methods} as JSON from standard input; print what of it cannot be resolved, and why.

    What stands under the job "" are names of exceptions, which policies have in `retry_on` and `discard_on`.
    Each answer is a line of JSON: [job, method], before it is looked at, then [job, method, problem or null]. A module may end
    the process: then the last line names it. What modules print goes to standard error.
    """
    answer(_audit)


def _audit(question: dict[str, Any], say: Say) -> None:
    for job, methods in question["allowed"].items():
        for method in methods:
            say([job, method])
            problem = _problem(job, method)
            say([job, method, problem])


def _problem(job: str, method: str) -> str | None:
    try:
        if not job:
            return _exception_problem(method)
        problem = resolve(job, method).owner_problem()
    except NotAllowedError as error:
        return str(error)
    except SystemExit as error:
        what = f"exits: its module must run nothing when it is imported (status {error.code})"
        return f"{_said(job, method)}: importing it {what}"
    except BaseException as error:
        return f"{_said(job, method)}: importing it raised {type(error).__name__}: {error}"
    return f"{job}.{method}: {problem}" if problem else None


def _said(job: str, method: str) -> str:
    return f"{job}.{method}" if job else method


def _exception_problem(name: str) -> str | None:
    """Return why no exception has that name, by which it is compared: an alias is none, and would never be met."""
    owner = name.rpartition(".")[0]
    there: Any = _module_of(owner) if owner else builtins
    for part in name.removeprefix(there.__name__ + ".").split("."):
        there = getattr(there, part, None)
    if not isinstance(there, type) or not issubclass(there, BaseException):
        return f"{name}: there is no such exception, which retry_on or discard_on names"
    own = class_name(there)
    return None if own == name else f"{name}: the exception is {own}; write that in retry_on or discard_on"


def _module_of(path: str) -> Any:
    """Return the module that the longest beginning of a dotted path names."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path or "." not in path:
            raise
    return _module_of(path.rpartition(".")[0])
