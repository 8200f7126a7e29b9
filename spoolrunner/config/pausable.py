"""What can be paused by itself: each allowed method, as JOB.METHOD, and each group. Knows the names, and does not pause."""

from __future__ import annotations

from spoolrunner.config.load import Config
from spoolrunner.errors import nearest
from spoolrunner.protocol.names import GROUP_RULE, is_group
from spoolrunner.spool.requests import GROUP


def in_words(name: str) -> str:
    """Return what a pause of that name, as in `requests.Requests`, is of: `group mail`, or the method itself."""
    return f"group {name[len(GROUP) :]}" if name.startswith(GROUP) else name


def pause_problem(config: Config, name: str) -> str:
    """Return why there is nothing that a pause of that name could hold up; else ""."""
    if name.startswith(GROUP):
        return "" if is_group(name[len(GROUP) :]) else f"no group has such a name, which is {GROUP_RULE}"
    methods = [f"{job}.{method}" for job, methods in config.allowed.items() for method in methods]
    return "" if name in methods else f"no method in allowed_jobs is called that{nearest(name, methods)}"
