"""How a job is run: its time, its retries, what its process may use.

The operator sets a policy for each method; a document may override some of it, within the operator's limits. Reads no files
and no clock. Light: every job's process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.names import GROUP_RULE, is_group
from spoolrunner.system import times

if TYPE_CHECKING:
    from spoolrunner.protocol.argv import Command

OVERRIDES = ("timeout", "max_retries", "priority", "group")
"""The keys of a document that override its method's policy."""
TOLD = ("id", "outcome", "error")
"""What a job of `on_failure` is told of the one that failed."""
_MAX_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that any document may ask for: `timeout` in seconds, and a number of retries."""

    timeout: float
    max_retries: int


class OnFailure(NamedTuple):
    """What is told of a failure for good: a method, by `TOLD`; a command by those of them that it has places for, as words."""

    job: str
    method: str
    words: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How a job is run. Durations are in seconds, memory in bytes; None means no limit.

    `leftovers`: what becomes of the processes that an attempt has started and that outlive it, "end" or "leave".
    `retry_on` and `discard_on` are names of exceptions (`verdict.decide`). `on_failure` is told of a
    failure for good.
    """

    timeout: float = 3600.0
    max_retries: int = 3
    retry_interval: float = 300.0
    retry_backoff: str = "exponential"
    retry_max_interval: float = 6 * 3600.0
    retry_jitter: float = 0.1
    on_crash: str = "retry"
    concurrency: int | None = None
    priority: int = 0
    memory: int | None = None
    cpu_time: float | None = None
    open_files: int | None = None
    no_new_privileges: bool = False
    leftovers: str = "end"
    retry_on: tuple[str, ...] = ()
    discard_on: tuple[str, ...] = ()
    on_failure: OnFailure | None = None
    command: Command | None = None
    hooks: tuple[str, str, str] | None = None
    group: str | None = None

    @property
    def process_limits(self) -> tuple[int | None, float | None, int | None, bool] | None:
        """What the system must keep the job's process within, as an assignment has it; None when there is nothing."""
        if not (self.no_new_privileges or self.memory or self.cpu_time or self.open_files):
            return None
        return self.memory, self.cpu_time, self.open_files, self.no_new_privileges

    def override(self, **changes: Any) -> Policy:
        """Return this policy with the values in `changes`; a value of None changes nothing."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **given) if given else self

    def check_params(self, params: object) -> None:
        """Raise JobFormatError when the job is a command that cannot be filled with these parameters."""
        if self.command is not None:
            self.command.template.fill(params)

    def pause(self, retries: int, dice: float) -> float:
        """Return the seconds to wait before retry number `retries`, which counts from 1.

        That is `retry_interval`, doubled for each further retry if exponential, at most `retry_max_interval`. `dice`, a random
        number in [0, 1), takes off up to `retry_jitter` of it, so that jobs which failed together do not return together.
        """
        pause = self.retry_interval
        if self.retry_backoff == "exponential":
            pause *= 2.0 ** min(retries - 1, _MAX_EXPONENT)
        return min(pause, self.retry_max_interval) * (1.0 - self.retry_jitter * dice)


def job_policy(wanted: Mapping[str, Any], method_policy: Policy, limits: Limits) -> Policy:
    """Return the policy of a job: that of its method, with the values that `wanted` has under the keys OVERRIDES.

    A key that is missing or None overrides nothing. JobFormatError when a value is of the wrong kind, or more than `limits`
    allow; `wanted` may be a document that nobody has checked.
    """
    timeout, retries, priority, group = map(wanted.get, OVERRIDES)
    if timeout is None and retries is None and priority is None and group is None:
        return method_policy
    if priority is not None and type(priority) is not int:
        raise JobFormatError("priority", f"{priority!r} is not an integer")
    return method_policy.override(
        timeout=None if timeout is None else _timeout(timeout, limits.timeout),
        max_retries=None if retries is None else _max_retries(retries, limits.max_retries),
        priority=priority,
        group=None if group is None else _group(group, method_policy.group),
    )


def _group(value: object, fixed: str | None) -> str:
    if not isinstance(value, str) or not is_group(value):
        raise JobFormatError("group", f"{value!r} is no group, which is {GROUP_RULE}")
    if fixed is not None:
        raise JobFormatError("group", f"the operator has put every job of this method into {fixed!r}: leave it out")
    return value


def _timeout(value: object, limit: float) -> float:
    try:
        seconds = times.parse_duration(value)
    except ValueError as error:
        raise JobFormatError("timeout", str(error)) from None
    if seconds == 0:
        raise JobFormatError("timeout", "must be more than 0 seconds")
    if seconds > limit:
        raise JobFormatError("timeout", f"{value!r} is more than the operator allows ({limit:g} s, timeout_limit)")
    return seconds


def _max_retries(value: object, limit: int) -> int:
    if type(value) is not int or value < 0:
        raise JobFormatError("max_retries", f"{value!r} is not a number of retries, which is an integer from 0 on")
    if value > limit:
        raise JobFormatError("max_retries", f"{value} is more than the operator allows ({limit}, max_retries_limit)")
    return value
