"""Which files a form means: those that are ticked, or all that fit its filters; of these, what lay there when it was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spoolrunner.client import bulk
from spoolrunner.client.bulk import Choice
from spoolrunner.client.look import Look, check_id, look
from spoolrunner.client.search import Filter, Jobs
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web import commands, filters
from spoolrunner.web.desk import Desk
from spoolrunner.web.filters import Filters
from spoolrunner.web.forms import Form

TICKED = "ticked"
"""What `which` says in a form that means the ticked files alone."""
_LATER = 5.0
"""Seconds by which a page's time may be ahead of ours, as by a clock that was set back; more is refused."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks for: a verb for files of a folder.

    `ids` are those that are ticked, None for all that fit `filters`. `count` is how many the page has counted, None when it has
    not; `at` when it was drawn, in seconds since 1970.
    """

    verb: str
    folder: State
    filters: Filters
    ids: list[str] | None
    count: int | None
    at: float

    @property
    def command(self) -> str:
        """The command line that does the same."""
        if self.ids is not None:
            return commands.named(self.verb, self.ids)
        return commands.chosen(self.verb, self.folder.value, self.filters.given)


@dataclass(frozen=True, slots=True)
class Found:
    """The files that are meant: of `total` that fit, `jobs` are to be touched, and `left` says why the others are not."""

    jobs: list[Choice]
    total: int
    left: list[str]


def asked(verb: str, folder: State, form: Form, now: float) -> Asked:
    """Return what a form asks for; JobFormatError for a filter, an id, a count or a time that means nothing."""
    given = filters.read({name: form.one(name) for name in (*filters.WORDS, "kind")})
    ids = [check_id(one) for one in dict.fromkeys(form.all("id"))] if form.one("which") == TICKED else None
    if ids == []:
        raise JobFormatError("", "no file is ticked")
    count = _count(form) if ids is None or form.one("sure") else None  # a list counts what matches, not what is ticked
    return Asked(verb, folder, given, ids, count, _at(form, now))


def find(desk: Desk, wish: Asked, now: float, *, may_read: bool) -> Found:
    """Return the files that are meant; each is read, so that this takes seconds for many thousands.

    Without `may_read` a text is looked for only in what a list shows, as the list does where parameters are hidden.
    """
    looks = _ticked(desk, wish, now) if wish.ids is not None else _fitting(desk, wish, now, may_read=may_read)
    if wish.verb != "retry" or wish.ids is not None:
        jobs = bulk.choose(looks)
        return Found(jobs, len(jobs), [])
    chosen = bulk.retryable(desk.layout, looks, wish.filters.given.get("error"))
    left = [
        f"{count} {words}"
        for count, words in (
            (chosen.rejected, "rejected: mend the file, then retry it by itself"),
            (chosen.cancelled, "cancelled on purpose: retry them by themselves"),
            (chosen.dependent, "would fail again, since a job that each waits for lies in failed/"),
        )
        if count
    ]
    return Found(chosen.jobs, len(chosen.jobs) + chosen.rejected + chosen.cancelled + chosen.dependent, left)


def _fitting(desk: Desk, wish: Asked, now: float, *, may_read: bool) -> Iterator[Look]:
    """Those that fit; ages count from when the page was drawn, so that none comes in or goes out meanwhile."""
    config, wanted, since = desk.config, wish.filters, max(0.0, now - wish.at)
    newer = None if wanted.newer is None else wanted.newer + since
    ages = Filter(older=(wanted.older or 0.0) + since, newer=newer)
    for found in Jobs(config, [wish.folder], ages).looks():
        if not wanted.given:
            yield found
            continue
        glance = desk.glances.of(found.state, found.id)
        if glance is not None and wanted.fits(glance, config, may_read=may_read):
            yield found


def _ticked(desk: Desk, wish: Asked, now: float) -> Iterator[Look]:
    lay_there = Filter(older=max(0.0, now - wish.at))
    for name in wish.ids or []:
        if lay_there.fits_age(desk.layout.job(wish.folder, name)):
            found = look(desk.layout, wish.folder, name)
            if found is not None:
                yield found


def _count(form: Form) -> int | None:
    text = form.one("count").replace(",", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise JobFormatError("count", f"{text!r} is no number of files")
    return int(text)


def _at(form: Form, now: float) -> float:
    """When the page was drawn; a form without it was made by a program, which means now."""
    text = form.one("at")
    try:
        at = float(text) if text else now
    except ValueError:
        raise JobFormatError("at", f"{text!r} is no time in seconds since 1970") from None
    if not 0 <= at <= now + _LATER:
        raise JobFormatError("at", f"{text!r} is not a time before now: draw the page anew")
    return min(at, now)
