"""Templates of commands: the words of a program with places for the parameters of a job. Touches no disk.

    Template(["convert", "{source}", ["-resize", "{width}x"], "{target}"], {"width": "integer"}).fill({"source": "a.png", …})

A value stays inside its word, whatever it holds, and nothing here knows of a shell. A word is a text with `{name}` in it; `{{`
and `}}` are braces. A list of words is left out when a parameter that it names is missing. A list of values makes its word
come once for each of them. A boolean chooses the list in which it stands as a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spoolrunner.errors import JobFormatError, nearest
from spoolrunner.protocol.faults import LONGEST_NAME, MOST_NAMED, Fault

TYPES = ("string", "integer", "number", "boolean", "strings", "integers", "numbers")
"""The types of parameters; those in the plural are lists."""
_SINGULAR = {"strings": "string", "integers": "integer", "numbers": "number"}
_A = {"string": "a string", "integer": "an integer", "number": "a number", "boolean": "true or false"}
_PYTHONS = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
_PIECES = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]|[^{}]+")
_DASH = "-"


class _Name(str):
    """The place of a parameter in a word."""

    __slots__ = ()


_Word = tuple[str, ...]
"""A word as its pieces: texts, and the names of parameters."""


class _Option(NamedTuple):
    """Words that are left out together."""

    words: tuple[_Word, ...]


class Template:
    """The words of a command. `types` are those of its parameters, "string" for one that is not named there.

    `allow_options` names the parameters whose values may begin with `-`, as options do. What is given has no faults (`faults`).
    """

    __slots__ = ("_allowed", "_parts", "_required", "_types")

    def __init__(
        self, argv: Sequence[Any], types: Mapping[str, str] | None = None, allow_options: Sequence[str] = ()
    ) -> None:
        self._parts = [
            _Option(tuple(map(_pieces, part))) if isinstance(part, (list, tuple)) else _pieces(part) for part in argv
        ]
        names = [name for part in self._parts for name in _names_of(part)]
        self._types = {name: (types or {}).get(name, "string") for name in names}
        self._allowed = frozenset(allow_options)
        self._required = {name for part in self._parts if not isinstance(part, _Option) for name in _names_of(part)}

    @property
    def types(self) -> dict[str, str]:
        """The parameters that the command takes, each with its type."""
        return self._types

    @property
    def required(self) -> set[str]:
        """Those of its parameters that must be given."""
        return self._required

    @property
    def program(self) -> str:
        """The name or path of the program: no parameter has a part in it."""
        first = self._parts[0]
        assert not isinstance(first, _Option)  # noqa: S101 -- `faults` refuses it
        return "".join(first)

    def parameters(self) -> list[tuple[str, str, bool]]:
        """Return each parameter: its name, its type, and whether it is required."""
        return [(name, kind, name in self._required) for name, kind in self._types.items()]

    def fill(self, params: object) -> list[str]:
        """Return the words of the command for the parameters of a job, an object; JobFormatError names all that is wrong."""
        given = {} if params == [] else params
        if not isinstance(given, Mapping):
            raise JobFormatError("params", "must be an object: a command takes its parameters by name")
        values = {name: value for name, value in given.items() if value is not None}
        found = self._problems(values)
        if not found:
            words = [word for part in self._parts for word in self._filled(part, values)]
            found = self._disguised(values)
        if found:
            raise JobFormatError("params", "; ".join(found))
        return words

    def _problems(self, values: Mapping[str, Any]) -> list[str]:
        found = []
        for name in self._types:
            if name in values:
                found += [f"{name}: {problem}" for problem in self._problems_of(name, values[name])]
            elif name in self._required:
                found.append(f"{name}: missing; it is required")
        unknown = [_cut(name) for name in values if name not in self._types]
        found += [f"{name}: unknown parameter{nearest(name, self._types)}" for name in unknown[:MOST_NAMED]]
        return found + ([f"and {len(unknown) - MOST_NAMED} more unknown parameters"] if unknown[MOST_NAMED:] else [])

    def _problems_of(self, name: str, value: Any) -> list[str]:
        kind = self._types[name]
        if kind in _SINGULAR:
            if not isinstance(value, (list, tuple)):
                return [f"must be a list of {kind}"]
            those = [self._problem_of_one(name, _SINGULAR[kind], item) for item in value]
            return list(dict.fromkeys(filter(None, those)))[:MOST_NAMED]
        return list(filter(None, [self._problem_of_one(name, kind, value)]))

    def _problem_of_one(self, name: str, kind: str, value: Any) -> str:
        if not isinstance(value, _PYTHONS[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return f"must be {_A[kind]}, not {_shown(value)}"
        text = _text(value)
        if "\0" in text:
            return "holds a NUL, which no argument of a program may"
        if text.startswith(_DASH) and name not in self._allowed:
            return f"{_shown(value)} begins with -, so the program could take it for an option; the command does not allow that"
        return ""

    def _disguised(self, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with words that would begin with a - from their middle: `{a}-b` with an empty a."""
        words = [word for part in self._parts for word in (part.words if isinstance(part, _Option) else (part,))]
        return [
            f"{word[0]}: is empty, so that the word would begin with -, as an option does"
            for word in words
            if word
            and isinstance(word[0], _Name)
            and word[0] not in self._allowed
            and any(made.startswith(_DASH) for made in self._made(_up_to_text(word), values))
        ]

    def _filled(self, part: _Option | _Word, values: Mapping[str, Any]) -> list[str]:
        if not isinstance(part, _Option):
            return self._made(part, values)
        if any(_is_missing(values.get(name)) for name in _names_of(part)):
            return []
        return [made for word in part.words for made in self._made(word, values)]

    def _made(self, word: _Word, values: Mapping[str, Any]) -> list[str]:
        """The word once, once for each value of a list, or never where it is only what a boolean chooses by."""
        names = [piece for piece in word if isinstance(piece, _Name)]
        if any(name not in values for name in names):
            return []
        kinds = {name: self._types[name] for name in names}
        if "boolean" in kinds.values():
            return []
        several = next((name for name, kind in kinds.items() if kind in _SINGULAR), None)
        rows = [values] if several is None else [{**values, several: item} for item in values[several]]
        return ["".join(_text(row[piece]) if isinstance(piece, _Name) else piece for piece in word) for row in rows]


