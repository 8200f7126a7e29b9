"""The audit of the operator's table, in a process of its own: `spoolrunner check` asks what of it cannot be called."""

from __future__ import annotations

import json
import sys

from spoolrunner.attempt.callables import resolve
from spoolrunner.errors import NotAllowedError


def print_audit() -> None:
    """Read {python_path, allowed: job -> methods} as JSON from standard input; print a list of what cannot be resolved.

    The list is JSON behind a NUL, which parts it from all that the imported modules print.
    """
    question = json.loads(sys.stdin.buffer.read())
    sys.path[:0] = question["python_path"]
    problems = []
    for job, methods in question["allowed"].items():
        for method in methods:
            try:
                problem = resolve(job, method).owner_problem()
                problems += [f"{job}.{method}: {problem}"] if problem else []
            except NotAllowedError as error:
                problems.append(str(error))
            except Exception as error:
                problems.append(f"{job}.{method}: importing it raised {type(error).__name__}: {error}")
    sys.stdout.buffer.write(b"\0" + json.dumps(problems).encode())
