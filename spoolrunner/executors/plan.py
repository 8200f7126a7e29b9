"""What a dispatcher starts jobs with: the settings every runner is given, and the executor, made from the configuration.

Decides nothing; joins `config` to `runner` and `executors`, which do not know each other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from spoolrunner.attempt.settings import Settings
from spoolrunner.config.load import Config
from spoolrunner.errors import StartError
from spoolrunner.executors.base import Executor, Plan, Report
from spoolrunner.system import processes


def runner_settings(config: Config, boot: str) -> Settings:
    """What every runner is told."""
    return Settings(
        root=config.layout.root,
        boot=boot,
        fsync=config.fsync,
        max_log_bytes=config.max_log_bytes,
        limits=config.limits,
        python_path=config.python_path,
        allowed=config.allowed,
        default_policy=config.default_policy,
        signing_key=None if config.signing_key is None else config.signing_key.hex(),
    )


def job_environment(config: Config, ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a job's process: what it inherits of `ours`, and on top what the configuration sets."""
    inherit = config.file.inherit_environment
    patterns = ["*"] if inherit is True else list(inherit or [])
    patterns += processes.NEEDED_VARIABLES
    made = {name: value for name, value in ours.items() if any(fnmatchcase(name, pattern) for pattern in patterns)}
    return made | config.file.environment


def make_executor(
    config: Config,
    boot: str,
    report: Report,
    loaded: Callable[[list[str]], None],
    notice: Callable[[str], None],
) -> Executor:
    """The executor that the configuration names; the three callbacks come from any thread. StartError if there is none."""
    plan = Plan(
        kind=config.file.executor,
        python=config.python_binary,
        settings=runner_settings(config, boot).to_bytes(),
        root=config.layout.root,
        folder=config.folder,
        environment=job_environment(config, os.environ),
        preload=list(config.allowed) if config.file.preload else [],
        loaded=loaded,
        notice=notice,
    )
    return make(plan, report)


def make(plan: Plan, report: Report) -> Executor:
    """The executor that the configuration key `executor` names; "auto" is fork on Linux and spawn elsewhere.

    Not on macOS: its system frameworks do not survive a fork without exec.
    """
    kind = plan.kind
    if kind == "auto":
        kind = "fork" if sys.platform == "linux" else "spawn"
    if kind == "fork":
        if sys.platform == "win32":
            raise StartError('executor "fork" does not exist on Windows; use "spawn" or "auto"')
        from spoolrunner.executors.fork import ForkExecutor

        return ForkExecutor(plan, report)
    from spoolrunner.executors.spawn import SpawnExecutor

    return SpawnExecutor(plan, report)
