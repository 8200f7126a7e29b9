"""The whitelist: which callables a job file may name.

The strings of a job file are only compared with the keys of the operator's table. Light: every job's process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spoolrunner.errors import NotAllowedError, nearest

Table = Mapping[str, Mapping[str, Any]]
"""job -> method -> its policy."""


def entry(table: Table, job: object, method: object) -> Any:
    """Return what the table has for exactly this job and method; NotAllowedError when it has nothing."""
    methods = table.get(job) if isinstance(job, str) else None
    if methods is None:
        raise NotAllowedError(f"job {job!r} is not in allowed_jobs{nearest(job, table)}")
    if not isinstance(method, str) or method not in methods:
        raise NotAllowedError(
            f"method {method!r} is not listed under {job!r} in allowed_jobs{nearest(method, methods)}"
        )
    return methods[method]
