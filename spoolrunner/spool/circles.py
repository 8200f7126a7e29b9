"""Jobs that wait for each other in a circle, so that none of them can ever start."""

from __future__ import annotations

from collections.abc import Mapping

from spoolrunner.spool.folders import Spool
from spoolrunner.spool.named import names_of

_MOST_FOLLOWED = 100_000
"""Waiting jobs that are read at most in the search for a circle."""


def find(spool: Spool, job_id: str, wanted: list[str], batch: Mapping[str, list[str]] | None = None) -> list[str]:
    """Return the way from a job back to itself, by what each one on it waits for; empty when there is none."""
    batch = batch or {}
    came: dict[str, str] = dict.fromkeys(wanted, job_id)
    left = list(came)
    while left and len(came) < _MOST_FOLLOWED:
        at = left.pop()
        for name in batch[at] if at in batch else names_of(spool, at):
            if name == job_id:
                return _way(came, job_id, at)
            if name not in came:
                came[name] = at
                left.append(name)
    return []


def _way(came: Mapping[str, str], start: str, end: str) -> list[str]:
    way = [start, end]
    while (end := came[end]) != start:
        way.insert(1, end)
    return [*way, start]
