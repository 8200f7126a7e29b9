"""The record of an attempt: what it adds to the document, and how the document replaces running/ID.json.

The dispatcher alone records, under the job's lock, what the job's process left and what became of that process. Owns the shape
of an attempt in the document; the verdict is made in `verdict`.
"""

from __future__ import annotations

import os
import random
from typing import Any

from spoolrunner.protocol import document, jsontext, signing
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Event, Outcome, State, Verdict, transition
from spoolrunner.protocol.verdict import NOTHING_SAID, Decision, Said, decide
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.spool.missing import folder_of
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable, machine
from spoolrunner.system.clock import format_time
from spoolrunner.system.times import parse_time

_TRIM_BYTES = jsontext.MAX_BYTES // 2
_SHORT_BYTES = 200
_KEPT_WHOLE = 100
"""The last attempts of a long history, of which more than number, outcome and verdict is kept."""
_user = getattr(os, "geteuid", None)
REPLACES = "replaces"
"""The key of the files that a document took the place of: [inode, size, time of the last change in nanoseconds] of each."""
_MAX_REPLACES = 64
"""More records than that are hardly made of a job between two moments at which a file system keeps all that it has."""
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_CUT = "\n  … cut …\n".encode()
_REPLACED = ("delay", "next_run_at", "retries", "attempts", "result", "signature")
"""Keys that a record takes out of a document; some of them are then set anew."""


def attempt(number: int, outcome: Outcome, started_at: str, ended: float, **facts: Any) -> dict[str, Any]:
    """Return an attempt as it stands in a document, without its verdict; `ended` is in seconds since 1970, None is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    times = {"started_at": started_at, "ended_at": format_time(ended)}
    return {"number": number, "outcome": str(outcome), **times, "host": machine.host(), **known}


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


def add(
    raw: dict[str, Any],
    made: dict[str, Any],
    policy: Policy,
    now: float,
    result: Any = None,
    said: Said = NOTHING_SAID,
) -> tuple[dict[str, Any], Decision]:
    """Return the document with the attempt `made`, its verdict and its result, and the decision; `raw` is not changed.

    `now` is in seconds since 1970; a result of None is left out. `said` is what a failed attempt says of its next one.
    """
    attempts = list(raw.get("attempts", []))
    outcome = _OUTCOMES[made["outcome"]]
    decision = decide(outcome, policy, attempts, now, 0.0 if outcome is Outcome.SUCCEEDED else _dice(), said)
    if decision.verdict is Verdict.RETRY and len(attempts) + 1 >= document.MAX_ATTEMPTS:
        decision = Decision(Verdict.FAILED, decision.retries)
    made = {**made, "verdict": str(decision.verdict)}
    if decision.no_retry:
        made["no_retry"] = decision.no_retry
    problem = document.attempt_problem(made)
    if problem:
        made, result = _without_what_it_left(made, problem, now), None
    attempts.append(made)
    changed = {key: value for key, value in raw.items() if key not in _REPLACED}
    if decision.verdict is Verdict.RETRY and decision.next_run_at is not None:
        changed["next_run_at"] = format_time(decision.next_run_at)
    changed["retries"] = decision.retries
    changed["attempts"] = attempts
    if result is not None:
        changed["result"] = result
    return changed, decision


def replacing(layout: Layout, job_id: str, changed: dict[str, Any], stamp: Stamp) -> dict[str, Any]:
    """Return the document with a note that it takes the place of running/ID.json, the file with that stamp.

    A power cut may leave both names, in two folders: then the note tells which one has gone on. What the file itself says that
    it has replaced is kept if this user wrote it: the note is believed later, and another one may have made it up.
    """
    return {**changed, REPLACES: replaced(changed, layout.running(job_id), stamp)}


def replaced(raw: dict[str, Any], path: str, stamp: Stamp) -> list[list[int]]:
    """Return the note of which files are replaced by what takes the place of the one at `path`: its document and stamp."""
    earlier: list[list[int]] = raw.get(REPLACES, [])
    if earlier and not is_own(path):
        earlier = []
    if len(earlier) >= _MAX_REPLACES:
        earlier = [earlier[0], *earlier[2 - _MAX_REPLACES :]]  # the first one stays: it tells which job this is
    return [*earlier, list(stamp)]


def is_own(path: str) -> bool:
    """Return whether the file belongs to the user of this process; never where files have no such owners."""
    if _user is None:
        return False
    try:
        return bool(os.stat(path, follow_symlinks=False).st_uid == _user())
    except FileNotFoundError:
        return False


def _without_what_it_left(made: dict[str, Any], problem: str, now: float) -> dict[str, Any]:
    """Return the attempt with nothing that a job's process may have made: a document with the rest would not be read again."""
    known = {name: made[name] for name in ("number", "outcome", "verdict", "host")}
    return {**known, "ended_at": format_time(now), "error": error("RecordError", f"what its process left: {problem}")}


