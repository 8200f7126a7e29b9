"""The schedules: in words, twelve hours back and ahead, the next three, what became of the last; run one now, or pause it."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from spoolrunner.client.schedules import Scheduled
from spoolrunner.client.slots_around import UNKNOWN, slots_around
from spoolrunner.config.load import Config
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.web import drawings, words
from spoolrunner.web.answers import Screen, page, web_of
from spoolrunner.web.drawings import Slot

_HALF_DAY = 12 * 3600.0
_NUMBERS = ("None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


class Row(NamedTuple):
    """A schedule with what is shown of it: its timing as it is written, its zone, its next slots, a drawing, its last skip."""

    told: Scheduled
    written: str
    zone: str
    next: list[float]
    strip: Markup
    skip: dict[str, str] | None

    @property
    def is_well(self) -> bool:
        """Whether its last job did not fail, and its note can be read."""
        return not self.told.problem and self.told.last_state != "failed"


def _view(request: Request) -> Screen:
    web = web_of(request)
    now, config = web.clock.wall(), web.desk.config
    try:
        told = web.desk.schedules.get()
        found = [_row(config, one, now) for one in told if one.name in config.schedules]
        problem = ""
    except (SpoolRunnerError, OSError) as error:
        found, problem = [], str(error)
    headline, behind = _verdict(found, now)
    values = {"rows": found, "headline": headline, "behind": behind, "problem": problem, "config_path": config.path}
    data = [one.told._asdict() for one in found]
    return Screen("schedules.html", values, {"schedules": data, "problem": problem or None}, tab="schedules")


def _row(config: Config, told: Scheduled, now: float) -> Row:
    keys = config.file.schedules[told.name]
    written = keys.cron or f"every {keys.every}"
    zone = str(config.schedules[told.name].timing.zone)
    following = [at for text in told.next if (at := words.seconds_of(text)) is not None]
    return Row(told, written, zone, following, _strip(config, told, now), told.skipped[-1] if told.skipped else None)


def _strip(config: Config, told: Scheduled, now: float) -> Markup:
    around = slots_around(config, told.name, now - _HALF_DAY, now + _HALF_DAY)
    shown = [Slot((slot.at - now) / _HALF_DAY, slot.stands) for slot in around if slot.stands != UNKNOWN]
    if told.paused:
        shown = [slot for slot in shown if slot.place <= 0]
    counts: dict[str, int] = {}
    for slot in shown:
        counts[slot.stands] = counts.get(slot.stands, 0) + 1
    names = {"pending": "to come"}
    told_counts = ", ".join(f"{count} {names.get(stands, stands)}" for stands, count in counts.items()) or "no slot"
    return drawings.strip(shown, f"{told.name}, twelve hours back and twelve ahead: {told_counts}")


def _verdict(found: list[Row], now: float) -> tuple[str, Markup]:
    """The first sentence, and what is not as it should be."""
    if not found:
        return "No schedule is set.", Markup("")
    well, total = sum(row.is_well for row in found), len(found)
    headline = (
        "All do what they should."
        if well == total
        else f"{_number(well)} of {_number(total).lower()} do what they should."
    )
    parts = [_ailing(row, now) for row in found if not row.is_well]
    paused = sum(row.told.paused for row in found)
    if paused:
        parts.append(Markup("{}").format(f"{_number(paused)} {'is' if paused == 1 else 'are'} paused"))
    return headline, Markup("{}.").format(Markup("; ").join(parts)) if parts else Markup("")


def _ailing(row: Row, now: float) -> Markup:
    told = row.told
    if told.problem:
        return Markup('<a href="#{}">{}</a>: {}').format(told.name, told.name, told.problem)
    at = words.seconds_of(told.last_slot)
    since = "" if at is None else f" at {words.short_moment(at, now)}"
    outcome = (told.last_outcome or "failed").replace("_", " ")
    return Markup('<a href="../job/{}">{}</a> {}').format(words.quoted(told.last_job or ""), told.name, outcome + since)


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else words.number(count)


def _with_slash(_request: Request) -> Response:
    return RedirectResponse("schedules/", 307)


ROUTES: list[BaseRoute] = [Route("/schedules", _with_slash), *page("/schedules/", _view)]
