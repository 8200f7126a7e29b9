"""The rule that turns an outcome into a verdict: done, retry or failed. One pure function.

Reads no files and no clock: the time and a random number are given. How many retries are left is always counted from the
attempts themselves, never kept in a counter that could be wrong. Light: every job's process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, MAX_INTERRUPTIONS, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, the retries used since the last final one and, with RETRY, `next_run_at` in seconds since 1970.

    `no_retry` says why an attempt that failed is not tried again although the budget lasts; empty otherwise.
    """

    verdict: Verdict
    retries: int
    next_run_at: float | None = None
    no_retry: str = ""


class Said(NamedTuple):
    """What a failed attempt says of its next one, as its process left it.

    `kinds` are the names of the classes of its exception, the nearest first; `after` is the pause in seconds that it asks for,
    None for the usual one.
    """

    kinds: Sequence[str] = ()
    after: float | None = None


NOTHING_SAID = Said()
RETRY, DISCARD = "spoolrunner.Retry", "spoolrunner.Discard"
"""The names of what a job raises to say what follows (`protocol.asked`)."""
PROGRAM_ERROR = "ProgramError"
"""The name of the failure of a command whose program did not end with status 0 (`attempt.command`)."""


def since_final(attempts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the attempts after the last final verdict. Only these use up retries, so a retry by hand begins afresh."""
    for index in range(len(attempts) - 1, -1, -1):
        if attempts[index].get("verdict") in FINAL:
            return attempts[index + 1 :]
    return attempts


def decide(
    outcome: Outcome,
    policy: Policy,
    attempts: Sequence[Mapping[str, Any]],
    now: float,
    dice: float,
    said: Said = NOTHING_SAID,
) -> Decision:
    """Return the verdict on an attempt that ended with `outcome`; `attempts` are the earlier ones of the document.

    `now` is in seconds since 1970, `dice` a random number in [0, 1). The first MAX_INTERRUPTIONS interrupted attempts use up no
    retry; of all other starts a job has 1 + `max_retries`. What was `said` counts for an attempt that failed, and for no other.
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
    no_retry = _no_retry(policy, said) if outcome is Outcome.FAILED else ""
    if no_retry or used >= policy.max_retries:
        return Decision(Verdict.FAILED, used, no_retry=no_retry if used < policy.max_retries else "")
    asked = said.after if outcome is Outcome.FAILED else None
    return Decision(Verdict.RETRY, used + 1, now + (policy.pause(used + 1, dice) if asked is None else asked))


def _no_retry(policy: Policy, said: Said) -> str:
    """Return why an attempt that failed is not to be tried again; "" when it may be.

    The nearest class of its exception that either list names decides, so that a list may make an exception of the other. A
    name in both is in `discard_on`.
    """
    if RETRY in said.kinds:
        return ""
    if DISCARD in said.kinds:
        return "it raised Discard"
    for kind in said.kinds:
        if kind in policy.discard_on:
            return f"discard_on names {kind}"
        if kind in policy.retry_on:
            return ""
    return "retry_on does not name its exception" if policy.retry_on else ""
