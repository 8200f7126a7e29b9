"""What an executor is made from: the settings of every job's process, its environment, and which executor it is.

Joins `config` to `attempt` and to the executors, which do not know each other. Executors are found by name: "auto", one that
is built in, or an entry point of the group `spoolrunner.executors`, which any installed package may provide.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from importlib import import_module

from spoolrunner.attempt import command
from spoolrunner.attempt.settings import Settings
from spoolrunner.config.load import VARIABLE, Config
from spoolrunner.config.shape import EXECUTOR_GROUP
from spoolrunner.errors import StartError
from spoolrunner.executors.base import Executor, Plan, Report, Sources
from spoolrunner.executors.frames import CALL
from spoolrunner.system import processes
from spoolrunner.telling.events import Event

_CLASSES = {"fork": "ForkExecutor", "spawn": "SpawnExecutor", "inline": "InlineExecutor"}

MakeExecutor = Callable[[Plan, Report], Executor]


def runner_settings(config: Config, boot: str) -> Settings:
    """The settings that every job's process is given; `boot` is that of the machine."""
    return Settings(
        root=config.layout.root,
        boot=boot,
        fsync=config.fsync,
        max_log_bytes=config.max_log_bytes,
        python_path=config.python_path,
        import_timeout=config.import_timeout,
    )


def job_environment(config: Config, ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a job's process: what it inherits of `ours`, which config.json is in force, and what that sets.

    Otherwise a job that enqueues another one would look for a config.json by itself, and might find that of another spool.
    """
    inherit = config.file.inherit_environment
    patterns = ["*"] if inherit is True else list(inherit or [])
    patterns += processes.NEEDED_VARIABLES
    made = {name: value for name, value in ours.items() if any(fnmatchcase(name, pattern) for pattern in patterns)}
    return made | {VARIABLE: config.path} | config.file.environment


def make_plan(
    config: Config,
    boot: str,
    loaded: Callable[[list[str]], None],
    notice: Callable[[Event], None],
    sources: Sources,
) -> Plan:
    """What the executor of this configuration is made from; the two functions are called from any thread."""
    spool_mark = processes.mark(config.layout.root, "", 0, (0, 0, 0), processes.home(config.layout.locks))
    policies = (policy for methods in config.allowed.values() for policy in methods.values())
    return Plan(
        python=config.python_binary,
        settings=runner_settings(config, boot).to_bytes(),
        root=config.layout.root,
        boot=boot,
        folder=config.folder,
        # Who started it is known of each process, also of one that was forked below Python: it has this or a mark of its own.
        environment=job_environment(config, os.environ) | {processes.MARK: spool_mark},
        preload=_preload(config),
        jobs=_callables(config) | ({command.JOB: [command.METHOD]} if _has_commands(config) else {}),
        loaded=loaded,
        notice=notice,
        sources=sources,
        is_limited=any(policy.process_limits is not None for policy in policies),
    )


def _callables(config: Config) -> dict[str, list[str]]:
    """The table without the commands: job -> methods."""
    table = {job: [name for name in found if found[name].command is None] for job, found in config.allowed.items()}
    return {job: methods for job, methods in table.items() if methods or not config.allowed[job]}


def _has_commands(config: Config) -> bool:
    return any(policy.command is not None for methods in config.allowed.values() for policy in methods.values())


def _preload(config: Config) -> list[str]:
    """What a template imports or calls ahead: its half of the setup comes first, since modules may need that."""
    setup = [f"{config.hooks[0]}{CALL}"] if config.hooks and config.hooks[0] else []
    named = config.file.preload
    if isinstance(named, list):
        return setup + list(dict.fromkeys(named))
    return setup + (list(_callables(config)) if named else [])


def find_executor(name: str) -> MakeExecutor:
    """What makes the executor of that name; "auto" is fork on Linux and spawn elsewhere. StartError if there is none.

    Not fork on macOS: its system frameworks do not survive a fork without exec.
    """
    if name == "auto":
        name = "fork" if sys.platform == "linux" else "spawn"
    if name == "fork" and sys.platform == "win32":
        raise StartError('executor "fork" does not exist on Windows; use "spawn" or "auto"')
    if name in _CLASSES:
        made: MakeExecutor = getattr(import_module(f"spoolrunner.executors.{name}"), _CLASSES[name])
        return made
    from importlib.metadata import entry_points  # paid only where another package provides the executor

    found = entry_points(group=EXECUTOR_GROUP)
    if name not in found.names:
        raise StartError(f"executor {name!r}: no installed package provides it")
    provided: MakeExecutor = found[name].load()
    return provided
