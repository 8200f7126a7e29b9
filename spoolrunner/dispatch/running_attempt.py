"""An attempt that runs, as the dispatcher knows it: under which policy, since when, and how far its end has come."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.dispatch.postponed import Key
from spoolrunner.executors.base import AttemptKey
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool.settling_rules import LookedAt, Usage
from spoolrunner.telling.line_format import Who

LET_GO_SECONDS = 1.0
"""Seconds that a child which was forked just before its job ended has to close its copy of the lock."""


@dataclass(slots=True)
class Termination:
    """Why and when (monotonic) an attempt is ended."""

    outcome: Outcome
    note: str
    terminate_at: float
    kill_at: float
    terminated: bool = False
    killed_at: float | None = None


@dataclass(slots=True)
class Clearing:
    """When (monotonic) what an attempt left is killed that was asked to end."""

    kill_at: float


@dataclass(slots=True)
class RunningAttempt:
    """An attempt that runs under `policy`, started at `started` (monotonic); `started_at` is the same as RFC 3339.

    It cannot be overdue before `deadline` (monotonic). `looked_at` is its file as it was claimed; None if it is adopted.
    `starts` is the number of the last attempt there may be. `status` and `usage` are those of its process, when it has ended.
    `is_kept_off`: nothing of it is left, but it cannot be settled, since a file of it is refused to us.
    `aside_until` (monotonic): a stop that comes before that is what ended it; None if it did not end so. `clearing`: its
    process is gone, and what it left is being ended. `held_since`: its lock was found to outlive its process then.
    `never_started`: no process was to be had for it, so that it is released, and nothing is counted.
    """

    key: AttemptKey
    job: str
    method: str
    policy: Policy
    deadline: float
    started: float
    started_at: str
    starts: int
    looked_at: LookedAt | None = None
    termination: Termination | None = None
    has_exited: bool = False
    status: int | None = None
    usage: Usage | None = None
    is_kept_off: bool = False
    aside_until: float | None = None
    clearing: Clearing | None = None
    held_since: float | None = None
    never_started: bool = False

    @property
    def adopted(self) -> bool:
        """Whether an earlier dispatcher started it."""
        return self.looked_at is None

    def is_held_too_long(self, now: float) -> bool:
        """Whether its lock, which has outlived its process until now, has done so for LET_GO_SECONDS."""
        self.held_since = now if self.held_since is None else self.held_since
        return now - self.held_since >= LET_GO_SECONDS

    @property
    def holds(self) -> tuple[Key, ...]:
        """The keys that others may have to wait for while it runs."""
        method = "method", self.job, self.method
        return (method, ("group", self.policy.group)) if self.policy.group else (method,)

    @property
    def is_being_ended(self) -> bool:
        """Whether it, or what it left, is being ended."""
        return self.termination is not None or self.clearing is not None

    @property
    def who(self) -> Who:
        """Which attempt it is, for events."""
        return Who(self.key.job_id, self.job, self.method, self.key.number, self.starts)
