"""How a class, a function or a method becomes the names in a job file, and whether parameters fit it. Publishes nothing."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from spoolrunner.errors import JobFormatError


def names_of(job: object, method: str | None) -> tuple[str, str]:
    """(job, method) as the whitelist spells them; JobFormatError when the object cannot be imported by its name."""
    if isinstance(job, str):
        if method is None:
            raise JobFormatError("method", "missing; name a method of the class, or function of the module")
        return job, method
    if inspect.isclass(job):
        if method is None:
            raise JobFormatError("method", f"missing; name a method of {job.__qualname__}")
        return _importable(job), method
    if method is not None:
        advice = f"must be left out when job is a function or method itself; arguments go into params=[{method!r}]"
        raise JobFormatError("method", advice)
    if inspect.ismethod(job):
        return _names_of_bound(job)
    module, qualified = getattr(job, "__module__", None), getattr(job, "__qualname__", None)
    if isinstance(job, functools.partial):
        raise JobFormatError(
            "job", "a partial has no name to be found by; give its function, and its arguments as params"
        )
    if not callable(job) or module == "builtins" or not isinstance(module, str) or not isinstance(qualified, str):
        raise JobFormatError("job", f"{type(job).__name__} is no dotted path, class, function or method")
    full = _importable(job)
    path, _, name = full.rpartition(".")
    return path, name


def _names_of_bound(method: Any) -> tuple[str, str]:
    """Return the names of a bound method: with the class that it was asked of, not the one that defines it."""
    owner, name = method.__self__, method.__name__
    if not inspect.isclass(owner):
        kind = type(owner)
        if not _is_without_state(owner):
            raise JobFormatError(
                "job",
                f"a job's process makes its own {kind.__qualname__}, without arguments, and knows nothing of this one's state; "
                f"give {kind.__qualname__}.{name}, and what it needs as params",
            )
        owner = kind
    if not any(name in vars(base) for base in owner.__mro__):
        raise JobFormatError(
            "job", f"{owner.__qualname__} has no method {name!r} of its own; a job is found by that name"
        )
    there = getattr(owner, name)
    if getattr(there, "__func__", there) is not method.__func__:
        raise JobFormatError(
            "job", f"{owner.__qualname__}.{name} does not lead to the method given; a job is found by that name"
        )
    return _importable(owner), name


def _is_without_state(instance: Any) -> bool:
    slots = (name for base in type(instance).__mro__ for name in _listed(vars(base).get("__slots__", ())))
    return not getattr(instance, "__dict__", {}) and not any(
        hasattr(instance, name) for name in slots if name not in ("__dict__", "__weakref__")
    )


def _listed(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _importable(found: Any) -> str:
    module, qualified = found.__module__, found.__qualname__
    if "<lambda>" in qualified:
        raise JobFormatError("job", "a lambda has no name to be found by; define a function in a module")
    if "<locals>" in qualified:
        raise JobFormatError("job", f"{qualified} is defined inside a function; define it at the top of a module")
    if module == "__main__":
        raise JobFormatError(
            "job", f"{qualified} is defined in the main program; move it to a module that can be imported"
        )
    there: Any = importlib.import_module(module)
    for part in qualified.split("."):
        there = getattr(there, part, None)
    if getattr(there, "__func__", there) is not getattr(found, "__func__", found):
        raise JobFormatError(
            "job", f"{module}.{qualified} does not lead to the object given; a job is found by that name"
        )
    return f"{module}.{qualified}"


def check_fit(job: object, names: tuple[str, str], params: list[Any] | dict[str, Any]) -> None:
    """Raise JobFormatError unless the function that was given, and that these names lead to, can be called with `params`."""
    shape = tuple(params) if isinstance(params, dict) else len(params)
    can_be_kept = type(job).__hash__ is not None
    ask = _misfit if can_be_kept else _misfit.__wrapped__
    misfit = ask(job, names, shape)
    if misfit is not None:
        raise JobFormatError(*misfit)


@functools.lru_cache(maxsize=256)
def _misfit(_job: object, names: tuple[str, str], shape: int | tuple[str, ...]) -> tuple[str, str] | None:
    """Return the key that is wrong and why, for so many parameters by position, or these by name; None when they fit.

    The job itself is an argument so that another function of the same names, as after a reload, is asked anew.
    """
    from spoolrunner.attempt import callables

    callee = callables.resolve(*names)
    problem = callee.owner_problem()
    if problem:
        return "job", problem
    problem = callee.problem([None] * shape if isinstance(shape, int) else dict.fromkeys(shape))
    return ("params", problem) if problem else None
