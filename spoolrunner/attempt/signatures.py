"""The signature of one callable, found out in a process of its own: a form for its parameters is made of it.

User code is imported here, as a job's process would; nothing of the operator's callable is called.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from typing import Any

from spoolrunner.attempt import hooks
from spoolrunner.attempt.answering import Say, answer
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.callables import resolve

MOST_WORDS = 200
"""Characters of an annotation, a default or a summary that are passed on."""


def print_signature() -> None:
    """Read {python_path, job, method, setup} as JSON from standard input; print what is found as a line of JSON.

    `setup` are the functions that a job's process calls before it imports its module. The answer has `parameters`, each with
    name, kind, words (its annotation), required, and default (as JSON text) or shown (any other one, in words); then `summary`
    and `files`, whose change makes it old. Or it has `problem`. What modules print is thrown away.
    """
    answer(_sign, lead=b"\n")  # a module may have written there, too


def _sign(question: dict[str, Any], say: Say) -> None:
    try:
        found = _found(question)
    except BaseException as error:
        found = {"problem": f"importing it raised {type(error).__name__}: {str(error)[:MOST_WORDS]}"}
    say(found)


def _found(question: dict[str, Any]) -> dict[str, Any]:
    for key, name in question["setup"]:
        hooks.call_once(key, name)
    callee = resolve(question["job"], question["method"])
    parameters = list(_signature(callee).parameters.values())
    if callee.owner is not None and hasattr(type(callee.function), "__get__"):
        parameters = parameters[1:]  # the instance
    summary = (inspect.getdoc(callee.function) or "").partition("\n")[0]
    return {"parameters": [_told(one) for one in parameters], "summary": summary[:MOST_WORDS], "files": _files(callee)}


def _signature(callee: Callee) -> inspect.Signature:
    """The parameters as they are given; those of what is wrapped, where a wrapper takes any."""
    own = inspect.signature(callee.function, follow_wrapped=False)
    takes_any = {one.kind for one in own.parameters.values()} <= {
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    }
    return inspect.signature(callee.function) if takes_any else own


def _told(parameter: inspect.Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": parameter.name,
        "kind": parameter.kind.name,
        "words": _annotation(parameter.annotation)[:MOST_WORDS],
        "required": parameter.default is parameter.empty,
    }
    if not told["required"]:
        try:
            told["default"] = json.dumps(parameter.default, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            told["shown"] = repr(parameter.default)[:MOST_WORDS]
    return told


def _annotation(annotation: object) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _files(callee: Callee) -> list[str]:
    """The files in which the function and its class are."""
    names = {getattr(found, "__module__", None) for found in (callee.function, callee.owner)}
    modules = [sys.modules.get(name) for name in names if isinstance(name, str)]
    paths = {path for module in modules if isinstance(path := getattr(module, "__file__", None), str)}
    return sorted(map(os.path.abspath, paths))
