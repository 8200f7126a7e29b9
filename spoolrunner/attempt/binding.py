"""How the parameters of a job fit its callable, and the call itself. Light: every job's process imports it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, NamedTuple


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


def _clearly_fit(params: list[Any] | dict[str, Any], function: Callable[..., Any], bound: int) -> bool:
    """Return whether a plain function takes `params`, when its first `bound` arguments are given. False means: ask `inspect`.

    A function's code object answers in a fraction of the time of `inspect`, which is a tenth of a job's process.
    """
    if type(function) is MethodType:
        function, bound = function.__func__, 1
    if type(function) is not FunctionType or vars(function):  # __wrapped__, for one, may name other parameters
        return False
    code = function.__code__
    names = code.co_varnames[bound : code.co_argcount]
    required = names[: len(names) - len(function.__defaults__ or ())]
    if code.co_kwonlyargcount:
        return False
    if isinstance(params, list):
        return len(required) <= len(params) <= len(names)
    return not code.co_posonlyargcount and params.keys() >= set(required) and params.keys() <= set(names)