class Command(NamedTuple):
    """A job that is a program. `result`: what becomes of its standard output, "text", "json" or "none".

    `sandbox`: absolute paths that it may read, those that it may read and write, and whether it has the network; None without.
    """

    template: Template
    result: str = "none"
    sandbox: tuple[list[str], list[str], bool] | None = None


def faults(argv: object, types: object = None, allow_options: object = ()) -> list[Fault]:
    """Return all that is wrong with the keys `argv`, `types` and `allow_options` of a policy, each under its key."""
    if not isinstance(argv, list) or not argv:
        return [Fault("argv", 'must be a list of words, the program first: ["convert", "{source}", "{target}"]')]
    if not isinstance(argv[0], str) or not argv[0] or _names(argv[0]):
        found = [Fault("argv[0]", "must be the name or the path of a program, without a parameter in it")]
    else:
        found = _of_word("argv[0]", argv[0])
    found += [fault for index, part in enumerate(argv[1:], 1) for fault in _of_part(f"argv[{index}]", part)]
    named = types if isinstance(types, dict) else {}
    if types is not None and not isinstance(types, dict):
        found.append(Fault("types", 'must be an object: parameter -> type, as in {"width": "integer"}'))
    allowed = allow_options if isinstance(allow_options, (list, tuple)) else ()
    if not (allow_options is None or (allowed is allow_options and all(isinstance(name, str) for name in allowed))):
        found.append(Fault("allow_options", "must be a list of names of parameters"))
    found += [
        Fault(f"types.{name}", f"{kind!r} is none; there are {', '.join(TYPES)}{nearest(kind, TYPES)}")
        for name, kind in named.items()
        if kind not in TYPES
    ]
    if found:
        return found
    names = {name for part in argv for word in ([part] if isinstance(part, str) else part) for name in _names(word)}
    found += [
        Fault(key, f"argv has no {{{name}}}{nearest(name, names)}")
        for key, name in [*[(f"types.{name}", name) for name in named], *[("allow_options", name) for name in allowed]]
        if name not in names
    ]
    return found + [fault for index, part in enumerate(argv) for fault in _of_kinds(f"argv[{index}]", part, named)]


def _of_part(key: str, part: Any) -> list[Fault]:
    if isinstance(part, str):
        return _of_word(key, part)
    if not isinstance(part, list):
        return [Fault(key, "must be a word, or a list of words that is left out when a parameter in it is missing")]
    if not all(isinstance(word, str) for word in part):
        return [Fault(key, "must be a list of words; a list inside it may hold no other")]
    found = [fault for word in part for fault in _of_word(key, word)]
    if not found and not any(_names(word) for word in part):
        return [
            Fault(key, "names no parameter, so that nothing says when it is left out: write its words without a list")
        ]
    return found


def _of_word(key: str, word: str) -> list[Fault]:
    if "\0" in word:
        return [Fault(key, "holds a NUL, which no argument of a program may")]
    if any(match[0] in ("{", "}") for match in _PIECES.finditer(word)):
        return [Fault(key, f"{word!r} has a brace that belongs to no {{name}}; write {{{{ or }}}} for the character")]
    return []


def _of_kinds(key: str, part: Any, types: Mapping[str, str]) -> list[Fault]:
    """Return what is wrong with the places of booleans and of lists."""
    found = []
    for word in [part] if isinstance(part, str) else part:
        names = _names(word)
        for name in names:
            if types.get(name) == "boolean" and (isinstance(part, str) or word != f"{{{name}}}"):
                problem = f'{name} is a boolean, which has no text: it chooses a list, as in ["--force", "{{{name}}}"]'
                found.append(Fault(key, problem))
        if len([name for name in names if types.get(name) in _SINGULAR]) > 1:
            found.append(Fault(key, f"{word!r} has two lists, and comes once for each value of one"))
    return found


def _pieces(word: str) -> _Word:
    return tuple(
        _Name(match[1]) if match[1] else match[0][:1] if match[0] in ("{{", "}}") else match[0]
        for match in _PIECES.finditer(word)
    )


def _names(word: str) -> list[str]:
    return [match[1] for match in _PIECES.finditer(word) if match[1]]


def _names_of(part: _Option | _Word) -> list[str]:
    words = part.words if isinstance(part, _Option) else (part,)
    return [str(piece) for word in words for piece in word if isinstance(piece, _Name)]


def _up_to_text(word: _Word) -> _Word:
    """The word up to its first text."""
    length = next((index for index, piece in enumerate(word) if not isinstance(piece, _Name)), -1)
    return word[: length + 1]


def _is_missing(value: object) -> bool:
    """Whether the list of words that names it is left out."""
    return value is None or value is False or (isinstance(value, (list, tuple)) and not value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _shown(value: Any) -> str:
    return _cut(repr(value), 60)


def _cut(text: str, most: int = LONGEST_NAME) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
