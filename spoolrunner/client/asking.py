"""Asking a process of its own about what the operator names: user code is never imported in a command, or in the page."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from spoolrunner.config.load import Config
from spoolrunner.executors.plan import job_environment


def ask(
    settings: Config, program: str, question: dict[str, Any], seconds: float, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    """Run the text of a program that answers (`attempt.answering`) as a job's process is run, and return what it printed.

    Its python_path is put into the question. OSError when the interpreter cannot be used, TimeoutExpired after so many seconds.
    """
    return subprocess.run(
        [settings.python_binary, "-P", "-c", program],
        # A path may hold bytes that are no UTF-8, which only the escapes of the standard library carry.
        input=json.dumps({"python_path": settings.python_path, **question}).encode(),
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=settings.folder,
        env=job_environment(settings, os.environ),
        timeout=seconds,
        check=False,
    )
