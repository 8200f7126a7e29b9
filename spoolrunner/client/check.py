"""Checking an installation: its folders, what weakens it, and whether every allowed job can be found."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from spoolrunner.attempt import sandbox
from spoolrunner.attempt.command import missing
from spoolrunner.client.asking import ask
from spoolrunner.client.strays import strays
from spoolrunner.config.exposure import weaknesses
from spoolrunner.config.load import Config
from spoolrunner.errors import SpoolLayoutError
from spoolrunner.executors.plan import job_environment
from spoolrunner.protocol.verdict import PROGRAM_ERROR
from spoolrunner.spool import one_mount
from spoolrunner.spool.folders import Spool
from spoolrunner.system import programs

if TYPE_CHECKING:
    from spoolrunner.attempt.sandbox import Sandbox

_AUDIT = "from spoolrunner.attempt.audit import print_audit; print_audit()"
_SLOW = "did not end within"
_TRIAL_SECONDS = 20.0


class Checked(NamedTuple):
    """Sentences: `problems`, one for each allowed method or hook that cannot run, and `warnings`: what weakens promises."""

    problems: list[str]
    warnings: list[str]


def check(settings: Config) -> Checked:
    """Return what is wrong with an installation; SpoolLayoutError when its folders are not what the protocol needs."""
    Spool(settings.layout).check()
    return Checked(
        [*_audit(settings), *_commands(settings)],
        [*_untried(settings), *weaknesses(settings), *strays(settings.layout)],
    )


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
    """Look every allowed callable and every hook up as a job's own process would: with its interpreter, path and folder.

    A module that ends the process, or does not end, is a problem of its own, and the others are looked up in another process.
    """
    left = [
        (job, method)
        for job, found in settings.allowed.items()
        for method in sorted(found)
        if found[method].command is None
    ]
    left += [(name.rpartition(".")[0], name.rpartition(".")[2]) for name in settings.hooks or () if name]
    left += [("", name) for name in _exceptions(settings)]
    problems: list[str] = []
    has_worked = False
    while left:
        table: dict[str, list[str]] = {}
        for job, method in left:
            table.setdefault(job, []).append(method)
        ended = _ask(settings, table)
        if isinstance(ended, str):
            return [*problems, ended]
        answers, how = ended
        if not answers and not has_worked:
            return [*problems, f"python_binary {settings.python_binary} cannot run jobs: {how}"]
        has_worked = True
        problems += [answer[2] for answer in answers if len(answer) == 3 and answer[2]]
        answered = {(answer[0], answer[1]) for answer in answers}
        job, method, *answer = answers[-1] if answers else left[0]  # what it was at, though it could not say so
        if not answer and how.startswith(_SLOW) and len(answered) > 1:
            answered.discard((job, method))  # the others may have taken all the time
        elif not answer:
            answered.add((job, method))
            problems.append(f"{job}.{method}".lstrip(".") + f": importing it {how}")
        left = [one for one in left if one not in answered]
    return problems


def _exceptions(settings: Config) -> list[str]:
    """Return the names of Python's exceptions that any policy has."""
    policies = [policy for methods in settings.allowed.values() for policy in methods.values()]
    names = {name for policy in policies for name in (*policy.retry_on, *policy.discard_on)}
    return sorted(names - {PROGRAM_ERROR})


def _commands(settings: Config) -> list[str]:
    """Return a sentence for each command whose program is not there, or whose sandbox cannot be made."""
    environment = job_environment(settings, os.environ)
    folders = programs.search_path(environment)
    found = []
    for job, methods in settings.allowed.items():
        for method in sorted(methods):
            command = methods[method].command
            if command is not None:
                name = command.template.program
                program = programs.find(name, folders, settings.folder)
                problem = missing(name, folders) if program is None else ""
                if not problem and command.sandbox is not None:
                    problem = sandbox.problem(command.sandbox, folders) or _trial(
                        settings, command.sandbox, environment
                    )
                found += [f"{job}.{method}: {problem}"] if problem else []
    return found


def _trial(settings: Config, wanted: Sandbox, environment: Mapping[str, str]) -> str:
    """Make the sandbox, and run its own program in it; return why that does not work, or nothing."""
    folders = programs.search_path(environment)
    wrapper = programs.find(sandbox.PROGRAM, folders, settings.folder) or sandbox.PROGRAM
    words = sandbox.words(wanted, [wrapper, "--version"], settings.folder, folders)
    try:
        done = subprocess.run(words, capture_output=True, env=environment, timeout=_TRIAL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"sandbox: {wrapper} cannot be used: {error}"
    said = done.stderr.decode("utf-8", "replace").strip()
    return f"sandbox: it cannot be made here: {said}" if done.returncode else ""


def _ask(settings: Config, table: dict[str, list[str]]) -> tuple[list[list[str]], str] | str:
    """Return the answers of one process, and how it ended; or why there is none at all."""
    try:
        done = ask(settings, _AUDIT, {"allowed": table}, settings.import_timeout)
    except OSError as error:
        return f"python_binary {settings.python_binary} cannot be used: {error}"
    except subprocess.TimeoutExpired as error:
        return _answers(error.stdout or b""), f"{_SLOW} {settings.import_timeout:g} s (import_timeout)"
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return _answers(done.stdout), f"ended the process with status {done.returncode} {' '.join(last)}".strip()


def _answers(printed: bytes) -> list[list[str]]:
    """Return the lines of the audit; the last one may be cut, and is left out then."""
    answers: list[list[str]] = [json.loads(line) for line in printed.split(b"\n")[:-1]]
    return answers
