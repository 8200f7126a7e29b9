"""The audit of the operator's table, in a process of its own: `spoolrunner check` asks what of it cannot be called."""

from __future__ import annotations

import json
import os
import sys

from spoolrunner.attempt.callables import resolve
from spoolrunner.errors import NotAllowedError


def print_audit() -> None:
    """Read {python_path, allowed: job -> methods} as JSON from standard input; print what of it cannot be resolved, and why.

    Each answer is a line of JSON: [job, method], before it is looked at, then [job, method, problem or null]. A module may end
    the process: then the last line names it. What modules print goes to standard error.
    """
    question = json.loads(sys.stdin.buffer.read())
    sys.path[:0] = question["python_path"]
    answers, ours = os.dup(1), os.getpid()
    os.dup2(2, 1)
    status = 1
    try:
        for job, methods in question["allowed"].items():
            for method in methods:
                _say(answers, [job, method])
                problem = _problem(job, method)
                if os.getpid() != ours:
                    return  # the module forked
                _say(answers, [job, method, problem])
        status = 0
    finally:
        os._exit(status)  # a thread that a module started would keep us


def _problem(job: str, method: str) -> str | None:
    try:
        problem = resolve(job, method).owner_problem()
    except NotAllowedError as error:
        return str(error)
    except SystemExit as error:
        return (
            f"{job}.{method}: importing it exits: its module must run nothing when it is imported (status {error.code})"
        )
    except BaseException as error:
        return f"{job}.{method}: importing it raised {type(error).__name__}: {error}"
    return f"{job}.{method}: {problem}" if problem else None


def _say(descriptor: int, answer: list[str | None]) -> None:
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
