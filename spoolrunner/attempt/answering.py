"""A program that imports what the operator names, and answers a question about it: `check` and the form of the page ask so.

The question comes as JSON by standard input, each answer goes back as a line of JSON by what standard output was.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

Say = Callable[[Any], None]
"""Sends one answer; in a process that a module has forked, it is the end of that."""


def answer(give: Callable[[dict[str, Any], Say], None], lead: bytes = b"") -> NoReturn:
    """Let `give` answer the question of standard input, then end: with 0 when it returned, with 1 when it raised.

    `lead` stands before each answer. Modules are looked for in the `python_path` of the question first. What they print goes
    to standard error. It ends at once, since a thread that a module started would keep it.
    """
    question = json.loads(sys.stdin.buffer.read())
    sys.path[:0] = question["python_path"]
    answers, ours = os.dup(1), os.getpid()
    os.dup2(2, 1)
    status = 1

    def say(value: Any) -> None:
        if os.getpid() != ours:
            os._exit(1)
        data = lead + json.dumps(value).encode() + b"\n"
        while data:
            data = data[os.write(answers, data) :]

    try:
        give(question, say)
        status = 0
    finally:
        os._exit(status)
