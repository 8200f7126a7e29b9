"""The record of an attempt: what it adds to the document, and how the document replaces running/ID.json.

The runner records its own attempt; the dispatcher records one whose process died without a record. Both hold the job's lock.
Owns the shape of an attempt in the document; the verdict is made in `verdict`. Light: every job's process imports it.
"""

from __future__ import annotations

import os
from typing import Any

from spoolrunner.protocol import jsontext
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Event, Outcome, State, Verdict, transition
from spoolrunner.protocol.verdict import Decision, decide
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable, processes
from spoolrunner.system.clock import format_time, parse_time

_TRIM_BYTES = jsontext.MAX_BYTES // 2
_SHORT_BYTES = 200
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_CUT = "\n  … cut …\n".encode()
_REPLACED = ("delay", "next_run_at", "retries", "attempts", "result", "signature")
"""Keys that a record takes out of a document; some of them are then set anew."""


def attempt(number: int, outcome: Outcome, started_at: str, ended: float, **facts: Any) -> dict[str, Any]:
    """Return an attempt as it stands in a document, without its verdict; `ended` is in seconds since 1970, None is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    times = {"started_at": started_at, "ended_at": format_time(ended)}
    return {"number": number, "outcome": str(outcome), **times, "host": processes.host(), **known}


def duration(made: dict[str, Any]) -> float | None:
    """Return the seconds that an attempt took, or None when it has no start or no end."""
    if not made.get("started_at") or not made.get("ended_at"):
        return None
    return max(0.0, parse_time(made["ended_at"]) - parse_time(made["started_at"]))


def error(kind: str, message: str, traceback: str = "") -> dict[str, str]:
    """Return an error for an attempt. Long texts are cut in the middle, since both ends are the most useful."""
    return {key: _cut(text) for key, text in {"type": kind, "message": message, "traceback": traceback}.items() if text}


def _cut(text: str, limit: int = jsontext.MAX_TRACEBACK_BYTES) -> str:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        half = (limit - len(_CUT)) // 2
        data = data[:half] + _CUT + data[-half:]
    return data.decode("utf-8", "ignore")


def add(raw: dict[str, Any], made: dict[str, Any], policy: Policy, now: float) -> tuple[dict[str, Any], Decision]:
    """Return the document with the attempt `made` and its verdict, and the decision; `raw` is not changed.

    `now` is in seconds since 1970.
    """
    attempts = list(raw.get("attempts", []))
    outcome = _OUTCOMES[made["outcome"]]
    decision = decide(outcome, policy, attempts, now, 0.0 if outcome is Outcome.SUCCEEDED else _dice())
    attempts.append({**made, "verdict": str(decision.verdict)})
    changed = {key: value for key, value in raw.items() if key not in _REPLACED}
    if decision.verdict is Verdict.RETRY and decision.next_run_at is not None:
        changed["next_run_at"] = format_time(decision.next_run_at)
    changed["retries"] = decision.retries
    changed["attempts"] = attempts
    return changed, decision


def _dice() -> float:
    """Return a random number in [0, 1). Not by `random`, which is seeded anew after each fork, at a tenth of a fork's cost."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def commit(layout: Layout, job_id: str, changed: dict[str, Any], fsync: bool, key: bytes | None = None) -> None:
    """Make `changed` the content of running/ID.json, synced if `fsync`, signed with `key` if there is one.

    The caller holds the job's lock. OSError when the spool cannot be written; the file is then as it was.
    """
    transition(State.RUNNING, Event.OUTCOME)  # the file stays where it is: this row has no other target
    data = jsontext.encode(changed)
    if len(data) > _TRIM_BYTES:
        changed = _shortened(changed)
        data = jsontext.encode(changed)
    if key is not None:
        from spoolrunner.protocol import signing

        data = signing.sign(key, job_id, changed)
    durable.replace_content(layout.stage(), layout.running(job_id), data, fsync)


def _shortened(changed: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the errors of all attempts but the last cut short, so that it can still be read."""
    *old, last = changed["attempts"]
    slim = []
    for made in old:
        fault = made.get("error")
        if fault:
            short = {key: _cut(str(text), _SHORT_BYTES) for key, text in fault.items()}
            made = {**made, "error": {**short, "traceback": "(dropped)"}}  # noqa: PLW2901 -- the same attempt, shorter
        slim.append(made)
    return {**changed, "attempts": [*slim, last]}
