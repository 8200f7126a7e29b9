"""What a list shows of a job, remembered while its file stays as it is: for one who looks at many jobs again and again.

    glances = Glances(settings)
    found = glances.of(State.FAILED, "20261123-174501-123456-7f3a9c")
    found.kind, found.error_type, found.came_at

A glance is small, whatever the file holds: texts are cut. For the whole of a job there is `look`.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from spoolrunner.client.look import Look, look
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document, jsontext
from spoolrunner.protocol.policy import Policy, job_policy
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival
from spoolrunner.system import clock
from spoolrunner.system.times import parse_time

MOST_KEPT = 20_000
"""Glances that are remembered, each of about a kilobyte; what was asked for longest ago makes room."""
_MOST_OF_TEXT = 240
"""Characters of a text that are kept."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What is known of a job by its file. Times are in seconds since 1970, durations in seconds; None is what it does not say.

    `kind` is JOB.METHOD, and "" where the file has none. `came_at` is when it came to its folder, `size` in bytes. `starts` are
    those it has had, `most_starts` those it may have. `errors` are the words by which a filter finds it, `error` the message.
    `due_at` and `priority` are of a job that waits. `waited` is from when it was made, or was due, to its first start; `ran`
    is how long the last attempt took. `problem` is why it cannot be read or will be refused.
    """

    id: str
    state: State
    came_at: float
    size: int
    job: str = ""
    method: str = ""
    group: str = ""
    starts: int = 0
    most_starts: int | None = None
    outcome: str = ""
    errors: tuple[str, ...] = ()
    error_type: str = ""
    error: str = ""
    result: str = ""
    due_at: float | None = None
    priority: int = 0
    waited: float | None = None
    ran: float | None = None
    after: tuple[str, ...] = ()
    schedule: str = ""
    delay: str = ""
    problem: str = ""

    @property
    def kind(self) -> str:
        """JOB.METHOD, as a pause and `--kind` have it."""
        return f"{self.job}.{self.method}".strip(".")


_Stamp = tuple[int, int, int, int]


class Glances:
    """Glances at the jobs of one spool; many threads may ask."""

    def __init__(self, settings: Config, most: int = MOST_KEPT) -> None:
        self._settings = settings
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[State, str], tuple[_Stamp, Glance]] = OrderedDict()

    def use(self, settings: Config) -> None:
        """Judge by that configuration from now on; what was seen by another one is forgotten."""
        with self._lock:
            if settings is not self._settings:
                self._settings = settings
                self._kept.clear()

    def of(self, state: State, name: str) -> Glance | None:
        """Return what is to be known of that job; None when it does not lie there any more."""
        try:
            status = os.lstat(self._settings.layout.job(state, name))
        except FileNotFoundError:
            return None
        except OSError as error:  # a name too long for the system, a folder that may not be entered
            return Glance(name, state, 0.0, 0, problem=f"cannot be looked at: {error.strerror}")
        stamp = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        key = state, name
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == stamp:
                self._kept.move_to_end(key)
                return kept[1]
        found = look(self._settings.layout, state, name)
        if found is None:
            return None
        made = _glance(self._settings, found, status)
        with self._lock:
            self._kept[key] = stamp, made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made

    def is_known(self, state: State, name: str) -> bool:
        """Return whether that job was seen before, so that asking for it again costs little."""
        return (state, name) in self._kept


def start_key(found: Glance, settings: Config, now: float) -> tuple[float, float, float, str]:
    """Return by what waiting jobs are sorted into the order in which they start; what will be refused comes last."""
    if found.due_at is None:
        return (2.0, 0.0, 0.0, found.id)
    if found.due_at > now:
        return (1.0, found.due_at, float(found.priority), found.id)
    if settings.priority_aging:
        return (0.0, found.due_at - found.priority * settings.priority_aging, found.due_at, found.id)
    return (0.0, -float(found.priority), found.due_at, found.id)


def _glance(settings: Config, found: Look, status: os.stat_result) -> Glance:
    raw = found.document
    came_at, size = arrival.came_at(status), status.st_size
    if raw is None:
        return Glance(found.id, found.state, came_at, size, problem=_cut(found.problem), **_error(found))
    policy, problem = _policy(settings, raw)
    attempts = found.attempts
    waiting = _waiting(raw, status) if found.state is State.PENDING else {}
    return Glance(
        found.id,
        found.state,
        came_at,
        size,
        job=_text(raw.get("job")),
        method=_text(raw.get("method")),
        group=_text((policy and policy.group) or raw.get("group")),
        starts=len(attempts),
        most_starts=None if policy is None else policy.max_retries + 1,
        result=_result(raw) if found.state is State.DONE else "",
        priority=0 if policy is None else policy.priority,
        waited=_waited(raw, attempts),
        ran=_between(attempts[-1], "started_at", "ended_at") if attempts else None,
        after=_after(raw.get("after")),
        schedule=_text(_object(raw.get("meta")).get("schedule")),
        delay=_text(raw.get("delay")) if "delay" in raw else "",
        **{"problem": problem, **waiting},
        **_error(found),
    )


def _error(found: Look) -> dict[str, Any]:
    """What went wrong, in the words of Glance."""
    error, reason, outcome = found.error, found.reason or {}, found.outcome or ""
    kind = _text(error.get("type"))
    words = dict.fromkeys(word for word in (outcome, kind, kind.rpartition(".")[2]) if word)
    what = reason.get("what") or error.get("message")
    return {"outcome": _cut(outcome), "errors": tuple(words), "error_type": kind, "error": _text(what)}


def _policy(settings: Config, raw: dict[str, Any]) -> tuple[Policy | None, str]:
    job, method = str(raw.get("job")), str(raw.get("method"))
    policy = settings.allowed.get(job, {}).get(method)
    if policy is None:
        return None, f"{job}.{method} is not in allowed_jobs"[:_MOST_OF_TEXT]
    try:
        return job_policy(raw, policy, settings.limits), ""
    except (JobFormatError, TypeError, ValueError) as error:
        return policy, _cut(str(error))


def _waiting(raw: dict[str, Any], status: os.stat_result) -> dict[str, Any]:
    """When it is due; why it will be refused, when it will."""
    try:
        checked = document.check(raw)
    except JobFormatError as error:
        return {"problem": _cut(str(error))}
    came_at = arrival.came_at(status)
    return {"due_at": document.due_at(checked, status.st_mtime_ns / 1e9, came_at, clock.SYSTEM.wall())}


def _waited(raw: dict[str, Any], attempts: list[dict[str, Any]]) -> float | None:
    began = _time(attempts[0].get("started_at")) if attempts else None
    made = _time(raw.get("created_at"))
    return None if began is None or made is None else max(0.0, began - made)


def _between(attempt: dict[str, Any], first: str, last: str) -> float | None:
    begin, end = _time(attempt.get(first)), _time(attempt.get(last))
    return None if begin is None or end is None else max(0.0, end - begin)


def _time(text: Any) -> float | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _result(raw: dict[str, Any]) -> str:
    if raw.get("result") is None:
        return ""
    return _cut(jsontext.encode_told(raw["result"]).decode("utf-8", "replace"))


def _after(given: Any) -> tuple[str, ...]:
    names = given.get("jobs") if isinstance(given, dict) else given
    return tuple(_text(name) for name in names[:20]) if isinstance(names, list) else ()


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_OF_TEXT else text[: _MOST_OF_TEXT - 1] + "…"
