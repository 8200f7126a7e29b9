"""Check an object from outside against a msgspec type, and name every fault by its key.

msgspec stops at the first fault, and its messages are made for people: where a fault lies is worked out here, never read
from their text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from spoolrunner.errors import nearest

MOST_NAMED = 20
"""Faults of one kind that are named: a document may hold 100,000 unknown keys, and the search for similar words is slow."""
LONGEST_NAME = 200
"""Characters of a key that are shown."""


class Fault(NamedTuple):
    """One fault: `key` is the path to it (`allowed_jobs.app.Report`), `problem` says what is there and what is needed."""

    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class _Part(NamedTuple):
    """A value inside another: where it lies in it (`[3]`, `.name`), the value, and the type it must have."""

    place: str
    value: Any
    kind: Any


@cache
def fields_of(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a type. msgspec evaluates every annotation anew at each call, which takes half a millisecond."""
    return msgspec.structs.fields(shape)


def faults(raw: Mapping[str, Any], shape: type[msgspec.Struct]) -> list[Fault]:
    """All faults of `raw` by the type `shape`: unknown keys, missing keys, wrong values; empty when there are none."""
    fields = {field.encode_name: field for field in fields_of(shape)}
    unknown = [key for key in raw if key not in fields]
    found = [Fault(_short(key), f"unknown key{nearest(_short(key), fields)}") for key in unknown[:MOST_NAMED]]
    if len(unknown) > MOST_NAMED:
        found.append(Fault("", f"and {len(unknown) - MOST_NAMED} more unknown keys"))
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                found.append(Fault(name, "missing; it is required"))
            continue
        inside = list(islice(_faults_of(raw[name], field.type, name), MOST_NAMED + 1))
        found += inside[:MOST_NAMED]
        if len(inside) > MOST_NAMED:
            found.append(Fault(name, f"has more than {MOST_NAMED} faults"))
    return found


def _faults_of(value: Any, kind: Any, key: str) -> Iterator[Fault]:
    """The faults of a value that lies at `key`: those of its parts or, when each part is right, its own."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        inside = _inside(value, kind, key)
        first = next(inside, None)
        if first is None:
            problem = str(error)
            yield Fault(key, problem[:1].lower() + problem[1:])
            return
        yield first
        yield from inside


def _inside(value: Any, kind: Any, key: str) -> Iterator[Fault]:
    """The faults of the parts of a value: of an object those that `faults` names, of others those of each part."""
    shape = _shape(kind) if isinstance(value, dict) else None
    if shape is not None:
        for fault in faults(value, shape):
            yield Fault(f"{key}.{fault.key}" if fault.key else key, fault.problem)
        return
    for part in _parts(value, kind):
        yield from _faults_of(part.value, part.kind, key + part.place)


def _shape(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that an object must be by `kind`; None when it may be any object."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _shape(arguments[0])
    if origin in (Union, UnionType):
        return next((shape for member in arguments if (shape := _shape(member)) is not None), None)
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _parts(value: Any, kind: Any) -> Iterator[_Part]:
    """The values directly inside `value`, by what `kind` says of lists and dicts; none for any other type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _parts(value, arguments[0])
    elif origin in (Union, UnionType):
        for member in arguments:
            yield from _parts(value, member)
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield _Part(f"[{index}]", item, arguments[0])
    elif origin is dict and isinstance(value, dict):
        for item in value.values():
            yield _Part("[...]", item, arguments[1])


def _short(key: str) -> str:
    return key if len(key) <= LONGEST_NAME else key[:LONGEST_NAME] + "…"
