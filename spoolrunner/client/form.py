"""A form for a job: the fields that its method takes, and what a person typed into them as parameters.

    form = Forms().of(settings, "app.Report", "build")
    enqueue(form.job, form.method, form.params({"year": "2026"}))

Of a callable they are those of its signature, of a command those of its template. User code is imported in a process of its
own, as `check` does, never in ours; what it said is remembered until config.json or the files of the code change.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from spoolrunner.attempt.hooks import PROCESS, TEMPLATE
from spoolrunner.client.asking import ask
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext, whitelist
from spoolrunner.protocol.policy import Policy
from spoolrunner.system import clock

LONGEST = 15.0
"""Seconds for which the process may take; `import_timeout`, where that is shorter."""
REMEMBERED = 10.0
"""Seconds for which it is remembered that a callable could not be looked at."""
_MOST_BYTES = 256 << 10
"""Bytes of an answer; a signature has some hundreds."""
_ASK = "from spoolrunner.attempt.signatures import print_signature; print_signature()"
_BY_WORDS = {"int": "integer", "float": "number", "str": "text", "bool": "boolean"}
_NONE = ("None", "NoneType", "types.NoneType")
_ANYTHING = ("", "Any", "typing.Any", "object")
_FALSE, _TRUE = "false", "true"


class Field(NamedTuple):
    """One parameter. `words` is its type as the code has it, "" where it has none.

    `type` is how the text in the field is read: "text" as it is; "integer", "number", "boolean" (true or false); "json";
    "any" as JSON, or as text where it is none. `default` is what the method takes without it, as JSON text or in words of
    Python.
    """

    name: str
    words: str
    type: str
    required: bool
    default: str = ""


class Form(NamedTuple):
    """The fields of a method, in their order. `summary` is the first line of its documentation.

    `by_position`: some of its parameters have no names for the caller, so all go by position. `takes_more`: it takes others,
    too, which have no field here. `problem` is why the fields could not be found out; then all parameters are one JSON text.
    """

    job: str
    method: str
    fields: list[Field]
    summary: str = ""
    by_position: bool = False
    takes_more: bool = False
    problem: str = ""

    def params(self, given: Mapping[str, str]) -> list[Any] | dict[str, Any]:
        """Return the parameters that the texts in the fields are; a field left empty is left out, unless it is required.

        JobFormatError, under the name of the field, for a text that is none of its type.
        """
        values: dict[str, Any] = {}
        for field in self.fields:
            text = given.get(field.name, "")
            if text or (field.required and field.type == "text"):
                values[field.name] = _value(field, text)
            elif field.required:
                raise JobFormatError(field.name, "is required")
        return self._by_position(values) if self.by_position else values

    def _by_position(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of the fields; one that is left out in the middle is its default."""
        given = [field.name in values for field in self.fields]
        made: list[Any] = []
        for field, is_given in zip(self.fields, given, strict=True):
            if not is_given and not any(given[len(made) :]):
                break
            made.append(values[field.name] if is_given else _default(field))
        return made


