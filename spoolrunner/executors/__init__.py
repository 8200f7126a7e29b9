"""Starting, stopping and reporting the processes of jobs. `make` chooses how; the rest of the house sees `Executor`."""

from __future__ import annotations

import sys

from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Executor, Exited, Plan, Report

__all__ = ["AttemptKey", "Executor", "Exited", "Plan", "Report", "make"]


def make(plan: Plan, report: Report) -> Executor:
    """The executor that the configuration key `executor` names; "auto" is fork on Linux and spawn elsewhere.

    Not on macOS: its system frameworks do not survive a fork without exec.
    """
    kind = plan.kind
    if kind == "auto":
        kind = "fork" if sys.platform == "linux" else "spawn"
    if kind == "fork":
        if sys.platform == "win32":
            raise StartError('executor "fork" does not exist on Windows; use "spawn" or "auto"')
        from spoolrunner.executors.fork import ForkExecutor

        return ForkExecutor(plan, report)
    from spoolrunner.executors.spawn import SpawnExecutor

    return SpawnExecutor(plan, report)
