"""The rule that turns an outcome into a verdict: done, retry or failed. One pure function.

Reads no files and no clock: the time and a random number are given. How many retries are left is always counted from the
attempts themselves, never kept in a counter that could be wrong. Light: every job's process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, MAX_INTERRUPTIONS, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, the retries used since the last final one and, with RETRY, `next_run_at` in seconds since 1970."""

    verdict: Verdict
    retries: int
    next_run_at: float | None = None


def since_final(attempts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the attempts after the last final verdict. Only these use up retries, so a retry by hand begins afresh."""
    for index in range(len(attempts) - 1, -1, -1):
        if attempts[index].get("verdict") in FINAL:
            return attempts[index + 1 :]
    return attempts


def decide(
    outcome: Outcome, policy: Policy, attempts: Sequence[Mapping[str, Any]], now: float, dice: float
) -> Decision:
    """Return the verdict on an attempt that ended with `outcome`; `attempts` are the earlier ones of the document.

    `now` is in seconds since 1970, `dice` a random number in [0, 1). The first MAX_INTERRUPTIONS interrupted attempts use up no
    retry; of all other starts a job has 1 + `max_retries`.
    """
    earlier = since_final(attempts)
    interruptions = len([1 for attempt in earlier if attempt.get("outcome") == Outcome.INTERRUPTED])
    used = len(earlier) - min(interruptions, MAX_INTERRUPTIONS)
    if outcome is Outcome.SUCCEEDED:
        return Decision(Verdict.DONE, used)
    if outcome in (Outcome.CANCELLED, Outcome.REJECTED, Outcome.EXPIRED, Outcome.DEPENDENCY_FAILED):
        return Decision(Verdict.FAILED, used)
    if outcome is Outcome.INTERRUPTED and interruptions < MAX_INTERRUPTIONS:
        return Decision(Verdict.RETRY, used, now)
    if outcome is Outcome.CRASHED and policy.on_crash == "fail":
        return Decision(Verdict.FAILED, used)
    if used >= policy.max_retries:
        return Decision(Verdict.FAILED, used)
    return Decision(Verdict.RETRY, used + 1, now + policy.pause(used + 1, dice))