class Forms:
    """The forms of a process, which remembers them. Any thread may ask it; one process at a time is started for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}

    def of(self, settings: Config, job: str, method: str) -> Form:
        """Return the form of an entry of allowed_jobs; NotAllowedError when there is none of that name.

        The first time it takes as long as the import of the module, LONGEST at most.
        """
        policy: Policy = whitelist.entry(settings.allowed, job, method)
        if policy.command is not None:
            return _of_command(job, method, policy)
        with self._lock:
            known = self._known.get((job, method))
            if known is None or not known.holds(settings):
                known = self._known[job, method] = _ask(settings, job, method, policy)
            return known.form


class _Known(NamedTuple):
    form: Form
    effective: dict[str, Any]
    files: dict[str, tuple[int, int] | None]
    until: float

    def holds(self, settings: Config) -> bool:
        """Whether neither the configuration nor the code has changed, and it is not too long ago that it failed."""
        is_same = self.effective == _effective(settings)
        return is_same and clock.SYSTEM.monotonic() < self.until and self.files == _stamps(list(self.files))


def _effective(settings: Config) -> dict[str, Any]:
    file = settings.file
    return {
        "python": settings.python_binary,
        "path": settings.python_path,
        "environment": file.environment,
        "inherit": file.inherit_environment,
        "hooks": settings.hooks,
    }


def _stamps(paths: list[str]) -> dict[str, tuple[int, int] | None]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _of_command(job: str, method: str, policy: Policy) -> Form:
    assert policy.command is not None  # noqa: S101 -- it was asked for a command
    types = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
    fields = [
        Field(name, words, types.get(words, "json"), required=required)
        for name, words, required in policy.command.template.parameters()
    ]
    return Form(job, method, fields)


def _ask(settings: Config, job: str, method: str, policy: Policy) -> _Known:
    """Ask a process of its own for the signature."""
    answer = _answer(settings, job, method, policy)
    try:
        form, files = _form(job, method, answer), [str(path) for path in answer.get("files", [])]
    except (KeyError, TypeError, AttributeError):
        form, files = Form(job, method, [], problem="its module has written something else over the answer"), []
    until = clock.SYSTEM.monotonic() + REMEMBERED if form.problem else float("inf")
    return _Known(form, _effective(settings), _stamps(files), until)


def _answer(settings: Config, job: str, method: str, policy: Policy) -> dict[str, Any]:
    template, process, _ = policy.hooks or ("", "", "")
    setup = [[key, name] for key, name in ((TEMPLATE, template), (PROCESS, process)) if name]
    question = {"job": job, "method": method, "setup": setup}
    seconds = min(LONGEST, settings.import_timeout)
    try:
        done = ask(settings, _ASK, question, seconds, subprocess.DEVNULL)
    except OSError as error:
        return {"problem": f"python_binary {settings.python_binary} cannot be used: {error}"}
    except subprocess.TimeoutExpired:
        return {"problem": f"importing it did not end within {seconds:g} s"}
    last = done.stdout[-_MOST_BYTES:].rstrip(b"\n").rpartition(b"\n")[2]
    try:
        found: dict[str, Any] = dict(json.loads(last))
    except (ValueError, TypeError):
        return {"problem": f"importing it ended the process with status {done.returncode}"}
    return found


def _form(job: str, method: str, answer: dict[str, Any]) -> Form:
    if "problem" in answer:
        return Form(job, method, [], problem=str(answer["problem"]))
    fields, takes_more, by_position = [], False, False
    for one in answer["parameters"]:
        kind, default = str(one["kind"]), one.get("default")
        if kind.startswith("VAR_"):
            takes_more = True
            continue
        by_position |= kind == "POSITIONAL_ONLY"
        words, required = str(one["words"]), bool(one["required"])
        shown = str(one.get("shown", "")) if default is None else str(default)
        fields.append(Field(str(one["name"]), words, type_of(words, default), required, shown))
    return Form(job, method, fields, str(answer["summary"]), by_position, takes_more)


def _default(field: Field) -> Any:
    try:
        return jsontext.decode_value(field.default, field.name)
    except JobFormatError:
        raise JobFormatError(field.name, "is needed, since fields behind it are filled in") from None


def type_of(words: str, default: str | None = None) -> str:
    """Return how the text for a parameter is read whose annotation has these words and which has that default, as JSON text."""
    inside = re.fullmatch(r"(?:typing\.)?Optional\[(.*)\]", words)
    named = [part for part in map(str.strip, (inside[1] if inside else words).split("|")) if part not in _NONE]
    if len(named) == 1 and named[0] in _BY_WORDS:
        return _BY_WORDS[named[0]]
    if words in _ANYTHING or "str" in named:
        return "boolean" if default in (_FALSE, _TRUE) and not words else "any"
    return "json"


def _value(field: Field, text: str) -> Any:
    if field.type == "text":
        return text
    if field.type == "boolean":
        if text not in (_TRUE, _FALSE):
            raise JobFormatError(field.name, f"{text!r} is neither {_TRUE} nor {_FALSE}")
        return text == _TRUE
    try:
        value = jsontext.decode_value(text, field.name)
    except JobFormatError:
        if field.type == "any":
            return text
        raise
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if (field.type == "integer" and type(value) is not int) or (field.type == "number" and not is_number):
        raise JobFormatError(field.name, f"{text!r} is no {'whole ' if field.type == 'integer' else ''}number")
    return value
