"""Which files a form means: those that are ticked, or all that fit its filter; of these only what lay there already when it was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spoolrunner.client import bulk
from spoolrunner.client.bulk import Choice
from spoolrunner.client.look import Look, check_id, look
from spoolrunner.client.search import Filter, Jobs, seconds
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web import commands
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
    filters: dict[str, str]
    ids: list[str] | None
    count: int | None
    at: float

    @property
    def command(self) -> str:
        """The command line that does the same."""
        if self.ids is not None:
            return commands.named(self.verb, self.ids)
        return commands.chosen(self.verb, self.folder.value, self.filters)


@dataclass(frozen=True, slots=True)
class Found:
    """The files that are meant: of `total` that fit, `jobs` are to be touched, and `left` says why the others are not."""

    jobs: list[Choice]
    total: int
    left: list[str]


def asked(verb: str, folder: State, form: Form, now: float) -> Asked:
    """Return what a form asks for; JobFormatError for a filter, an id, a count or a time that means nothing."""
    filters = {name: form.one(name) for name in commands.FILTERS if form.one(name)}
    ids = [check_id(one) for one in dict.fromkeys(form.all("id"))] if form.one("which") == TICKED else None
    if ids == []:
        raise JobFormatError("", "no file is ticked")
    made = Asked(verb, folder, filters, ids, _count(form), _at(form, now))
    wanted(made, now)
    return made


def find(config: Config, wish: Asked, now: float) -> Found:
    """Return the files that are meant; each is read, so that this takes seconds for many thousands."""
    looks = _ticked(config, wish, now) if wish.ids is not None else _fitting(config, wish, now)
    if wish.verb != "retry" or wish.ids is not None:
        jobs = bulk.choose(looks)
        return Found(jobs, len(jobs), [])
    chosen = bulk.retryable(config.layout, looks, wish.filters.get("error"))
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


def wanted(wish: Asked, now: float) -> Filter:
    """Return the filter of a form, whose ages count from when its page was drawn; JobFormatError when it means nothing."""
    since = max(0.0, now - wish.at)
    older, newer = (_age(name, wish.filters.get(name)) for name in ("older", "newer"))
    texts = {name: wish.filters.get(name) for name in ("job", "method", "group", "error", "match")}
    return Filter(**texts, older=(older or 0.0) + since, newer=None if newer is None else newer + since)


def _fitting(config: Config, wish: Asked, now: float) -> Iterator[Look]:
    return Jobs(config, [wish.folder], wanted(wish, now)).looks()


def _ticked(config: Config, wish: Asked, now: float) -> Iterator[Look]:
    lay_there = Filter(older=max(0.0, now - wish.at))
    for name in wish.ids or []:
        if lay_there.fits_age(config.layout.job(wish.folder, name)):
            found = look(config.layout, wish.folder, name)
            if found is not None:
                yield found


def _age(name: str, text: str | None) -> float | None:
    try:
        return seconds(name, text if text is None else float(text))
    except ValueError:
        return seconds(name, text)


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
