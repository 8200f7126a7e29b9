"""What follows from an outcome: one pure function, and the policy it obeys.

Knows no files, no clock and no dice: the time and the random number are given. The retry budget is always derived from
the attempts themselves, never from a counter that could be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spoolrunner.states import FINAL, MAX_INTERRUPTIONS, Outcome, Verdict

_MAX_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class Policy:
    """How a job is run. Durations in seconds, memory in bytes; None means no limit."""

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

    @property
    def limits_its_process(self) -> bool:
        """Whether the process is held to anything by the operating system."""
        return self.no_new_privileges or any((self.memory, self.cpu_time, self.open_files))

    def override(self, **changes: Any) -> Policy:
        """This policy with those of `changes` that are not None."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **given) if given else self

    def pause(self, retries: int, dice: float) -> float:
        """Seconds to wait before retry number `retries` (from 1): interval, doubled each time if exponential, capped.

        `dice` in [0, 1) takes off up to `retry_jitter` of it, so that jobs which failed together do not return together.
        """
        pause = self.retry_interval
        if self.retry_backoff == "exponential":
            pause *= 2.0 ** min(retries - 1, _MAX_EXPONENT)
        return min(pause, self.retry_max_interval) * (1.0 - self.retry_jitter * dice)


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; `next_run_at` in seconds since 1970 with RETRY, `retries` used so far since the last final verdict."""

    verdict: Verdict
    retries: int
    next_run_at: float | None = None


def since_final(attempts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The attempts after the last final verdict: those the budget counts. A hand-made retry thus begins afresh."""
    for index in range(len(attempts) - 1, -1, -1):
        if attempts[index].get("verdict") in FINAL:
            return attempts[index + 1 :]
    return attempts


def decide(
    outcome: Outcome, policy: Policy, attempts: Sequence[Mapping[str, Any]], now: float, dice: float
) -> Decision:
    """The verdict on an attempt that ended with `outcome` after the earlier `attempts` of the document.

    Interrupted attempts are free, five times a job; every other start uses one of 1 + `max_retries`.
    """
    earlier = since_final(attempts)
    interruptions = len([1 for attempt in earlier if attempt.get("outcome") == Outcome.INTERRUPTED])
    used = len(earlier) - min(interruptions, MAX_INTERRUPTIONS)
    if outcome is Outcome.SUCCEEDED:
        return Decision(Verdict.DONE, used)
    if outcome in (Outcome.CANCELLED, Outcome.REJECTED, Outcome.EXPIRED):
        return Decision(Verdict.FAILED, used)
    if outcome is Outcome.INTERRUPTED and interruptions < MAX_INTERRUPTIONS:
        return Decision(Verdict.RETRY, used, now)
    if outcome is Outcome.CRASHED and policy.on_crash == "fail":
        return Decision(Verdict.FAILED, used)
    if used >= policy.max_retries:
        return Decision(Verdict.FAILED, used)
    return Decision(Verdict.RETRY, used + 1, now + policy.pause(used + 1, dice))
