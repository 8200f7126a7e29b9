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
BUDGET = 0.4
"""Seconds for which documents are read to find out whether they fit."""
_STEP = 200
"""Names that are taken from the index at a time."""


class Rows(NamedTuple):
    """The jobs of one page. `older` is the cursor for those behind it, None where none is left.

    `fitting` is how many were found to fit from here on, `seen` of `files` were looked at. `is_whole`: whether that was all, so
    that `fitting` is the number of all that match. `is_ordered` is False while the index still finds out when files came, so
    that some are missing.
    """

    jobs: list[Glance]
    older: str | None
    fitting: int
    seen: int
    files: int
    is_whole: bool
    is_ordered: bool = True


def find(desk: Desk, states: Sequence[State], wanted: Filters, cursor: str, *, may_read: bool) -> Rows:
    """Return the jobs of the page at that cursor, "" for the first.

    JobFormatError for what is no cursor, OSError when the spool is gone.
    """
    counts = desk.index.counts()
    files = sum(counts[state] for state in states)
    begun, inner = _position(states, cursor)
    is_ordered = all(desk.index.page(state, limit=1).is_complete for state in states)
    found = _Found(desk, wanted, may_read=may_read)
    for state in states[begun:]:
        if not found.look(state, inner):
            break
        inner = ""
    if not wanted.given:  # then all fit, and it was enough to fill the page
        return Rows(found.jobs, found.older, files, len(found.jobs), files, is_ordered, is_ordered)
    older = found.older or (None if found.is_over else found.looked_at)
    is_whole = found.is_over and not cursor and is_ordered
    return Rows(found.jobs, older, found.fitting, found.seen, files, is_whole, is_ordered)


class _Found:
    """What was found so far: PAGE jobs at most, and how many fit. `is_over` is False when the time was up before the end."""

    def __init__(self, desk: Desk, wanted: Filters, *, may_read: bool) -> None:
        self.jobs: list[Glance] = []
        self.older: str | None = None
        self.looked_at = ""
        self.fitting = self.seen = 0
        self.is_over = True
        self._desk, self._wanted, self._may_read = desk, wanted, may_read
        self._config, self._now = desk.config, desk.clock.wall()
        self._end = desk.clock.monotonic() + BUDGET

    def look(self, state: State, cursor: str) -> bool:
        """Look at the files of a folder from a cursor on; return whether to go on with the next folder."""
        for place, found in _glances(self._desk, state, self._wanted, cursor, self._now):
            before, self.looked_at = self.looked_at, f"{state.value}/{place}"
            self.seen += 1
            if found is not None and self._wanted.fits(found, self._config, may_read=self._may_read):
                self._take(found, before)
                if self.older is not None and not self._wanted.given:
                    return False
            if self._desk.clock.monotonic() > self._end:
                self.is_over = False
                return False
        return True

    def _take(self, found: Glance, before: str) -> None:
        self.fitting += 1
        if len(self.jobs) < PAGE:
            self.jobs.append(found)
        elif self.older is None:
            self.older = before


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
