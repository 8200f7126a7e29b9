"""A Python that kills itself: `dies_at.py N FILE -P -c PROGRAM …` runs PROGRAM as `python -P -c` would.

A process that it forks and that begins a session of its own, which is one for a job, gets SIGKILL before its N-th file
operation from there on or, if N is 0, before it writes its outcome line. It makes FILE just before.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

OPERATIONS = ("open", "write", "fsync", "replace", "rename", "unlink", "ftruncate")


def arm(at: int, mark: str) -> None:
    """From the next setsid on, count the operations."""
    left: list[int] = []
    real_open, real_setsid = os.open, os.setsid

    def count(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if left:
                left[0] -= 1
                if left[0] == 0 or (at == 0 and _is_outcome(arguments)):
                    os.close(real_open(mark, os.O_CREAT | os.O_WRONLY))
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return counted

    def setsid() -> None:
        real_setsid()
        left[:] = [at]

    for name in OPERATIONS:
        setattr(os, name, count(getattr(os, name)))
    fcntl.flock = count(fcntl.flock)
    os.setsid = setsid


def _is_outcome(arguments: tuple[Any, ...]) -> bool:
    return any(isinstance(value, bytes) and b'"kind":"outcome"' in value for value in arguments)


def main() -> None:
    """Run the program that is given."""
    _, at, mark, _, _, program, *rest = sys.argv
    arm(int(at), mark)
    sys.argv = ["-c", *rest]
    sys.path.pop(0)
    exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
