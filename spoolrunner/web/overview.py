"""The overview: whether all is well, what runs, what is next, what failed; and what to do where nothing is started."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spoolrunner.client import disk
from spoolrunner.client.event_lines import Said, last_lines
from spoolrunner.client.glance import Glance
from spoolrunner.config.load import Config
from spoolrunner.config.pausable import in_words
from spoolrunner.telling.line_format import Kind
from spoolrunner.web import charts, parts, words
from spoolrunner.web.answers import Screen, Web, frame_of, page, web_of
from spoolrunner.web.frame import Looked
from spoolrunner.web.surveys import Failure, Failures, Waiting
from spoolrunner.web.verdict import SICK, Condition, Verdict, address, judge

_LAST_LINES = 5
"""Lines of the log that are shown where no dispatcher runs."""
_LOOK_AT_DISK = 0.3
"""Seconds for which is looked what fills the disk."""
_MOST_FAILURES, _MOST_KINDS, _MOST_LIMITS = 12, 40, 20
"""Rows of the tables."""


class Failed(NamedTuple):
    """A row of what failed: the group, the address of its list, and when its first and last file came."""

    group: Failure
    address: str
    first: float
    last: float


class KindRow(NamedTuple):
    """A row of the kinds: how many wait and run, and whether it is paused."""

    job: str
    method: str
    waiting: int
    running: int
    is_paused: bool

    @property
    def name(self) -> str:
        """JOB.METHOD."""
        return f"{self.job}.{self.method}"


class Limit(NamedTuple):
    """A row of the limits: of a group, how many run of those that may, and how many wait."""

    group: str
    running: int
    most: int | None
    rate: str
    waiting: int
    is_paused: bool


def _view(request: Request) -> Screen:
    web = web_of(request)
    now = web.clock.wall()
    looked = frame_of(request).looked
    config, problems = web.desk.in_force()
    verdict = judge(looked, problems, now)
    if looked is None:
        return Screen("gone.html", {"verdict": verdict}, _data(verdict, looked), status=503)
    values = {
        **_history(request, looked),
        "verdict": verdict,
        "headline": headline(verdict, blocked_because(looked)),
        "why": blocked_because(looked),
        "is_sick": verdict.condition in SICK,
        "running": parts.running_rows(looked.seen.running, now),
        "places": looked.places,
        "next": [(one, parts.when(one, now), parts.why_not_yet(one, looked, now)) for one in looked.waiting.first],
        "failed": [_failed(group) for group in looked.failures.groups[:_MOST_FAILURES]],
        "failures": looked.failures,
        "kinds": kinds(config, looked),
        "limits": limits(config, looked),
        "pauses": [(name, in_words(name)) for name in looked.seen.pauses],
        "is_paused": looked.seen.paused,
        "room": disk.room(web.desk.layout),
        **_special(web, config, verdict),
    }
    return Screen("overview.html", values, _data(verdict, looked), tab="spool")


def _history(request: Request, looked: Looked) -> dict[str, Any]:
    """What happened: the lanes of the span that is chosen, and the figures of the kinds; none where it cannot be read."""
    desk, name = web_of(request).desk, request.query_params.get("span", "hour")
    span = name if name in charts.SPANS else "hour"
    shared = {"span": span, "spans": charts.SPANS}
    try:
        hour, day = desk.hour.get(), desk.day.get()
        chosen = {"hour": desk.hour, "day": desk.day, "month": desk.month}[span].get()
    except OSError:
        return {**shared, "lanes": [], "axis": [], "figures": {}, "usual": {}}
    lanes = charts.lanes(chosen, looked, span)
    return {
        **shared,
        "lanes": lanes,
        "axis": charts.axis(chosen),
        "figures": charts.kinds(hour, day),
        "usual": charts.usual(day),
    }


def _special(web: Web, config: Config, verdict: Verdict) -> dict[str, Any]:
    """What only one condition shows: the end of the log, what fills the disk, what may be run."""
    layout = web.desk.layout
    is_down, is_blocked = verdict.condition is Condition.DOWN, verdict.condition is Condition.BLOCKED
    return {
        "last_lines": _said(web, _LAST_LINES)[::-1] if is_down else [],
        "was_stopped": _was_stopped(web) if is_down else None,
        "filling": disk.filling(layout, _LOOK_AT_DISK) if is_blocked else [],
        "allowed": config.allowed if verdict.condition is Condition.EMPTY else {},
        "config_path": config.path,
        "spool_name": config.file.spool,
    }


def _was_stopped(web: Web) -> bool | None:
    """Whether the last dispatcher ended as it was asked to, by what its log ends with; None where it has none."""
    found = _said(web, 1, frozenset({Kind.DISPATCHER}))
    if found:
        return found[0].fields.get("note", "").startswith("stopped")
    return False if _said(web, 1) else None


def _said(web: Web, most: int, kinds: frozenset[str] = frozenset()) -> list[Said]:
    """The last lines of the log; none where it cannot be read, which its own page says."""
    try:
        return last_lines(web.desk.layout, most, kinds=kinds)
    except OSError:
        return []


def blocked_because(looked: Looked) -> str:
    """Return why nothing can be started, as the dispatcher says it; "" where it does not."""
    is_blocked = looked.seen.dispatcher is not None and looked.seen.dispatcher["state"] == "blocked"
    return looked.seen.trouble[0] if is_blocked and looked.seen.trouble else ""


def headline(verdict: Verdict, why: str) -> str:
    """Return the first sentence; where no job can be started it names the cause, if it is one of those that are well known."""
    if verdict.condition is not Condition.BLOCKED:
        return verdict.headline
    known = {"No space left": "the disk is full", "Read-only file system": "the disk is read-only"}
    return next((f"Blocked: {cause}." for text, cause in known.items() if text in why), verdict.headline)


def kinds(config: Config, looked: Looked) -> list[KindRow]:
    """Return a row for each method that may be run, in the order of config.json."""
    running: dict[str, int] = {}
    for job in looked.seen.running:
        name = f"{job['job']}.{job['method']}"
        running[name] = running.get(name, 0) + 1
    found = [(job, method) for job, methods in config.allowed.items() for method in methods][:_MOST_KINDS]
    waiting, paused = looked.waiting.by_kind, looked.seen.pauses
    return [
        KindRow(job, method, waiting[name], running.get(name, 0), name in paused)
        for job, method in found
        for name in [f"{job}.{method}"]
    ]


def limits(config: Config, looked: Looked) -> list[Limit]:
    """Return a row for each group that has a limit: those named in config.json, and those that wait or run."""
    running: dict[str, int] = {}
    for job in looked.seen.running:
        group = job.get("group")
        if isinstance(group, str):
            running[group] = running.get(group, 0) + 1
    named = [name for name in config.file.limits if not name.endswith("*")]
    waiting, paused = looked.waiting.by_group, looked.seen.pauses
    found = []
    for group in dict.fromkeys([*named, *running, *(name for name, _ in waiting.most_common(_MOST_LIMITS))]):
        limit = config.groups.of(group)
        rate = "" if limit.rate is None else f"{limit.rate.starts} in {words.duration(limit.rate.seconds)}"
        is_paused = f"group-{group}" in paused
        if limit.concurrency is not None or rate or is_paused:
            found.append(Limit(group, running.get(group, 0), limit.concurrency, rate, waiting[group], is_paused))
    return found[:_MOST_LIMITS]


def _failed(group: Failure) -> Failed:
    return Failed(group, address(group), group.times[0], group.times[-1])


def _data(verdict: Verdict, looked: Looked | None) -> dict[str, Any]:
    told = {"condition": verdict.condition.value, "headline": verdict.headline, "remarks": verdict.remarks}
    if looked is None:
        return told
    return {
        **told,
        **looked.seen._asdict(),
        "waiting": _waiting(looked.waiting),
        "failures": _failures(looked.failures),
    }


def _waiting(found: Waiting) -> dict[str, Any]:
    made = {name: getattr(found, name) for name in ("files", "seen", "due", "oldest_due", "by_kind", "by_group")}
    return {**made, "first": [_brief(one) for one in found.first]}


def _failures(found: Failures) -> dict[str, Any]:
    groups = [
        {
            **{name: getattr(group, name) for name in ("kind", "error", "message", "files")},
            "first_at": group.times[0],
            "last_at": group.times[-1],
        }
        for group in found.groups[:_MOST_FAILURES]
    ]
    return {"files": found.files, "seen": found.seen, "groups": groups}


def _brief(one: Glance) -> dict[str, Any]:
    return {"id": one.id, "kind": one.kind, "due_at": one.due_at, "after": one.after}


def _health(request: Request) -> Response:
    """One word for a monitor, and 503 where no job is started against the operator's will."""
    web = web_of(request)
    now = web.clock.wall()
    condition = judge(frame_of(request).looked, [], now).condition
    return JSONResponse({"condition": condition.value}, 503 if condition in SICK else 200)


ROUTES = [Route("/health", _health), *page("/", _view)]
