"""What follows from an outcome: one pure function.

Knows no files, no clock and no dice: the time and the random number are given. The retry budget is always derived from
the attempts themselves, never from a counter that could be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, MAX_INTERRUPTIONS, Outcome, Verdict


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
