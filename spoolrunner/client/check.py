"""Checking an installation: its folders, what weakens it, and whether every allowed job can be found."""

from __future__ import annotations

import json
import os
import subprocess
from typing import NamedTuple

from spoolrunner.client.strays import strays
from spoolrunner.config.exposure import weaknesses
from spoolrunner.config.load import Config
from spoolrunner.executors.plan import job_environment
from spoolrunner.spool.folders import Spool

_AUDIT = "from spoolrunner.attempt.audit import print_audit; print_audit()"
_AUDIT_SECONDS = 120


class Checked(NamedTuple):
    """Sentences: `problems`, one for each allowed method that cannot be run, and `warnings`, what weakens the promises."""

    problems: list[str]
    warnings: list[str]


def check(settings: Config) -> Checked:
    """Return what is wrong with an installation; SpoolLayoutError when its folders are not what the protocol needs."""
    Spool(settings.layout).check()
    return Checked(_audit(settings), [*weaknesses(settings), *strays(settings.layout)])


def _audit(settings: Config) -> list[str]:
    """Look every allowed job up as a job's own process would: with its interpreter, path and folder."""
    table = {name: sorted(methods) for name, methods in settings.allowed.items()}
    # A path may hold bytes that are no UTF-8, which only the escapes of the standard library carry.
    question = json.dumps({"python_path": settings.python_path, "allowed": table}).encode()
    try:
        done = subprocess.run(
            [settings.python_binary, "-P", "-c", _AUDIT],
            input=question,
            capture_output=True,
            cwd=settings.folder,
            env=job_environment(settings, os.environ),
            timeout=_AUDIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"python_binary {settings.python_binary} cannot be used: {error}"]
    try:
        problems: list[str] = json.loads(done.stdout.rpartition(b"\0")[2])
    except json.JSONDecodeError:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return [f"python_binary {settings.python_binary} cannot run jobs: {' '.join(last) or done.returncode}"]
    return problems
