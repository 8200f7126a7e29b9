"""What a call returned: whether it has run at all, and its JSON text. A value may be of any shape, and lie about itself.

A value is asked for nothing where its type can be, and no method of its own is called but those by which the standard library
would write it as JSON. Light: every job's process imports it, since a job that gave up its root could import nothing later.
"""

from __future__ import annotations

import sys
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
)

from spoolrunner.spool.lock_lines import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

MAX_RESULT_BYTES = 64 << 10
"""Bytes of a return value as JSON."""
MAX_LEVELS = 63
"""Levels of a return value: a document has 64, and is one of them."""
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_CO_ITERABLE_COROUTINE = 0x100
_UNCALLED = (FunctionType, MethodType, BuiltinFunctionType)
_LAZY = (map, filter, zip, enumerate)

type_name: Callable[[type], str] = type.__dict__["__name__"].__get__
"""The name of a type, whatever its metaclass says."""
_MRO = type.__dict__["__mro__"].__get__
_DICT = type.__dict__["__dict__"].__get__
_MODULE = type.__dict__["__module__"].__get__


class NotKeptError(Exception):
    """A value that cannot be kept: why."""


class NotRunError(Exception):
    """A value that is work which nobody has done: what it is, and what to do instead."""


def is_awaitable(value: object) -> bool:
    """Return whether `await` takes the value."""
    kind = type(value)
    if kind is GeneratorType:
        return bool(value.gi_code.co_flags & _CO_ITERABLE_COROUTINE)  # type: ignore[attr-defined]
    return _defined(kind, "__await__") is not None


def not_run(value: object) -> str:
    """Return why the value is work that was not done, and what to do instead; "" when it is nothing of that kind."""
    kind = type(value)
    if kind is GeneratorType and not is_awaitable(value):
        return "" if value.gi_frame is None else _said("a generator", "a loop over it, or list(…)")  # type: ignore[attr-defined]
    if kind is AsyncGeneratorType:
        is_over = value.ag_frame is None and not value.ag_running  # type: ignore[attr-defined]
        return "" if is_over else _said("an asynchronous generator", "async for")
    if kind is CoroutineType or is_awaitable(value):
        is_over = kind is CoroutineType and value.cr_frame is None  # type: ignore[attr-defined]
        return "" if is_over else _said("a coroutine or another awaitable", "await")
    if kind in _LAZY or _MODULE(kind) == "itertools":
        return _said(f"an iterator ({type_name(kind)})", "a loop over it, or list(…)")
    if kind in _UNCALLED or _is_of(kind, "functools", "partial"):
        return _said(f"a function ({type_name(kind)})", "a call")
    if _is_of(kind, "contextlib", "_GeneratorContextManagerBase"):
        return _said("a context manager", "with")
    if _is_of(kind, "concurrent.futures._base", "Future") and not value.done():  # type: ignore[attr-defined]
        return _said("a future", ".result()")
    return ""


def _said(what: str, remedy: str) -> str:
    return f"the call returned {what} that has not run: it needs {remedy} in the job itself"


def _is_of(kind: type, module: str, name: str) -> bool:
    """Return whether it is that class or one derived from it; without an import: where the module is not loaded it is not."""
    there = sys.modules.get(module)
    wanted = getattr(there, name, None) if there is not None else None
    return type(wanted) is type and any(base is wanted for base in _MRO(kind))


def json_text(value: object, before_foreign: Callable[[], None]) -> str:
    """Return the value as JSON; NotKeptError says why not, NotRunError what in it has not run.

    `before_foreign` is called before a method of the value's own class is: that may hang, or end the process.
    """
    writer = _Writer(before_foreign)
    writer.write(value, 1)
    return "".join(writer.parts)


class _Writer:
    """Collects the text of a value in pieces, and stops when there are too many bytes of it."""

    __slots__ = ("_before_foreign", "_room", "parts")

    def __init__(self, before_foreign: Callable[[], None]) -> None:
        self.parts: list[str] = []
        self._room = MAX_RESULT_BYTES
        self._before_foreign = before_foreign

    def write(self, value: Any, level: int) -> None:
        """Add the text of a value that stands at that level."""
        kind = type(value)
        if issubclass(kind, (list, tuple)):
            self._write_items(value, kind, level)
        elif issubclass(kind, dict):
            self._write_pairs(value, kind, level)
        else:
            text = _text_of(value, kind)
            if text is None:
                raise NotRunError(not_run(value)) if not_run(value) else NotKeptError(_no_json(kind))
            self._add(text)

    def _add(self, text: str) -> None:
        self._room -= len(text) if text.isascii() else len(text.encode())
        if self._room < 0:
            raise NotKeptError(f"more than {MAX_RESULT_BYTES} bytes of JSON")
        self.parts.append(text)

    def _write_items(self, value: Any, kind: type, level: int) -> None:
        _check_level(level)
        base = list if issubclass(kind, list) else tuple
        comma = "["
        for item in self._asked(value, kind, base, "__iter__"):
            self._add(comma)
            self.write(item, level + 1)
            comma = ", "
        self._add("[]" if comma == "[" else "]")

    def _write_pairs(self, value: Any, kind: type, level: int) -> None:
        _check_level(level)
        comma = "{"
        for key, item in self._asked(value, kind, dict, "items"):
            self._add(f"{comma}{_key(key)}: ")
            self.write(item, level + 1)
            comma = ", "
        self._add("{}" if comma == "{" else "}")

    def _asked(self, value: Any, kind: type, base: type, name: str) -> Iterable[Any]:
        """What the value's method of that name gives: by the method of `base`, unless its class has another."""
        method = _defined(kind, name)
        own = _DICT(base)[name]
        if method is None or method is own:
            found: Iterable[Any] = own(value)
            return found
        if _MODULE(kind) != "collections":
            self._before_foreign()
        theirs: Iterable[Any] = getattr(value, name)()
        return theirs


def _check_level(level: int) -> None:
    if level > MAX_LEVELS:
        raise NotKeptError(f"nested deeper than {MAX_LEVELS + 1} levels")


def _text_of(value: Any, kind: type) -> str | None:
    """Return the text of a value that is no list and no dict; None when JSON has none for it."""
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if issubclass(kind, str):
        return _string(str.__str__(value))
    if issubclass(kind, int):
        number = int.__index__(value)
        if not _INT_MIN <= number <= _INT_MAX:
            raise NotKeptError("an integer beyond 64 bits would not survive; return it as a string")
        return int.__repr__(number)
    if issubclass(kind, float):
        text = float.__repr__(value)
        if text in ("nan", "inf", "-inf"):
            raise NotKeptError(f"Out of range float values are not JSON compliant: {text}")
        return text
    return None


def _string(text: str) -> str:
    if len(text) > MAX_RESULT_BYTES:
        raise NotKeptError(f"more than {MAX_RESULT_BYTES} bytes of JSON")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotKeptError(str(error)) from None
    return quoted(text)


def _key(key: Any) -> str:
    """Return a key as the standard library writes it: numbers, true, false and null become strings."""
    kind = type(key)
    text = _text_of(key, kind)
    if text is None and key is not None:
        raise NotKeptError(f"keys must be str, int, float, bool or None, not {type_name(kind)}")
    return str(text) if issubclass(kind, str) else f'"{text}"'


def _no_json(kind: type) -> str:
    return f"Object of type {type_name(kind)} is not JSON serializable"


def _defined(kind: type, name: str) -> Any:
    """Return what the class or the nearest of its bases defines by that name; None when there is nothing."""
    for base in _MRO(kind):
        found = _DICT(base).get(name)
        if found is not None:
            return found
    return None
