"""Checking an object from outside against a msgspec type, naming every fault by its key.

msgspec stops at the first fault and does not know what a mistyped key was meant to be; people deserve all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from spoolrunner.errors import nearest

MOST_NAMED = 20
"""Unknown keys that are named: a document may hold 100,000, and looking for the word that each was meant to be takes long."""
LONGEST_NAME = 200
"""Characters of a key that are told."""


class Fault(NamedTuple):
    """One thing wrong: `key` is its path (`allowed_jobs.app.Report`), `problem` says what is and what is needed."""

    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


@cache
def fields_of(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a type. msgspec evaluates every annotation anew at each call, which takes half a millisecond."""
    return msgspec.structs.fields(shape)


def faults(raw: Mapping[str, Any], shape: type[msgspec.Struct]) -> list[Fault]:
    """Everything in `raw` that `shape` does not take: unknown keys, missing keys, values of the wrong kind."""
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
        try:
            msgspec.convert(raw[name], field.type)
        except msgspec.ValidationError as error:
            problem, _, path = str(error).partition(" - at `$")
            found.append(Fault(name + path.rstrip("`"), problem[:1].lower() + problem[1:]))
    return found


def _short(key: str) -> str:
    return key if len(key) <= LONGEST_NAME else key[:LONGEST_NAME] + "…"
