"""Checking an installation: its folders, what weakens it, and whether every allowed job can be found."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import NamedTuple

import orjson

from spoolrunner.config.exposure import weaknesses
from spoolrunner.config.load import Config
from spoolrunner.errors import SpoolLayoutError
from spoolrunner.executors.plan import job_environment
from spoolrunner.spool import one_mount
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
    return Checked(_audit(settings), [*_untried(settings), *weaknesses(settings)])


def _untried(settings: Config) -> list[str]:
    """Try the renames between the folders, each job's moves; return a sentence if we may not, or the disk refuses."""
    try:
        one_mount.try_renames(settings.layout)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise SpoolLayoutError(error.strerror) from None
        return [f"whether files can be renamed between the folders could not be tried: {error}"]
    return []


def _audit(settings: Config) -> list[str]:
    """Look every allowed job up as a job's own process would: with its interpreter, path and folder."""
    table = {name: sorted(methods) for name, methods in settings.allowed.items()}
    question = orjson.dumps({"python_path": settings.python_path, "allowed": table})
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
        problems: list[str] = orjson.loads(done.stdout.rpartition(b"\0")[2])
    except orjson.JSONDecodeError:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return [f"python_binary {settings.python_binary} cannot run jobs: {' '.join(last) or done.returncode}"]
    return problems
