"""Looking for the jobs of a list: the newest first, for a bounded time, from where the last page ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spoolrunner.client.glance import Glance
from spoolrunner.client.index import cursor_at
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web.desk import Desk
from spoolrunner.web.filters import Filters

PAGE = 100
"""Rows of a page."""
BUDGET = 1.0
"""Seconds for which documents are read to find out whether they fit."""
_STEP = 500
"""Names that are taken from the index at a time."""


class Rows(NamedTuple):
    """The jobs of one page. `older` is the cursor for those behind it, None where none is left.

    `fitting` is how many were found to fit from here on, `seen` of `files` were looked at. `is_whole`: whether that was all, so
    that `fitting` is the number of all that match.
    """

    jobs: list[Glance]
    older: str | None
    fitting: int
    seen: int
    files: int
    is_whole: bool


def find(desk: Desk, states: Sequence[State], wanted: Filters, cursor: str, *, may_read: bool) -> Rows:
    """Return the jobs of the page at that cursor, "" for the first.

    JobFormatError for what is no cursor, OSError when the spool is gone.
    """
    counts = desk.index.counts()
    files = sum(counts[state] for state in states)
    begun, inner = _position(states, cursor)
    if not wanted.given and len(states) == 1:
        return _all(desk, states[0], inner, files)
    config, now, end = desk.config, desk.clock.wall(), desk.clock.monotonic() + BUDGET
    jobs: list[Glance] = []
    older, shown_at, seen, fitting = None, "", 0, 0
    for state in states[begun:]:
        for place, found in _glances(desk, state, wanted, inner, now):
            seen += 1
            looked_at = f"{state.value}/{place}"
            if found is not None and wanted.fits(found, config, may_read=may_read):
                fitting += 1
                if len(jobs) < PAGE:
                    jobs.append(found)
                    shown_at = looked_at
                else:
                    older = shown_at
            if desk.clock.monotonic() > end:
                return Rows(jobs, shown_at if len(jobs) == PAGE else looked_at, fitting, seen, files, is_whole=False)
        inner = ""
    return Rows(jobs, older, fitting, seen, files, is_whole=not cursor)


def _all(desk: Desk, state: State, cursor: str, files: int) -> Rows:
    """A page of a whole folder: no file but those shown is looked at."""
    page = desk.index.page(state, cursor, PAGE)
    jobs = [found for came in page.jobs if (found := desk.glances.of(state, came.id)) is not None]
    older = None if page.older is None else f"{state.value}/{page.older}"
    return Rows(jobs, older, files, len(jobs), files, is_whole=True)


def _glances(desk: Desk, state: State, wanted: Filters, cursor: str, now: float) -> Iterator[tuple[str, Glance | None]]:
    """The cursor behind each file of a folder whose age fits, with what is known of it; None for one that is gone."""
    at: str | None = cursor
    if not cursor and wanted.older:
        at = cursor_at(now - wanted.older)
    while at is not None:
        page = desk.index.page(state, at, _STEP)
        for came in page.jobs:
            if wanted.newer is not None and now - came.at_ns / 1e9 >= wanted.newer:
                return
            yield f"{came.at_ns}-{came.id}", desk.glances.of(state, came.id)
        at = page.older


def _position(states: Sequence[State], cursor: str) -> tuple[int, str]:
    """At which of the states a page begins, and where there."""
    if not cursor:
        return 0, ""
    name, slash, inner = cursor.partition("/")
    if not slash or name not in [state.value for state in states]:
        raise JobFormatError("from", f"{cursor[:80]!r} is no place in this list: begin at its first page")
    return [state.value for state in states].index(name), inner
