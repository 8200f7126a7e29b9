"""Find config.json, read it, check all of it, and turn it into a `Config`.

    from spoolrunner.config.load import load_config; load_config().layout.root

Owns the values in force. Does not look whether the allowed callables exist: `callables` does, in a process that may import
them.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import orjson

from spoolrunner.attempt import rlimits
from spoolrunner.config.commands import command_of, notified
from spoolrunner.config.faults import config_faults
from spoolrunner.config.lookup import FILE_NAME, VARIABLE, FoundFile, check_owners, find_config, is_named, read_file
from spoolrunner.config.shape import ConfigFile, KeepRule, Kept, MethodPolicy
from spoolrunner.config.source import Source
from spoolrunner.errors import ConfigError
from spoolrunner.protocol import document, signing
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.groups import GroupLimits
from spoolrunner.protocol.policy import Limits, Policy, job_policy
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.recognise import refuse_links
from spoolrunner.spool.retention import Keep
from spoolrunner.system import times

if TYPE_CHECKING:
    from spoolrunner.protocol.slots import Schedule

__all__ = ["FILE_NAME", "VARIABLE", "Config", "find_config", "find_spool", "load_config", "parse_config"]
# Where config.json is looked for can be imported from here too, since it is read from here.

_Number = TypeVar("_Number", int, float)


class Config:
    """A checked configuration. `path` is the one of config.json; all paths are absolute, all durations in seconds."""

    def __init__(self, path: str, file: ConfigFile) -> None:
        self.path = path
        self.file = file
        self._origin: _Origin | None = None
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
        self.auto_prune = file.auto_prune
        self.keep_done = _keep(file.keep_done)
        self.keep_failed = _keep(file.keep_failed)
        self.keep_history = times.parse_duration(file.keep_history)
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
            retry_on=tuple(file.retry_on),
            discard_on=tuple(file.discard_on),
            on_failure=notified(file.on_failure, file.allowed_jobs),
            hooks=self.hooks,
        )

    @cached_property
    def hooks(self) -> tuple[str, str, str] | None:
        """The functions `setup.template`, `setup.process` and `around`, "" for each that is not set; None without any."""
        setup = self.file.setup
        halves = ("", "") if setup is None else (setup.template or "", setup.process or "")
        made = (*halves, self.file.around or "")
        return made if any(made) else None

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

    def came_from(self, source: Source, *, is_named: bool, to_run: bool) -> None:
        """Note the file that was read, and the rules of `load_config` by which it was taken."""
        self._origin = _Origin(source, is_named, to_run)

    def is_changed(self) -> bool:
        """Return whether the file holds something else than what was read; False when it cannot be read now."""
        return self.is_as_read() is False

    def is_as_read(self) -> bool | None:
        """Return whether the file holds what was read; None when it cannot be read now."""
        return True if self._origin is None else self._origin.source.still_holds()

    def read_again(self) -> Config:
        """Return what the file says now, by the rules by which it was found; ConfigError names every fault.

        This one stays as it is until it is told to `become` that.
        """
        origin = self._origin
        return _load(self.path, is_named=origin is None or origin.is_named, to_run=origin is None or origin.to_run)

    def become(self, other: Config) -> None:
        """Be what `other` is from now on, for everyone who holds this one."""
        self.__dict__.clear()
        self.__dict__.update(other.__dict__)

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
            retry_on=None if given.retry_on is None else tuple(given.retry_on),
            discard_on=None if given.discard_on is None else tuple(given.discard_on),
            on_failure=notified(given.on_failure, self.file.allowed_jobs),
            command=command_of(given, self._absolute),
            group=given.group,
        )

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.folder, os.path.expanduser(path)))

    def _program(self, name: str) -> str:
        return name if os.path.basename(name) == name else self._absolute(name)


class _Origin(NamedTuple):
    """Where a configuration came from: its file as it was read, and by which rules it was found."""

    source: Source
    is_named: bool
    to_run: bool


class FoundSpool(NamedTuple):
    """The path of a config.json, the spool that it names, and what is wrong with its other keys."""

    path: str
    layout: Layout
    problems: list[str]


def _if_given(parse: Callable[[object], _Number], value: object) -> _Number | None:
    return None if value is None else parse(value)


def _keep(given: Kept) -> Keep:
    if not isinstance(given, KeepRule):
        return Keep(times.parse_duration(given))
    return Keep(math.inf if given.age is None else times.parse_duration(given.age), given.count)


def load_config(explicit: str | None = None, *, to_run: bool = False) -> Config:
    """Find and read config.json as `find_config` does, and return the configuration; ConfigError names every fault.

    `to_run`: its programs are to be started, so the users whose file is taken are fewer (`lookup.check_owners`), and the
    packages that its schedules need have to be there.
    """
    return _load(find_config(explicit), is_named=is_named(explicit), to_run=to_run)


def find_spool(explicit: str | None = None) -> FoundSpool:
    """Find config.json as `load_config` does, and return the spool it names, whatever is wrong with its other keys.

    So a dispatcher that goes on by the file it read before can be looked at, and paused, while the file is unfit. ConfigError
    names every fault when the spool cannot be made out.
    """
    path = find_config(explicit)
    found = read_file(path)
    raw = _json(path, found)
    try:
        layout, problems = parse_config(path, raw).layout, []
    except ConfigError as error:
        if not isinstance(raw, dict):
            raise
        bare = {"allowed_jobs": {}, **({"spool": raw["spool"]} if "spool" in raw else {})}
        if config_faults(bare):
            raise
        layout, problems = parse_config(path, bare).layout, error.problems
    if not is_named(explicit):
        check_owners(path, found, layout.root, to_run=False)
    refuse_links(layout)
    return FoundSpool(path, layout, problems)


def _json(path: str, found: FoundFile) -> Any:
    try:
        return orjson.loads(found.data)
    except orjson.JSONDecodeError as error:
        raise ConfigError(path, [f"not valid JSON: {error}"]) from None


def _load(path: str, *, is_named: bool, to_run: bool) -> Config:
    found = read_file(path)
    config = parse_config(path, _json(path, found))
    if not is_named:
        check_owners(path, found, config.layout.root, to_run=to_run)
    refuse_links(config.layout)
    if to_run:
        config.check_packages()
    config.came_from(Source(path, found), is_named=is_named, to_run=to_run)
    return config


def parse_config(path: str, raw: Any) -> Config:
    """Return the configuration in the JSON value `raw`, as if it had been read from `path`; ConfigError names every fault."""
    if not isinstance(raw, dict):
        raise ConfigError(path, ["must hold a JSON object"])
    found = config_faults(raw)
    if found:
        raise ConfigError(path, [str(fault) for fault in found])
    return Config(path, msgspec.convert(raw, ConfigFile))
