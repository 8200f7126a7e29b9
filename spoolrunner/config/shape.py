"""config.json as it is written: its keys, their types, their defaults.

The defaults are those for production. Rules beyond the types of the values are checked in `faults`.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from spoolrunner.attempt import rlimits
from spoolrunner.protocol.document import Count, Duration, Group, Priority

Positive = Annotated[int, Meta(ge=1, le=100_000)]
Leftovers = Literal["end", "leave"]
OnCrash = Literal["retry", "fail"]
Size = int | Annotated[str, Meta(pattern=rlimits.SIZE_PATTERN, description='bytes, or "512M", "2G"')]
OpenFiles = Annotated[int, Meta(ge=16)]


BUILT_IN_EXECUTORS = ("auto", "fork", "spawn", "inline")
EXECUTOR_GROUP = "spoolrunner.executors"
"""The group of entry points by which other packages provide executors: name -> a function of a Plan and a Report."""


class Sandbox(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a command may see, beside the programs of the system."""

    read: list[str] = []
    write: list[str] = []
    network: bool = False


class Setup(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Functions that are called before a job's own code: once in a template, and once in each process of a job."""

    template: str | None = None
    process: str | None = None


class MethodPolicy(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The keys that an operator may set for one method; a key that is missing has the value of the whole file."""

    timeout: Duration | None = None
    max_retries: Count | None = None
    retry_interval: Duration | None = None
    on_crash: OnCrash | None = None
    concurrency: Positive | None = None
    priority: Priority | None = None
    memory: Size | None = None
    cpu_time: Duration | None = None
    open_files: OpenFiles | None = None
    no_new_privileges: bool | None = None
    leftovers: Leftovers | None = None
    retry_on: list[str] | None = None
    discard_on: list[str] | None = None
    on_failure: str | None = None
    argv: list[str | list[str]] | None = None
    types: dict[str, str] | None = None
    allow_options: list[str] | None = None
    result: Literal["text", "json", "none"] | None = None
    sandbox: Sandbox | None = None
    group: Group | None = None


class LimitKeys(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The keys of one limit: how many jobs of a group run at a time, and how often they start, as in "100/m"."""

    concurrency: Positive | None = None
    rate: str | None = None


class ScheduleKeys(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The keys of one entry of `schedules`; `cron` or `every` has to be there."""

    job: str
    method: str
    params: list[Any] | dict[str, Any] = []
    cron: str | None = None
    every: Duration | None = None
    timezone: str | None = None
    catch_up: Literal["skip", "once"] = "skip"
    catch_up_within: Duration = "1h"
    overlap: Literal["skip", "queue"] = "skip"
    jitter: Duration = 0


class KeepRule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How long jobs are kept, and how many of them; what is left out does not limit it."""

    age: Duration | None = None
    count: Annotated[int, Meta(ge=0)] | None = None


Kept = Duration | KeepRule


class ConfigFile(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of config.json."""

    allowed_jobs: dict[str, list[str] | dict[str, MethodPolicy]]
    spool: str = "spool"
    python_binary: str | None = None
    python_path: list[str] = msgspec.field(default_factory=lambda: ["."])
    environment: dict[str, str] = {}
    inherit_environment: bool | list[str] = True
    signing_key: str | None = None
    limits: dict[str, LimitKeys] = {}
    concurrency: Positive = msgspec.field(default_factory=lambda: os.cpu_count() or 1)
    max_retries: Count = 3
    max_retries_limit: Count = 100
    retry_interval: Duration = "5m"
    retry_backoff: Literal["exponential", "fixed"] = "exponential"
    retry_max_interval: Duration = "6h"
    retry_jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1
    timeout: Duration = "1h"
    timeout_limit: Duration = "7d"
    import_timeout: Duration = "1m"
    kill_grace: Duration = "10s"
    stop_grace: Duration = "30s"
    on_crash: OnCrash = "retry"
    memory: Size | None = None
    cpu_time: Duration | None = None
    open_files: OpenFiles | None = None
    no_new_privileges: bool = False
    leftovers: Leftovers = "end"
    retry_on: list[str] = []
    discard_on: list[str] = []
    on_failure: str | None = None
    priority_aging: Duration = "1m"
    auto_prune: bool = False
    keep_done: Kept = "7d"
    keep_failed: Kept = "30d"
    keep_history: Duration = "31d"
    max_log_bytes: Annotated[int, Meta(ge=4096)] = 10 << 20
    fsync: bool = True
    executor: str = "auto"
    preload: bool | list[str] = False
    setup: Setup | None = None
    around: str | None = None
    schedules: dict[str, ScheduleKeys] = {}
