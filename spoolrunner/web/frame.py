"""What stands around every page: who serves the spool, and the folders as tabs with what is to be known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from spoolrunner.client.overview import Overview, overview
from spoolrunner.web import words
from spoolrunner.web.desk import Desk


class Tab(NamedTuple):
    """A folder: its name, how many files lie in it (None: not counted yet), a few words, and a drawing as SVG."""

    name: str
    files: int | None
    words: str
    drawing: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The path of the spool, the dispatcher in words (`tone` is done or failed), the tabs, and what they were made from.

    `seen` is None, and there are no tabs, when the spool is gone.
    """

    place: str
    tone: str
    dispatcher: str
    detail: str
    folders: list[Tab]
    sides: list[Tab]
    seen: Overview | None


def look(desk: Desk, now: float) -> Frame:
    """Return the frame at this moment."""
    try:
        seen = overview(desk.layout)
    except OSError as error:
        return Frame(desk.layout.root, "failed", "the spool is gone", str(error.strerror), [], [], None)
    tone, said, detail = _dispatcher(seen, now)
    folders = [Tab(name, count, "") for name, count in seen.counts.items()]
    return Frame(
        desk.layout.root, tone, said, detail, folders, [Tab("schedules", None, ""), Tab("logs", None, "")], seen
    )


def _dispatcher(seen: Overview, now: float) -> tuple[str, str, str]:
    holder = seen.dispatcher
    if holder is None:
        return "failed", "no dispatcher", ""
    since = words.seconds_of(holder["since"])
    return "done", "dispatcher runs", f"pid {holder['pid']}" + (f", for {words.duration(now - since)}" if since else "")
