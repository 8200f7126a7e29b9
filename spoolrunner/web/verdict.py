"""Whether all is well, in words: the first sentence of the overview, what stands behind it, and what is to be looked at.

Pure: what was found goes in, words come out. Numbers in them are links, relative to the overview.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup

from spoolrunner.web import words
from spoolrunner.web.frame import Looked
from spoolrunner.web.surveys import Failure


class Condition(StrEnum):
    """How the spool stands; the value is what /health says."""

    WELL = "well"
    EMPTY = "empty"
    PAUSED = "paused"
    STOPPING = "stopping"
    STARTING = "starting"
    BLOCKED = "blocked"
    DOWN = "no dispatcher"
    GONE = "the spool is gone"


SICK = frozenset({Condition.BLOCKED, Condition.DOWN, Condition.GONE})
"""Where no job is started, and nobody wants it so."""


class Verdict(NamedTuple):
    """The condition, its headline, what stands behind it in grey, and remarks: each a sentence that asks for a look."""

    condition: Condition
    headline: str
    behind: Markup
    remarks: list[str]


def judge(looked: Looked | None, problems: list[str], now: float) -> Verdict:
    """Return the verdict on what was found; `problems` are those of config.json."""
    if looked is None:
        return Verdict(Condition.GONE, "The spool is gone.", Markup("Its folders are not where config.json says."), [])
    remarks = [*(f"config.json: {text}" for text in problems), *looked.seen.trouble, *looked.seen.strays]
    condition = _condition(looked)
    if condition is Condition.BLOCKED:
        remarks = remarks[1:]  # the first one is why, and stands by itself
    headline, behind = _WORDS[condition](looked, len(remarks), now)
    return Verdict(condition, headline, behind, remarks)


def _condition(looked: Looked) -> Condition:
    holder = looked.seen.dispatcher
    if holder is None:
        return Condition.DOWN
    state = holder["state"]
    if state in ("stopping", "leaving"):
        return Condition.STOPPING
    if state == "blocked":
        return Condition.BLOCKED
    if looked.seen.paused:
        return Condition.PAUSED
    if state == "starting":
        return Condition.STARTING
    is_empty = not looked.is_counting and not any(looked.seen.counts.values())
    return Condition.EMPTY if is_empty else Condition.WELL


def _down(looked: Looked, _remarks: int, now: float) -> tuple[str, Markup]:
    last, due = words.seconds_of(looked.said.get("updated_at")), looked.waiting.due
    sign = Markup("") if last is None else Markup("Its last sign was at {}. ").format(words.moment(last, now))
    wait = Markup('<a href="pending/">{}</a> {}; nothing is lost.').format(
        words.number(due), "due job waits" if due == 1 else "due jobs wait"
    )
    lost = wait if due else Markup("Nothing is lost.")
    return "No dispatcher runs on this spool.", sign + lost + Markup(" This page still reads the folders.")


def _blocked(_looked: Looked, _remarks: int, _now: float) -> tuple[str, Markup]:
    nothing = Markup(
        "No job is started, none is lost. It goes on by itself as soon as it can; nothing has to be restarted."
    )
    return "Blocked.", nothing


def _paused(looked: Looked, _remarks: int, _now: float) -> tuple[str, Markup]:
    count = looked.seen.counts["pending"]
    waits = Markup('<a href="pending/">{}</a> {}.').format(words.number(count), "waits" if count == 1 else "wait")
    if looked.is_counting:
        waits = Markup("It is still being counted how many wait.")
    return "Paused.", Markup("<code>control/pause</code> lies there, so no job is started. ") + waits + _runs_on(looked)


def _stopping(looked: Looked, _remarks: int, _now: float) -> tuple[str, Markup]:
    if (looked.seen.dispatcher or {}).get("state") == "leaving":
        return "Leaving.", Markup("The jobs run on, and the next dispatcher takes them over.") + _runs_on(looked)
    return "Stopping.", Markup("No job is started any more.") + _runs_on(looked)


def _starting(_looked: Looked, _remarks: int, _now: float) -> tuple[str, Markup]:
    return "Starting.", Markup("The dispatcher looks at what the one before it left.")


def _empty(_looked: Looked, remarks: int, _now: float) -> tuple[str, Markup]:
    behind = Markup(
        "The dispatcher watches pending/ and starts what is moved there within two thousandths of a second."
    )
    return f"Nothing to do{_with(remarks)}." if remarks else "All is well, and nothing to do.", behind


def _well(looked: Looked, remarks: int, now: float) -> tuple[str, Markup]:
    parts = [*_oldest(looked, now), *_failures(looked, now), *_pauses(looked)]
    if looked.is_counting:
        parts.append(Markup("it is still being counted what lies in the folders"))
    elif not parts:
        count = looked.seen.counts["pending"]
        later = "waits for its time" if count == 1 else "wait for their time"
        waits = Markup('<a href="pending/">{}</a> {}').format(words.number(count), later)
        parts = [waits if count else Markup("Nothing waits, nothing failed")]
    return f"Running well{_with(remarks)}.", Markup("{}.").format(Markup("; ").join(parts))


def _oldest(looked: Looked, now: float) -> list[Markup]:
    oldest = looked.waiting.oldest_due
    if not looked.due or oldest is None:
        return []
    return [Markup('The oldest due job has waited <a href="pending/">{}</a>').format(words.duration(now - oldest))]


def _failures(looked: Looked, now: float) -> list[Markup]:
    count, groups = looked.seen.counts["failed"], looked.failures.groups
    if not count or looked.is_counting:
        return []
    text = Markup('<a href="failed/">{}</a> {} in failed/').format(words.number(count), "lies" if count == 1 else "lie")
    if groups and groups[0].files > 1:
        text += Markup(', <a href="{}">{}</a> of them since {} with one error').format(
            address(groups[0]), words.number(groups[0].files), words.short_moment(groups[0].times[0], now)
        )
    return [text]


def _pauses(looked: Looked) -> list[Markup]:
    text = words.plural(len(looked.seen.pauses), "part is", "parts are")
    return [Markup('<a href="#control">{}</a> paused').format(text)] if looked.seen.pauses else []


def _runs_on(looked: Looked) -> Markup:
    count = looked.seen.counts["running"]
    text = words.plural(count, "job still runs", "jobs still run")
    return Markup(' <a href="running/">{}</a>.').format(text) if count else Markup()


def _with(remarks: int) -> str:
    numbers = {0: "", 1: ", with one remark", 2: ", with two remarks", 3: ", with three remarks"}
    return numbers.get(remarks, f", with {remarks} remarks")


def address(group: Failure) -> str:
    """Return the address of the list of these failures, relative to the overview."""
    asked = {"job": group.job, "method": group.method, "error": group.error}
    return f"failed/?{urlencode({key: value for key, value in asked.items() if value})}"


_WORDS = {
    Condition.DOWN: _down,
    Condition.BLOCKED: _blocked,
    Condition.PAUSED: _paused,
    Condition.STOPPING: _stopping,
    Condition.STARTING: _starting,
    Condition.EMPTY: _empty,
    Condition.WELL: _well,
}
