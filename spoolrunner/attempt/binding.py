"""How the parameters of a job fit its callable, and the call itself. Light: every job's process imports it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Callee:
    """The function that an entry of the table names. `owner` is the class to be made first, for a method of an instance."""

    __slots__ = ("function", "name", "owner")

    def __init__(self, name: str, function: Callable[..., Any], owner: type | None) -> None:
        self.name = name
        self.function = function
        self.owner = owner

    def call(self, params: list[Any] | dict[str, Any]) -> Any:
        """Make the instance if one is needed, call the function, and return its result; its errors pass through."""
        function = self.function if self.owner is None else self.bound()
        return function(**params) if type(params) is dict else function(*params)

    def bound(self) -> Callable[..., Any]:
        """Make the instance, and return its method."""
        assert self.owner is not None  # noqa: S101 -- what has no owner is called as it is
        found: Callable[..., Any] = getattr(self.owner(), self.name)
        return found

    def refusal(self, error: TypeError, params: list[Any] | dict[str, Any]) -> str | None:
        """Return why `params` do not fit, if the call never began for that; None when the error came out of the call.

        Python raises it before the function's first line. So the call itself is the test, and the fit is looked at only after
        an error: that costs a job which runs nothing, and is right for whatever a decorator made of a function.
        """
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or trace.tb_frame.f_code not in (Callee.call.__code__, Callee.bound.__code__):
            return None
        return self.owner_problem() or self.problem(params)

    def owner_problem(self) -> str | None:
        """Return why the class of an instance's method cannot be made, as it must be, without arguments; None when it can."""
        if self.owner is None:
            return None
        problem = Callee(self.owner.__name__, self.owner, None).problem([])
        return f"{self.owner.__qualname__}: the class must be made without arguments: {problem}" if problem else None

    def problem(self, params: list[Any] | dict[str, Any]) -> str | None:
        """Return why the function cannot be called with `params` (array by position, object by name), or None when it can."""
        import inspect  # a tenth of a job's process, paid after an error only

        # Something that is no descriptor, such as a partial in a class, does not get the instance.
        is_bound = self.owner is not None and hasattr(type(self.function), "__get__")
        try:
            parameters = inspect.signature(self.function, follow_wrapped=False)
        except (TypeError, ValueError):
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
