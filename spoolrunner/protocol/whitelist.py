"""The whitelist: which callables a job file may name, and how an entry of the operator's table becomes a callable.

The strings of a job file are only compared with the keys of the table. Only the text of the table itself is split, imported
and looked up by attribute. Light: every job's process imports it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import orjson

from spoolrunner.errors import NotAllowedError, nearest

Table = Mapping[str, Mapping[str, Any]]
"""job -> method -> its policy."""


def entry(table: Table, job: object, method: object) -> Any:
    """Return what the table has for exactly this job and method; NotAllowedError when it has nothing."""
    methods = table.get(job) if isinstance(job, str) else None
    if methods is None:
        raise NotAllowedError(f"job {job!r} is not in allowed_jobs{nearest(job, table)}")
    if not isinstance(method, str) or method not in methods:
        raise NotAllowedError(
            f"method {method!r} is not listed under {job!r} in allowed_jobs{nearest(method, methods)}"
        )
    return methods[method]


class Callee(NamedTuple):
    """The function that an entry of the table names. `owner` is the class to be made first, for a method of an instance."""

    name: str
    function: Callable[..., Any]
    owner: type | None

    def problem(self, params: object) -> str | None:
        """Return why it cannot be called with `params` (array by position, object by name), or None when it can."""
        if not isinstance(params, (list, dict)):
            return "params must be an array or an object"
        # Something that is no descriptor, such as a partial in a class, does not get the instance.
        is_bound = self.owner is not None and hasattr(type(self.function), "__get__")
        if _clearly_fit(params, self.function, int(is_bound)):
            return None
        try:
            parameters = inspect.signature(self.function)
        except ValueError:
            return None  # some builtins do not name their parameters: a call is the only test
        positional: list[Any] = [self.owner] if is_bound else []
        try:
            if isinstance(params, dict):
                parameters.bind(*positional, **params)
            else:
                parameters.bind(*positional, *params)
        except TypeError as error:
            return f"params do not fit {self.name}{parameters}: {error}"
        return None

    def call(self, params: list[Any] | dict[str, Any]) -> Any:
        """Make the instance if one is needed, call the function, and return its result; its errors pass through."""
        function = self.function if self.owner is None else getattr(self.owner(), self.name)
        return function(**params) if isinstance(params, dict) else function(*params)


def resolve(job: str, method: str) -> Callee:
    """Import and return what the operator's entry names: a function of a module or a method of a class. Nothing is called yet.

    NotAllowedError when there is no such thing or it must not be called. Errors of the imported module pass through.
    """
    if method.startswith("_"):
        raise NotAllowedError(f"{job}.{method}: a method whose name begins with _ is private")
    owner = owner_of(job)
    if inspect.isclass(owner):
        found = _method(owner, job, method)
    elif method in vars(owner):
        found = Callee(method, vars(owner)[method], None)
    else:
        raise NotAllowedError(f"{job}.{method}: the module has no such function{nearest(method, vars(owner))}")
    if not callable(found.function):
        raise NotAllowedError(f"{job}.{method} is {type(found.function).__name__}, which cannot be called")
    if inspect.isgeneratorfunction(found.function) or inspect.isasyncgenfunction(found.function):
        raise NotAllowedError(f"{job}.{method} is a generator: calling it would run nothing")
    return found


def owner_of(job: str) -> Any:
    """Import and return the module or class of the operator's dotted path; NotAllowedError when there is none."""
    parts = job.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(name)
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
            if not inspect.isclass(found):
                raise NotAllowedError(f"{job}: {attribute!r} is not a class")
        return found
    raise NotAllowedError(f"{job!r} is no dotted path")


def _method(cls: type, job: str, method: str) -> Callee:
    definer = next((base for base in cls.__mro__ if method in vars(base)), None)
    if definer is None:
        raise NotAllowedError(f"{job}.{method}: the class has no such method{nearest(method, dir(cls))}")
    if definer.__module__ == "builtins":
        raise NotAllowedError(f"{job}.{method}: inherited from {definer.__name__}, not a method of the job")
    found = vars(definer)[method]
    if isinstance(found, (staticmethod, classmethod)):
        return Callee(method, getattr(cls, method), None)
    problem = Callee(cls.__name__, cls, None).problem([])
    if problem:
        raise NotAllowedError(f"{job}: the class must be made without arguments: {problem}")
    return Callee(method, found, cls)


def _clearly_fit(params: list[Any] | dict[str, Any], function: Callable[..., Any], bound: int) -> bool:
    """Return whether a plain function takes `params`, when its first `bound` arguments are given. False means: ask `inspect`.

    A function's code object answers in a fraction of the time of `inspect`, which is a tenth of a job's process.
    """
    if type(function) is MethodType:
        function, bound = function.__func__, 1
    if type(function) is not FunctionType or vars(
        function
    ):  # an attribute such as __wrapped__ may name other parameters
        return False
    code = function.__code__
    names = code.co_varnames[bound : code.co_argcount]
    required = names[: len(names) - len(function.__defaults__ or ())]
    if code.co_kwonlyargcount:
        return False
    if isinstance(params, list):
        return len(required) <= len(params) <= len(names)
    return not code.co_posonlyargcount and params.keys() >= set(required) and params.keys() <= set(names)


def print_audit() -> None:
    """Read {python_path, allowed: job -> methods} as JSON from standard input; print a list of what cannot be resolved.

    The list is JSON behind a NUL, which parts it from all that the imported modules print.
    """
    question = orjson.loads(sys.stdin.buffer.read())
    sys.path[:0] = question["python_path"]
    problems = []
    for job, methods in question["allowed"].items():
        for method in methods:
            try:
                resolve(job, method)
            except NotAllowedError as error:
                problems.append(str(error))
            except Exception as error:
                problems.append(f"{job}.{method}: importing it raised {type(error).__name__}: {error}")
    sys.stdout.buffer.write(b"\0" + orjson.dumps(problems))
