"""The configuration: config.json found, checked whole, and turned into what the other rooms need.

Owns the keys, their defaults and limits. Every problem is reported at once, each with its key. Knows nothing of jobs
that run; whether the allowed callables exist is for `whitelist`, in a process that may import them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import orjson
from msgspec import Meta

from spoolrunner.attempt import rlimits
from spoolrunner.errors import ConfigError, JobFormatError
from spoolrunner.protocol import signing
from spoolrunner.protocol.document import Count, Document, Duration, Priority
from spoolrunner.protocol.faults import Fault, faults
from spoolrunner.protocol.policy import Policy
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock

FILE_NAME = "config.json"
VARIABLE = "SPOOLRUNNER_CONFIG"

_Number = TypeVar("_Number", int, float)
Positive = Annotated[int, Meta(ge=1, le=100_000)]
OnCrash = Literal["retry", "fail"]
Size = int | Annotated[str, Meta(pattern=rlimits.SIZE_PATTERN, description='bytes, or "512M", "2G"')]
OpenFiles = Annotated[int, Meta(ge=16)]


class MethodPolicy(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What an operator may set for one method."""

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


class ConfigFile(msgspec.Struct, forbid_unknown_fields=True):
    """config.json as it is written; the defaults are those for production."""

    allowed_jobs: dict[str, list[str] | dict[str, MethodPolicy]]
    spool: str = "spool"
    python_binary: str | None = None
    python_path: list[str] = msgspec.field(default_factory=lambda: ["."])
    environment: dict[str, str] = {}
    inherit_environment: bool | list[str] = True
    signing_key: str | None = None
    concurrency: Positive = msgspec.field(default_factory=lambda: os.cpu_count() or 1)
    max_retries: Count = 3
    max_retries_limit: Count = 100
    retry_interval: Duration = "5m"
    retry_backoff: Literal["exponential", "fixed"] = "exponential"
    retry_max_interval: Duration = "6h"
    retry_jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1
    timeout: Duration = "1h"
    timeout_limit: Duration = "7d"
    kill_grace: Duration = "10s"
    stop_grace: Duration = "30s"
    on_crash: OnCrash = "retry"
    memory: Size | None = None
    cpu_time: Duration | None = None
    open_files: OpenFiles | None = None
    no_new_privileges: bool = False
    priority_aging: Duration = "1m"
    keep_done: Duration = "7d"
    keep_failed: Duration = "30d"
    max_log_bytes: Annotated[int, Meta(ge=4096)] = 10 << 20
    fsync: bool = True
    executor: Literal["auto", "fork", "spawn"] = "auto"
    preload: bool = True


_PARSERS = {
    field.name: clock.parse_duration
    for field in msgspec.structs.fields(ConfigFile)
    if field.type in (Duration, Duration | None)
} | {"memory": rlimits.parse_size}
"""Keys whose values are text with a unit."""
_POSITIVE = ("timeout", "timeout_limit", "cpu_time")
_LIMITS = ("memory", "cpu_time", "open_files", "no_new_privileges")