def _dice() -> float:
    """Return a random number in [0, 1)."""
    return random.random()


def encoded(job_id: str, changed: dict[str, Any], key: bytes | None = None) -> bytes:
    """Return the document as the bytes of running/ID.json, signed with `key` if there is one."""
    data = jsontext.encode(changed)
    if len(data) > _TRIM_BYTES:
        changed = _shortened(changed)
        data = jsontext.encode(changed)
    return data if key is None else signing.sign(key, job_id, changed)


def commit(layout: Layout, job_id: str, data: bytes, fsync: bool) -> None:
    """Make `data` the content of running/ID.json, synced if `fsync`; OSError when it cannot be, and the file is as it was.

    The caller holds the job's lock.
    """
    for error in commit_many(layout, {job_id: data}, fsync).values():
        raise error


def commit_many(layout: Layout, files: dict[str, bytes], fsync: bool) -> dict[str, OSError]:
    """Do the same for many jobs at once, id -> content; returns the errors of those that are as they were.

    OSError when running/ cannot be synced: those that are not as they were are recorded, but perhaps not for good.
    """
    transition(State.RUNNING, Event.OUTCOME)  # the file stays where it is: this row has no other target
    staged = [(layout.stage(), layout.running(job_id), data) for job_id, data in files.items()]
    errors = durable.replace_many(staged, fsync)
    found = {job_id: error for job_id, error in zip(files, errors, strict=True) if error is not None}
    if any(isinstance(error, FileNotFoundError) for error in found.values()):
        missing = folder_of(layout.tmp, layout.running_folder)
        return {job_id: missing or error for job_id, error in found.items()}
    return found


def _shortened(changed: dict[str, Any]) -> dict[str, Any]:
    """Return the document with less of all attempts but the last, so that it can still be read.

    Their texts are cut short; of all but the last hundred only number, outcome and verdict are kept when that is not enough.
    """
    *old, last = changed["attempts"]
    made = {**changed, "attempts": [*_with_short_texts(old), last]}
    if len(jsontext.encode(made)) > _TRIM_BYTES:
        bare = [{key: one[key] for key in ("number", "outcome", "verdict")} for one in old[:-_KEPT_WHOLE]]
        made["attempts"] = [*bare, *_with_short_texts(old[-_KEPT_WHOLE:]), last]
    return made


def _with_short_texts(attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: _shorter(value) for key, value in made.items()} for made in attempts]


def _shorter(value: Any) -> Any:
    """Return a value of an attempt, a text cut to _SHORT_BYTES; an error, the one object there, without its traceback."""
    if isinstance(value, dict):
        return {**{key: _cut(str(text), _SHORT_BYTES) for key, text in value.items()}, "traceback": "(dropped)"}
    is_long = isinstance(value, str) and len(value) > _SHORT_BYTES // 4  # a character has four bytes at most
    return _cut(value, _SHORT_BYTES) if is_long else value
