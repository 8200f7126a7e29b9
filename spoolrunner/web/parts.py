"""Pieces that several pages show: the rows of what runs, when a job is due, and why it has not started."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from spoolrunner.client.glance import Glance
from spoolrunner.protocol.names import is_id
from spoolrunner.web import words
from spoolrunner.web.frame import Looked, progress_of


class Running(NamedTuple):
    """A row of what runs: how far it is (0 to 1) and the words for that, how long it runs and may run, in seconds."""

    id: str
    kind: str
    progress: float | None
    words: str
    ran: float | None
    started_at: float | None
    timeout: float | None
    ending: str


def running_rows(running: list[dict[str, Any]], now: float) -> list[Running]:
    """Return a row for each job in running/, the one that began first at the top."""
    rows = [_row(job, now) for job in running]
    return sorted(rows, key=lambda row: (row.started_at is None, row.started_at or 0.0, row.id))


def _row(job: dict[str, Any], now: float) -> Running:
    began, timeout = words.seconds_of(job.get("started_at")), job.get("timeout")
    said = (job.get("progress") or {}).get("text", "")
    return Running(
        job["id"],
        f"{job['job']}.{job['method']}".strip("."),
        progress_of(job),
        str(said)[:200],
        None if began is None else max(0.0, now - began),
        began,
        float(timeout) if isinstance(timeout, (int, float)) else None,
        str(job.get("ending") or ""),
    )


def when(one: Glance, now: float) -> str:
    """Return when a waiting job is due: `now`, or its time."""
    if one.due_at is None:
        return "never"
    return "now" if one.due_at <= now else words.moment(one.due_at, now)


def why_not_yet(one: Glance, looked: Looked, now: float, root: str = "") -> Markup:
    """Return in a few words why a waiting job has not started; its own page has the whole of it. `root` leads to the root."""
    if one.due_at is None:
        return Markup("will be refused: {}").format(one.problem)
    if one.after and not one.starts:
        more = f" and {len(one.after) - 1} more" if len(one.after) > 1 else ""
        return Markup("after {}").format(job_link(one.after[0], root)) + more
    if one.due_at > now:
        return _later(one, root)
    if looked.seen.paused:
        return Markup("<code>control/pause</code> lies there")
    return _held(one, looked) or Markup("for a slot")


def job_link(job_id: str, root: str) -> Markup:
    """Return a link to the page of a job; its name alone where that is no id."""
    if not is_id(job_id):
        return Markup("<code>{}</code>").format(job_id)
    return Markup('<a class="mono" href="{}job/{}">{}</a>').format(root, words.quoted(job_id), job_id)


def _later(one: Glance, root: str) -> Markup:
    if one.starts:
        most = f" of {one.most_starts}" if one.most_starts else ""
        return Markup("start {}{}").format(one.starts + 1, most)
    if one.schedule:
        return Markup('schedule <a href="{}schedules/#{}">{}</a>').format(root, one.schedule, one.schedule)
    return Markup("delay {}").format(one.delay) if one.delay else Markup("its time")


def _held(one: Glance, looked: Looked) -> Markup | None:
    """The pause or limit that holds it up, as the files and the dispatcher say it."""
    for name in (one.kind, f"group-{one.group}"):
        if name in looked.seen.pauses:
            return Markup("<code>control/pause-{}</code> lies there").format(name)
    mine = {"method": one.kind, "group": one.group, "rate": one.group}
    for entry in looked.seen.held:
        if entry["name"] and mine.get(entry["by"]) == entry["name"]:
            return Markup("limit of <code>{}</code>").format(entry["name"])
    return next((Markup("{}").format(entry["why"]) for entry in looked.seen.postponed if entry["id"] == one.id), None)
