"""Find config.json, read it, check all of it, and turn it into a `Config`.

    from spoolrunner.config.load import load_config; load_config().layout.root

Owns the values in force. Does not look whether the allowed callables exist: `callables` does, in a process that may import
them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import orjson

from spoolrunner.attempt import rlimits
from spoolrunner.config.faults import config_faults
from spoolrunner.config.lookup import FILE_NAME, VARIABLE, check_owners, find_config, is_named, read_file
from spoolrunner.config.shape import ConfigFile, MethodPolicy
from spoolrunner.errors import ConfigError
from spoolrunner.protocol import document, signing
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.groups import GroupLimits
from spoolrunner.protocol.policy import Limits, Policy, job_policy
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.recognise import refuse_links
from spoolrunner.system import times

if TYPE_CHECKING:
    from spoolrunner.protocol.slots import Schedule

__all__ = ["FILE_NAME", "VARIABLE", "Config", "find_config", "load_config", "parse_config"]
# Where config.json is looked for can be imported from here too, since it is read from here.

_Number = TypeVar("_Number", int, float)


class Config:
    """A checked configuration. `path` is the one of config.json; all paths are absolute, all durations in seconds."""

    def __init__(self, path: str, file: ConfigFile) -> None:
        self.path = path
        self.file = file
        self._source: _Source | None = None
        self.folder = os.path.dirname(path)
        self.layout = Layout(self._absolute(file.spool))
        self.python_binary = sys.executable if file.python_binary is None else self._program(file.python_binary)
        self.python_path = [self._absolute(entry) for entry in file.python_path]
        self.signing_key_path = "" if file.signing_key is None else self._absolute(file.signing_key)
        self.concurrency = file.concurrency
        self.fsync = file.fsync
        self.max_log_bytes = file.max_log_bytes
        self.kill_grace = times.parse_duration(file.kill_grace)
        self.import_timeout = times.parse_duration(file.import_timeout)
        self.stop_grace = times.parse_duration(file.stop_grace)
        self.priority_aging = times.parse_duration(file.priority_aging)
        self.keep_done = times.parse_duration(file.keep_done)
        self.keep_failed = times.parse_duration(file.keep_failed)
        self.groups = GroupLimits(file.limits)
        self.limits = Limits(times.parse_duration(file.timeout_limit), file.max_retries_limit)

    @cached_property
    def default_policy(self) -> Policy:
        """The policy of a method that sets nothing of its own."""
        file = self.file
        return Policy(
            timeout=times.parse_duration(file.timeout),
            max_retries=file.max_retries,
            retry_interval=times.parse_duration(file.retry_interval),
            retry_backoff=file.retry_backoff,
            retry_max_interval=times.parse_duration(file.retry_max_interval),
            retry_jitter=file.retry_jitter,
            on_crash=file.on_crash,
            memory=_if_given(rlimits.parse_size, file.memory),
            cpu_time=_if_given(times.parse_duration, file.cpu_time),
            open_files=file.open_files,
            no_new_privileges=file.no_new_privileges,
            leftovers=file.leftovers,
        )

    @cached_property
    def allowed(self) -> dict[str, dict[str, Policy]]:
        """The whitelist: job -> method -> its policy."""
        return {
            job: {method: self._policy(methods[method]) for method in methods}
            if isinstance(methods, dict)
            else dict.fromkeys(methods, self.default_policy)
            for job, methods in self.file.allowed_jobs.items()
        }

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        """The schedules by name; ConfigError when a package is missing that they need."""
        if not self.file.schedules:
            return {}
        from spoolrunner.config.schedules import make_schedules

        self.check_packages()
        return make_schedules(self.file.schedules)

    @cached_property
    def signing_key(self) -> bytes | None:
        """The key that job files are signed with; None when they need no signature. ConfigError when it cannot be read."""
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

    def read_from(self, data: bytes, status: os.stat_result) -> None:
        """Note what was read, for `is_changed`."""
        self._source = _Source(_stamp(status), hash(data))

    def is_changed(self) -> bool:
        """Return whether the file holds something else than what was read; False when it cannot be read now."""
        if self._source is None:
            return False
        try:
            stamp = _stamp(os.stat(self.path))
            if stamp == self._source.stamp:
                return False
            digest = hash(read_file(self.path).data)
        except (OSError, ConfigError):
            return False
        if digest == self._source.digest:
            self._source = _Source(stamp, digest)  # touched, or checked out once more
            return False
        return True

    def check_limits(self, checked: Document) -> None:
        """Raise JobFormatError when a document asks for more than the operator's limits allow."""
        policy = self.allowed.get(checked.job, {}).get(checked.method, self.default_policy)
        job_policy(document.overrides(checked), policy, self.limits)

    def check_packages(self) -> None:
        """Raise ConfigError when a package is not installed that the schedules need."""
        if self.file.schedules:
            from spoolrunner.config.schedules import missing

            problems = missing(self.file.schedules)
            if problems:
                raise ConfigError(self.path, problems)

    def effective(self) -> dict[str, Any]:
        """Return each key with the value in force, as JSON data."""
        made: dict[str, Any] = msgspec.to_builtins(self.file)
        for keys in made["schedules"].values():
            if "cron" in keys:
                keys.setdefault("timezone", "UTC")
        return {**made, "spool": self.layout.root, "python_binary": self.python_binary, "python_path": self.python_path}

    def _policy(self, given: MethodPolicy) -> Policy:
        return self.default_policy.override(
            timeout=_if_given(times.parse_duration, given.timeout),
            max_retries=given.max_retries,
            retry_interval=_if_given(times.parse_duration, given.retry_interval),
            on_crash=given.on_crash,
            concurrency=given.concurrency,
            priority=given.priority,
            memory=_if_given(rlimits.parse_size, given.memory),
            cpu_time=_if_given(times.parse_duration, given.cpu_time),
            open_files=given.open_files,
            no_new_privileges=given.no_new_privileges,
            leftovers=given.leftovers,
            group=given.group,
        )

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.folder, os.path.expanduser(path)))

    def _program(self, name: str) -> str:
        return name if os.path.basename(name) == name else self._absolute(name)


class _Source(NamedTuple):
    """What was read of a file: its inode, size and time of change, and the hash of its bytes."""

    stamp: tuple[int, int, int]
    digest: int


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _if_given(parse: Callable[[object], _Number], value: object) -> _Number | None:
    return None if value is None else parse(value)


def load_config(explicit: str | None = None, *, to_run: bool = False) -> Config:
    """Find and read config.json as `find_config` does, and return the configuration; ConfigError names every fault.

    `to_run`: its programs are to be started, so the users whose file is taken are fewer (`lookup.check_owners`), and the
    packages that its schedules need have to be there.
    """
    path = find_config(explicit)
    found = read_file(path)
    try:
        raw = orjson.loads(found.data)
    except orjson.JSONDecodeError as error:
        raise ConfigError(path, [f"not valid JSON: {error}"]) from None
    config = parse_config(path, raw)
    if not is_named(explicit):
        check_owners(path, found, config.layout.root, to_run=to_run)
    refuse_links(config.layout)
    if to_run:
        config.check_packages()
    config.read_from(found.data, found.status)
    return config


def parse_config(path: str, raw: Any) -> Config:
    """Return the configuration in the JSON value `raw`, as if it had been read from `path`; ConfigError names every fault."""
    if not isinstance(raw, dict):
        raise ConfigError(path, ["must hold a JSON object"])
    found = config_faults(raw)
    if found:
        raise ConfigError(path, [str(fault) for fault in found])
    return Config(path, msgspec.convert(raw, ConfigFile))
