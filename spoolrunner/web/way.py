"""The way of one job through the folders, made out of what its file says, and the sentence that tells how it stands."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from spoolrunner.client.glance import Glance
from spoolrunner.client.look import Look
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.web import words
from spoolrunner.web.drawn_job import Stay

_SHORT = {
    "it is not due until": "its time",
    "no dispatcher": "a dispatcher",
    "the spool is paused": "the end of the pause",
    "its method is paused": "the end of the pause",
    "its group is paused": "the end of the pause",
    "it waits for": "other jobs",
    "it waits in a circle": "other jobs",
    "the dispatcher is blocked": "the dispatcher, which is blocked",
    "its method runs as often": "its limit",
    "its group": "its limit",
    "all ": "a slot",
    "an earlier job of this id": "another of its id",
}
"""The beginnings of the usual reasons, and what the job waits for then."""
_BEGINS = re.compile(r"^--- attempt (\d{1,9}) · (\S+ · pid \d+)$", re.MULTILINE)
"""The line that begins the output of an attempt."""
_NEVER_RAN = {
    Outcome.REJECTED: ("Refused, and never run.", "Mend the file, then retry it."),
    Outcome.CANCELLED: ("Cancelled.", "It will not start again by itself."),
    Outcome.EXPIRED: ("Expired before it could start.", "A retry takes its expires_at out."),
    Outcome.DEPENDENCY_FAILED: ("Never run: one that it waits for failed.", "It can be retried with that one."),
}


def stays(found: Look, seen: Glance | None, running_since: float | None, now: float) -> list[Stay]:
    """Return where the job lay, one after another; the last one is where it lies now. Empty when its file does not say."""
    raw, made = found.document or {}, []
    left = words.seconds_of(raw.get("created_at"))
    came_at = seen.came_at if seen is not None else now
    for number, attempt in enumerate(found.attempts, start=1):
        began, ended = words.seconds_of(attempt.get("started_at")), words.seconds_of(attempt.get("ended_at"))
        if began is None or ended is None:
            continue
        if left is not None:
            made.append(_waited(left, began, is_first=number == 1))
        made.append(_attempt(number, began, ended, str(attempt.get("outcome"))))
        left = ended
    begin = came_at if left is None else left
    return [*made, *_last(found, begin, came_at, running_since, now)]


def headline(found: Look, seen: Glance | None, reasons: list[str]) -> tuple[str, str]:
    """Return how the job stands, in a sentence, and what is to be known beside it."""
    starts = len(found.attempts)
    if found.state is State.PENDING:
        return _waiting(found, reasons)
    if found.state is State.RUNNING:
        return _running(seen, starts)
    if found.state is State.DONE:
        ran = "" if seen is None or seen.ran is None else f", in {words.duration(seen.ran)}"
        return (f"Done{ran}." if starts <= 1 else f"Done at start {starts}{ran}."), ""
    return _failed(found, starts)


def _waiting(found: Look, reasons: list[str]) -> tuple[str, str]:
    if found.problem:
        return "This file cannot be read.", "The dispatcher moves it to failed/, with the reason beside it."
    if not reasons:
        return "Nothing keeps it.", "It starts as soon as the dispatcher comes to it."
    kinds = list(dict.fromkeys(_in_short(reason) for reason in reasons))
    if "" in kinds:
        return f"Waits, for {'one reason' if len(reasons) == 1 else f'{len(reasons)} reasons'}.", ""
    joined = ", ".join(kinds[:-1]) + " and " + kinds[-1] if len(kinds) > 1 else kinds[0]
    return f"Waits for {joined}.", ""


def _in_short(reason: str) -> str:
    """What it waits for, by one of its reasons; "" for a reason that is not among the usual ones."""
    return next((short for beginning, short in _SHORT.items() if reason.startswith(beginning)), "")


def _running(seen: Glance | None, starts: int) -> tuple[str, str]:
    most = seen.most_starts if seen is not None else None
    return f"Runs, at start {starts + 1}{f' of {most}' if most else ''}.", ""


def _failed(found: Look, starts: int) -> tuple[str, str]:
    outcome = found.outcome or ""
    if found.problem:
        return "This file cannot be read.", "It was never run. Mend it, then retry it; or discard it."
    for known, (said, then) in _NEVER_RAN.items():
        if outcome == known:
            return said, then
    cause = str(found.error.get("type") or outcome.replace("_", " ") or "it failed")
    many = words.plural(starts, "start") if starts else "no start"
    return f"Given up after {many}: {cause}.", "It will not start again by itself."


def _waited(begin: float, end: float, *, is_first: bool) -> Stay:
    length = max(0.0, end - begin)
    told = words.duration(length) if is_first else f"again in {words.duration(length)}"
    return Stay("pending", length, words.clock(begin, "hms"), told)


def _attempt(number: int, began: float, ended: float, outcome: str) -> Stay:
    length = max(0.0, ended - began)
    told = f"{number}: {words.duration(length)}"
    return Stay("running", length, words.clock(began, "hms"), told, has_failed=outcome != Outcome.SUCCEEDED)


def _last(found: Look, left: float, came_at: float, running_since: float | None, now: float) -> list[Stay]:
    state = found.state.value
    if found.state is State.RUNNING:
        began = running_since if running_since is not None else came_at
        number = len(found.attempts) + 1
        runs = Stay(
            state, max(0.0, now - began), words.clock(began, "hms"), f"{number}: {words.duration(now - began)} so far"
        )
        return [_waited(left, began, is_first=number == 1), runs] if began - left > 0 else [runs]
    begin = left if found.state is State.PENDING else came_at
    length = max(0.0, now - begin)
    told = "waits for" if found.state is State.PENDING else "for"
    return [Stay(state, length, words.clock(begin, "hms"), f"{told} {words.duration(length)}")]


def sentence(shown: list[Stay]) -> str:
    """Return the way in words, for those who do not see the drawing."""
    parts: dict[str, int] = {}
    for stay in shown:
        parts[stay.folder] = parts.get(stay.folder, 0) + 1
    attempts = parts.get("running", 0)
    last = shown[-1]
    tries = f"{words.plural(attempts, 'attempt')}, and then " if attempts else ""
    return f"{tries}in {last.folder}/ {last.words}"


class Printed(NamedTuple):
    """What one attempt printed: its number, the rest of the line that begins it, the text; 0 and "" where that is cut off."""

    number: int
    head: str
    text: str


def output(text: str) -> list[Printed]:
    """Return what a job printed, by attempt, the last one first."""
    parts = _BEGINS.split(text)
    made = [Printed(0, "", parts[0].strip("\n"))] if parts[0].strip() else []
    for number, head, printed in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        made.append(Printed(int(number), head, printed.strip("\n")))
    return made[::-1]


def shown_error(error: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the lines of a traceback, each with whether it is code or the error itself, and not a place."""
    text = str(error.get("traceback") or "").rstrip("\n")
    last = ": ".join(str(part) for part in (error.get("type"), error.get("message")) if part)
    lines = text.split("\n") if text else []
    if not lines or (last and last.split("\n", maxsplit=1)[0] not in text):
        lines += last.split("\n") if last else []
    return [(line, not line.startswith(("  File ", "Traceback (most"))) for line in lines]
