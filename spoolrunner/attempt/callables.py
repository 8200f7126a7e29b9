"""From an entry of the operator's table to a callable: imported, looked up, and refused where it must not be called.

Only the text of the table itself is split, imported and looked up by attribute. Light: every job's process imports it.
"""

from __future__ import annotations

import sys
from types import FunctionType, MethodType

from spoolrunner.attempt import compiled
from spoolrunner.attempt.binding import Callee
from spoolrunner.errors import NotAllowedError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST_WRAPPED = 20
_CO_GENERATOR, _CO_ASYNC_GENERATOR = 0x20, 0x200
"""Flags of a code object: https://docs.python.org/3/library/inspect.html#code-objects-bit-flags; inspect is dear to import."""


def resolve(job: str, method: str) -> Callee:
    """Import and return what the operator's entry names: a function of a module or a method of a class. Nothing is called yet.

    NotAllowedError when there is no such thing or it must not be called. Errors of the imported module pass through.
    """
    if method.startswith("_"):
        raise NotAllowedError(f"{job}.{method}: a method whose name begins with _ is private")
    owner = owner_of(job)
    if isinstance(owner, type):
        found = _method(owner, job, method)
    elif method in vars(owner):
        found = Callee(method, vars(owner)[method], None)
    else:
        raise NotAllowedError(f"{job}.{method}: the module has no such function{_instead(owner, job, method)}")
    if not callable(found.function) and not _gives_callable(found):
        raise NotAllowedError(f"{job}.{method} is {type(found.function).__name__}, which cannot be called")
    if _is_generator(found.function):
        raise NotAllowedError(f"{job}.{method} is a generator: calling it would run nothing")
    return found


def owner_of(job: str) -> Any:
    """Import and return the module or class of the operator's dotted path; NotAllowedError when there is none."""
    parts = job.split(".")
    for length in range(compiled.run(job) or len(parts), 0, -1):
        name = ".".join(parts[:length])
        try:
            __import__(name)
            found: Any = sys.modules[name]
        except ModuleNotFoundError as error:
            # Only this very module, or a parent of it, being absent means "try a shorter path"; a missing import inside
            # the operator's module is an error to be shown.
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")) or length == 1:
                raise
            continue
        for attribute in parts[length:]:
            if attribute.startswith("_") or attribute not in vars(found):
                raise NotAllowedError(f"{job}: {found.__name__} has no {attribute!r}{nearest(attribute, vars(found))}")
            found = vars(found)[attribute]
            if not isinstance(found, type):
                raise NotAllowedError(f"{job}: {attribute!r} is not a class")
        return found
    raise NotAllowedError(f"{job!r} is no dotted path")


def _instead(module: Any, job: str, method: str) -> str:
    """What to write instead: the class in the module that has the method, as where both have one name, or a similar name."""
    for name, found in vars(module).items():
        if isinstance(found, type) and method in vars(found) and found.__module__ == module.__name__:
            return f"; its class {name} has one: write {job}.{name}"
    return nearest(method, vars(module))


def _method(cls: type, job: str, method: str) -> Callee:
    definer = next((base for base in cls.__mro__ if method in vars(base)), None)
    if definer is None:
        raise NotAllowedError(f"{job}.{method}: the class has no such method{nearest(method, dir(cls))}")
    if definer.__module__ == "builtins":
        raise NotAllowedError(f"{job}.{method}: inherited from {definer.__name__}, not a method of the job")
    found = vars(definer)[method]
    if isinstance(found, (staticmethod, classmethod)):
        return Callee(method, getattr(cls, method), None)
    return Callee(method, found, cls)


def _gives_callable(found: Callee) -> bool:
    """Whether a thing in a class, such as a functools.partialmethod, is callable only when it is asked for by an instance."""
    get = getattr(type(found.function), "__get__", None)
    return found.owner is not None and get is not None and callable(get(found.function, None, found.owner))


def _is_generator(function: Any) -> bool:
    """Whether calling it only makes a generator, as far as that can be seen: behind bound methods, partials, and __call__.

    A decorator may run the generator that it wraps, so what it wraps is not asked.
    """
    functools = sys.modules.get("functools")  # without it there is no partial
    for _ in range(_MOST_WRAPPED):
        if type(function) is FunctionType:
            return bool(function.__code__.co_flags & (_CO_GENERATOR | _CO_ASYNC_GENERATOR))
        if type(function) is MethodType:
            function = function.__func__
        elif functools is not None and isinstance(function, (functools.partial, functools.partialmethod)):
            function = function.func
        elif isinstance(function, type):
            return False
        else:
            function = getattr(type(function), "__call__", None)  # noqa: B004 -- it is the function that is wanted
    return False