class Config:
    """The checked configuration. `path` is that of config.json; paths are absolute and durations in seconds."""

    def __init__(self, path: str, file: ConfigFile) -> None:
        self.path = path
        self.file = file
        self.folder = os.path.dirname(path)
        self.layout = Layout(self._absolute(file.spool))
        self.python_binary = sys.executable if file.python_binary is None else self._program(file.python_binary)
        self.python_path = [self._absolute(entry) for entry in file.python_path]
        self.signing_key_path = "" if file.signing_key is None else self._absolute(file.signing_key)
        self.concurrency = file.concurrency
        self.fsync = file.fsync
        self.max_log_bytes = file.max_log_bytes
        self.kill_grace = clock.parse_duration(file.kill_grace)
        self.stop_grace = clock.parse_duration(file.stop_grace)
        self.priority_aging = clock.parse_duration(file.priority_aging)
        self.keep_done = clock.parse_duration(file.keep_done)
        self.keep_failed = clock.parse_duration(file.keep_failed)
        self.timeout_limit = clock.parse_duration(file.timeout_limit)
        self.max_retries_limit = file.max_retries_limit

    @cached_property
    def default_policy(self) -> Policy:
        """The policy of a method that sets none of its own."""
        file = self.file
        return Policy(
            timeout=clock.parse_duration(file.timeout),
            max_retries=file.max_retries,
            retry_interval=clock.parse_duration(file.retry_interval),
            retry_backoff=file.retry_backoff,
            retry_max_interval=clock.parse_duration(file.retry_max_interval),
            retry_jitter=file.retry_jitter,
            on_crash=file.on_crash,
            memory=_if_given(rlimits.parse_size, file.memory),
            cpu_time=_if_given(clock.parse_duration, file.cpu_time),
            open_files=file.open_files,
            no_new_privileges=file.no_new_privileges,
        )

    @cached_property
    def allowed(self) -> dict[str, dict[str, Policy]]:
        """The whitelist: job -> method -> the policy it runs under."""
        return {
            job: {method: self._policy(methods[method]) for method in methods}
            if isinstance(methods, dict)
            else dict.fromkeys(methods, self.default_policy)
            for job, methods in self.file.allowed_jobs.items()
        }

    @cached_property
    def signing_key(self) -> bytes | None:
        """The key that job files are signed with, or None when they need not be; ConfigError when it cannot be had."""
        if not self.signing_key_path:
            return None
        path = self.signing_key_path
        try:
            with open(path, "rb") as stream:
                return signing.parse_key(stream.read())
        except OSError as error:
            raise ConfigError(self.path, [f"signing_key: {path} cannot be read: {error.strerror}"]) from None
        except ValueError as error:
            raise ConfigError(self.path, [f"signing_key: {path} {error}"]) from None

    def check_limits(self, checked: Document) -> None:
        """Raise JobFormatError when a document asks for more than the operator's limits allow."""
        timeout = _if_given(clock.parse_duration, checked.timeout)
        if timeout is not None and timeout > self.timeout_limit:
            limit = f"{self.timeout_limit:g} s, timeout_limit"
            raise JobFormatError("timeout", f"{checked.timeout!r} is more than the operator allows ({limit})")
        retries = checked.max_retries
        if retries is not None and retries > self.max_retries_limit:
            limit = f"{self.max_retries_limit}, max_retries_limit"
            raise JobFormatError("max_retries", f"{retries} is more than the operator allows ({limit})")

    def effective(self) -> dict[str, Any]:
        """Every key with the value in force, as JSON data."""
        made: dict[str, Any] = msgspec.to_builtins(self.file)
        return {**made, "spool": self.layout.root, "python_binary": self.python_binary, "python_path": self.python_path}

    def _policy(self, given: MethodPolicy) -> Policy:
        return self.default_policy.override(
            timeout=_if_given(clock.parse_duration, given.timeout),
            max_retries=given.max_retries,
            retry_interval=_if_given(clock.parse_duration, given.retry_interval),
            on_crash=given.on_crash,
            concurrency=given.concurrency,
            priority=given.priority,
            memory=_if_given(rlimits.parse_size, given.memory),
            cpu_time=_if_given(clock.parse_duration, given.cpu_time),
            open_files=given.open_files,
            no_new_privileges=given.no_new_privileges,
        )

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.folder, os.path.expanduser(path)))

    def _program(self, name: str) -> str:
        return name if os.path.basename(name) == name else self._absolute(name)


def _if_given(parse: Callable[[object], _Number], value: object) -> _Number | None:
    return None if value is None else parse(value)


def find(explicit: str | None = None) -> str:
    """The absolute path of config.json: `explicit`, else $SPOOLRUNNER_CONFIG, else upwards from the working directory."""
    given = explicit or os.environ.get(VARIABLE)
    if given:
        if not os.path.isfile(given):
            origin = "--config" if explicit else f"${VARIABLE}"
            raise ConfigError(given, [f"no such file (named by {origin})"])
        return os.path.abspath(given)
    here = folder = os.getcwd()
    while True:
        candidate = os.path.join(folder, FILE_NAME)
        if os.path.isfile(candidate):
            return candidate
        if os.path.dirname(folder) == folder:
            advice = f"name one with --config or ${VARIABLE}, or make one with `spoolrunner init DIR`"
            raise ConfigError(FILE_NAME, [f"not found in {here} or any folder above it; {advice}"])
        folder = os.path.dirname(folder)


