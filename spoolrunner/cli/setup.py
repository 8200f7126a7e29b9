"""`init`, `check`, `schema`: an installation made, checked, described."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import orjson

from spoolrunner.cli import render
from spoolrunner.config import exposure
from spoolrunner.config.load import FILE_NAME, Config, load_config
from spoolrunner.executors.plan import job_environment
from spoolrunner.protocol import document
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.mounts import warnings
from spoolrunner.system import durable
from spoolrunner.telling.events import printable

_FIRST_CONFIG = {
    "allowed_jobs": {"spoolrunner.demo_jobs.Text": ["count_words", "checksum"]},
    "spool": "spool",
    "python_path": ["."],
}
_AUDIT = "from spoolrunner.protocol.whitelist import print_audit; print_audit()"
_AUDIT_SECONDS = 120


def init(arguments: argparse.Namespace) -> int:
    """Make DIR with config.json, unless it has one, and the spool's folders."""
    folder = os.path.abspath(arguments.dir)
    path = os.path.join(folder, FILE_NAME)
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(path):
        print(f"{path} exists: left as it is")
    else:
        durable.write_new(path, orjson.dumps(_FIRST_CONFIG, option=orjson.OPT_INDENT_2) + b"\n", True)
        print(f"{path} made: put your own jobs under allowed_jobs")
    settings = load_config(path)
    spool = Spool(settings.layout)
    spool.make()
    spool.check()
    print(f"{settings.layout.root} is ready: `spoolrunner run` in {folder} serves it")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Print the configuration in force; 1 when an allowed job cannot be found, 2 when the configuration is wrong."""
    settings = load_config(arguments.config)
    spool = Spool(settings.layout)
    spool.check()
    weaknesses = warnings(settings.layout) + exposure.loose(settings)
    problems = _audit(settings)
    if arguments.json:
        report = {
            "config": settings.path,
            "effective": settings.effective(),
            "problems": problems,
            "warnings": weaknesses,
        }
        render.as_json(report)
        return 1 if problems else 0
    print(f"{settings.path}:")
    render.fields((f"  {key}", orjson.dumps(value).decode()) for key, value in settings.effective().items())
    for weakness in weaknesses:
        print(f"warning: {weakness}", file=sys.stderr)
    for problem in problems:
        print(f"problem: {printable(problem)}", file=sys.stderr)
    count = sum(len(methods) for methods in settings.allowed.values())
    print(f"{count - len(problems)} of {count} allowed methods found")
    return 1 if problems else 0


def schema(_arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of a job file."""
    render.as_json(document.schema())
    return 0


def _audit(settings: Config) -> list[str]:
    """Look every allowed job up as a job's own process would: with its interpreter, path and folder."""
    table = {name: sorted(methods) for name, methods in settings.allowed.items()}
    question = orjson.dumps({"python_path": settings.python_path, "allowed": table})
    command = [settings.python_binary, "-P", "-c", _AUDIT]
    try:
        done = subprocess.run(
            command,
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
