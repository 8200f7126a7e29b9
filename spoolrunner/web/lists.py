"""The files of a folder: filters that are the command line's, a hundred rows a page, what can be done with all that match."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from spoolrunner.client.glance import Glance
from spoolrunner.client.index import cursor_at
from spoolrunner.protocol.states import State
from spoolrunner.web import commands, drawings, filters, parts, rows, words
from spoolrunner.web.answers import Screen, frame_of, page, web_of
from spoolrunner.web.desk import Desk
from spoolrunner.web.filters import Filters
from spoolrunner.web.frame import Looked
from spoolrunner.web.rows import Rows

ALL = "all"
"""The list of all four folders."""
_HOURS = 24
_EMPTY = {
    "pending": "Nothing waits.",
    "running": "Nothing runs.",
    "done": "Nothing has been done yet, or prune took it.",
    "failed": "Nothing failed.",
    ALL: "No job lies in any folder.",
}
_VERBS = {
    "pending": ("cancel", "discard"),
    "running": ("cancel",),
    "done": ("retry", "discard"),
    "failed": ("retry", "discard"),
    ALL: (),
}


class Deed(NamedTuple):
    """What can be done with all that match: a verb, the words of its buttons, what will happen, operation and command line."""

    verb: str
    label: str
    sentence: str
    go: str
    operation: str
    command: str


def _view(folder: str, request: Request) -> Screen | Response:
    query, web = request.query_params, web_of(request)
    wanted = filters.read(query)
    other = query.get("folder", folder)
    if other != folder and (other == ALL or other in list(State)):
        return RedirectResponse(f"../{other}/{wanted.query()}", 303)
    looked = frame_of(request).looked
    if looked is None:
        return RedirectResponse("../", 303)
    now, states = web.clock.wall(), list(State) if folder == ALL else [State(folder)]
    may_read = not web.settings.hides_params
    found = rows.find(web.desk, states, wanted, query.get("from", ""), may_read=may_read)
    values = {
        "folder": folder,
        "wanted": wanted,
        "found": found,
        "rows": [_row(one, looked, now) for one in found.jobs],
        "running": {row.id: row for row in parts.running_rows(looked.seen.running, now)},
        "places": looked.places,
        "is_first": not query.get("from"),
        "older": None if found.older is None else wanted.query(**{"from": found.older}),
        "kinds": _kinds(web.desk, looked, wanted),
        "errors": _errors(looked, folder, wanted),
        "deeds": _deeds(folder, wanted, found) if found.fitting and not web.settings.is_read_only else [],
        "look": commands.line("list", *_options(folder, wanted)),
        "at": f"{now:.3f}",
        "ruler": _ruler(web.desk, folder, wanted, now),
        "empty": _EMPTY[folder],
        "is_complete": found.is_ordered and not web.desk.index.is_counting,
    }
    return Screen("list.html", values, _data(folder, wanted, found), tab=folder)


def _row(one: Glance, looked: Looked, now: float) -> tuple[Glance, str, Markup]:
    """A job, and of one that waits when it is due and why it has not started; links from a list go one folder up."""
    if one.state is not State.PENDING:
        return one, "", Markup()
    return one, parts.when(one, now), parts.why_not_yet(one, looked, now, "../")


def _kinds(desk: Desk, looked: Looked, wanted: Filters) -> list[str]:
    """The kinds that can be chosen: those allowed, those that wait or failed, and the one that is chosen."""
    allowed = (f"{job}.{method}" for job, methods in desk.config.allowed.items() for method in methods)
    others = (*looked.waiting.by_kind, *(group.kind for group in looked.failures.groups), wanted.kind)
    return list(dict.fromkeys(kind for kind in (*allowed, *others) if kind))


def _errors(looked: Looked, folder: str, wanted: Filters) -> list[tuple[str, int]]:
    """The errors that can be chosen with how many files have each; none in a folder whose files have no error."""
    if folder not in ("failed", ALL):
        return []
    found: dict[str, int] = {}
    for group in looked.failures.groups:
        if group.error:
            found[group.error] = found.get(group.error, 0) + group.files
    chosen = wanted.given.get("error")
    if chosen and chosen not in found:
        found[chosen] = 0
    return sorted(found.items(), key=lambda item: -item[1])


def _options(folder: str, wanted: Filters) -> list[str]:
    given = [word for name, value in wanted.given.items() for word in (f"--{name}", value)]
    return [*([] if folder == ALL else [folder]), *given]


def _deeds(folder: str, wanted: Filters, found: Rows) -> list[Deed]:
    """What can be done; how many it is about is said where it is known."""
    count = words.number(found.fitting) if found.is_whole else f"more than {words.number(found.fitting)}"
    files = f"{count} {'file' if count == '1' else 'files'}"
    moves = "moves" if count == "1" else "move"
    are = "is" if count == "1" else "are"
    told = {
        "retry": (
            "Retry" if folder == "failed" else "Run again",
            (
                f"{files} {moves} from {folder}/ to pending/, with history kept and a fresh retry budget. "
                "What was rejected or cancelled on purpose stays."
            ),
            f"Move {files}",
            f"mv -n {folder}/… pending/",
        ),
        "cancel": (
            "Cancel",
            f"{files} {are} to be cancelled: what waits goes to failed/, what runs is ended with all that it started.",
            f"Cancel {files}",
            "touch control/cancel-…",
        ),
        "discard": (
            "Discard",
            f"{files} {are} removed for good, with what was printed.",
            f"Remove {files}",
            f"rm {folder}/… logs/jobs/…",
        ),
    }
    made = []
    for verb in _VERBS[folder]:
        label, sentence, go, operation = told[verb]
        made.append(
            Deed(verb, f"{label} {count}", sentence, go, operation, commands.chosen(verb, folder, wanted.given))
        )
    return made


def _ruler(desk: Desk, folder: str, wanted: Filters, now: float) -> Markup | None:
    """The files that came in each of the last 24 hours, drawn: a bar leads to its hour."""
    if folder not in ("done", "failed") or desk.index.counts()[folder] <= rows.PAGE:
        return None
    begin = (now // 3600 + 1 - _HOURS) * 3600
    counts = desk.index.per_step(State(folder), begin, 3600.0, _HOURS)
    bars = []
    for hour, count in enumerate(counts):
        end = begin + (hour + 1) * 3600
        until = words.clock(end, "hm")
        cursor = f"{folder}/{cursor_at(end)}"
        address = wanted.query(**{"from": cursor}) if count else ""
        bars.append(drawings.Part(count, address, f"{words.number(count)} in the hour before {until}"))
    return drawings.ruler(bars, f"Files in {folder}/ by the hour in which they came, the last 24")


def _data(folder: str, wanted: Filters, found: Rows) -> dict[str, Any]:
    return {
        "folder": folder,
        "filters": wanted.given,
        "jobs": [{**asdict(one), "kind": one.kind} for one in found.jobs],
        "fitting": found.fitting,
        "seen": found.seen,
        "files": found.files,
        "is_whole": found.is_whole,
        "older": found.older,
    }


def _find(request: Request) -> Response:
    """An exact id leads to the job, the beginning of one id alone too, and everything else to the list of what matches."""
    web, text = web_of(request), request.query_params.get("q", "").strip()[:500]
    if not text:
        return RedirectResponse("all/", 303)
    name = text.rpartition("/")[2].removesuffix(".json")
    begun = web.desk.index.beginning(name, 2) if name else []
    if any(job_id == name for _, job_id in begun) or len(begun) == 1:
        return RedirectResponse(f"job/{words.quoted(begun[0][1])}", 303)
    return RedirectResponse(f"all/{Filters({'match': text}).query()}", 303)


def _with_slash(folder: str, _request: Request) -> Response:
    return RedirectResponse(f"{folder}/", 307)


FOLDERS = (*[state.value for state in State], ALL)
ROUTES: list[BaseRoute] = [
    Route("/find", _find),
    *(Route(f"/{folder}", partial(_with_slash, folder)) for folder in FOLDERS),
    *(route for folder in FOLDERS for route in page(f"/{folder}/", partial(_view, folder))),
]