def load(explicit: str | None = None) -> Config:
    """The configuration in force; ConfigError with every problem in it."""
    path = find(explicit)
    try:
        with open(path, "rb") as stream:
            raw = orjson.loads(stream.read())
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from None
    except orjson.JSONDecodeError as error:
        raise ConfigError(path, [f"not valid JSON: {error}"]) from None
    return parse(path, raw)


def parse(path: str, raw: Any) -> Config:
    """The configuration in the JSON value `raw`, as if read from `path`."""
    if not isinstance(raw, dict):
        raise ConfigError(path, ["must hold a JSON object"])
    others = {key: value for key, value in raw.items() if key != "allowed_jobs"}
    # The whitelist and values with a unit are judged below, with words of their own.
    found = [fault for fault in faults(others, ConfigFile) if fault.key != "allowed_jobs" and not _is_parsed(fault)]
    found += _parsed(raw, ConfigFile, "")
    found += _environment(raw.get("environment"))
    found += _paths(raw)
    found += _allowed_jobs(raw)
    if found:
        raise ConfigError(path, [str(fault) for fault in dict.fromkeys(found)])
    return Config(path, msgspec.convert(raw, ConfigFile))


def _allowed_jobs(raw: dict[str, Any]) -> list[Fault]:
    jobs = raw.get("allowed_jobs")
    if jobs is None:
        return [Fault("allowed_jobs", 'missing; it is required, as in {"app.reports.Report": ["build"]}')]
    if not isinstance(jobs, dict):
        return [Fault("allowed_jobs", "must be an object: dotted path -> list of method names, or object of policies")]
    found = []
    for job, methods in jobs.items():
        key = f"allowed_jobs.{job}"
        if not all(part.isidentifier() for part in job.split(".")):
            found.append(Fault(key, "not a dotted path of a class or module"))
        if not isinstance(methods, (list, dict)):
            found.append(Fault(key, "must be a list of method names, or an object method -> policy"))
            continue
        for method in methods:
            if not isinstance(method, str) or not method.isidentifier() or method.startswith("_"):
                found.append(Fault(key, f"{method!r} is not a public method name"))
            elif isinstance(methods, dict):
                found += _method_policy(f"{key}.{method}", methods[method])
    return found


def _method_policy(key: str, policy: Any) -> list[Fault]:
    if not isinstance(policy, dict):
        return [Fault(key, "must be an object of policy keys; {} for none")]
    found = [
        Fault(f"{key}.{fault.key}", fault.problem) for fault in faults(policy, MethodPolicy) if not _is_parsed(fault)
    ]
    return found + _parsed(policy, MethodPolicy, f"{key}.")


def _environment(variables: Any) -> list[Fault]:
    if not isinstance(variables, dict):
        return []
    bad = [name for name in variables if not name or "=" in name or "\0" in f"{name}{variables[name]}"]
    problem = "no system takes an empty name, a name with =, or a NUL"
    return [Fault(f"environment.{name}", problem) for name in bad]


def _paths(raw: dict[str, Any]) -> list[Fault]:
    several = raw.get("python_path")
    given = [(key, raw.get(key)) for key in ("spool", "python_binary", "signing_key")]
    given += [("python_path", path) for path in several] if isinstance(several, list) else []
    return [
        Fault(key, "holds a NUL, which no path may") for key, path in given if isinstance(path, str) and "\0" in path
    ]


def _is_parsed(fault: Fault) -> bool:
    return fault.key in _PARSERS and "regex" in fault.problem


def _parsed(raw: dict[str, Any], shape: type[msgspec.Struct], prefix: str) -> list[Fault]:
    """What is wrong with the values that have a unit, and with limits that this system cannot keep."""
    found = []
    for key in (field.name for field in msgspec.structs.fields(shape)):
        value = raw.get(key)
        if value is None or value is False:
            continue
        problem = rlimits.unavailable(key) if key in _LIMITS else None
        if problem:
            found.append(Fault(prefix + key, problem))
        if key not in _PARSERS or not isinstance(value, (int, float, str)):
            continue
        try:
            if _PARSERS[key](value) == 0 and key in _POSITIVE:
                found.append(Fault(prefix + key, "must be more than 0 seconds"))
        except ValueError as error:
            found.append(Fault(prefix + key, str(error)))
    return found
