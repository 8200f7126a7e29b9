"""Starting, stopping and reporting the processes of jobs. `make` chooses how; the rest of the house sees `Executor`."""

from __future__ import annotations

from spoolrunner.executors.base import AttemptKey, Executor, Exited, Report

__all__ = ["AttemptKey", "Executor", "Exited", "Report", "make"]


def make(kind: str, python: str, settings: bytes, root: str, folder: str, tmp: str, report: Report) -> Executor:
    """The executor that the configuration key `executor` names."""
    if kind not in ("auto", "spawn"):
        raise ValueError(f"no executor is called {kind!r}")
    from spoolrunner.executors.spawn import SpawnExecutor

    return SpawnExecutor(python, settings, root, folder, tmp, report)
