"""What stands around every page: who serves the spool, and the folders as tabs with what is to be known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from spoolrunner.client.overview import Overview, overview
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.system import machine
from spoolrunner.telling import status as status_file
from spoolrunner.web import drawings, words
from spoolrunner.web.desk import Desk
from spoolrunner.web.surveys import Failures, Waiting


class Tab(NamedTuple):
    """A folder: its name, how many files lie in it (None: not counted yet), a few words, and a drawing as SVG."""

    name: str
    files: int | None
    words: str
    drawing: Markup = Markup()


class Looked(NamedTuple):
    """What was found at one moment: the overview, status.json, also of a dispatcher that is gone, and the surveys.

    While `is_counting` the counts of the overview are too small.
    """

    seen: Overview
    said: dict[str, Any]
    waiting: Waiting
    failures: Failures
    is_counting: bool = False

    @property
    def places(self) -> int | None:
        """How many jobs may run at a time, as the dispatcher says it; None when none has said."""
        found = self.said.get("concurrency")
        return found if isinstance(found, int) and 0 < found <= 100_000 else None

    @property
    def due(self) -> int:
        """How many jobs wait for nothing but a place; by their files where no dispatcher says it."""
        return self.waiting.due if self.seen.due is None else self.seen.due


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page. Where the spool is gone, `looked` is None and there are no tabs.

    `tone` is the class of the dispatcher's words: done when it works, running when it starts nothing on purpose, failed else.
    """

    place: str
    tone: str = "failed"
    dispatcher: str = "the spool is gone"
    detail: str = ""
    folders: tuple[Tab, ...] = ()
    sides: tuple[Tab, ...] = ()
    looked: Looked | None = None


def look(desk: Desk, now: float) -> Frame:
    """Return the frame at this moment."""
    place = f"{machine.host()}:{desk.layout.root}"
    try:
        is_counting = desk.index.is_counting
        seen = overview(desk.layout, desk.index.counts())
        waiting, failures = desk.surveys.waiting.get(), desk.surveys.failures.get()
        looked = Looked(seen, status_file.read(desk.layout), waiting, failures, is_counting)
        folders: tuple[Tab, ...] = (_pending(looked, now), _running(looked), _done(desk, looked, now), _failed(looked))
        if is_counting:
            folders = tuple(Tab(tab.name, None, "still counting") for tab in folders)
    except OSError as error:
        return Frame(place, detail=error.strerror or str(error))
    sides = (_schedules(desk, now), Tab("logs", None, "live" if seen.dispatcher else "silent"))
    return Frame(place, *_dispatcher(looked, now), folders, sides, looked)


def progress_of(job: dict[str, Any]) -> float | None:
    """Return how far a running job says that it has come, from 0 to 1; None when it says nothing."""
    found = (job.get("progress") or {}).get("fraction")
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return float(found) if 0 <= found <= 1 else None


def _dispatcher(looked: Looked, now: float) -> tuple[str, str, str]:
    holder = looked.seen.dispatcher
    if holder is None:
        last = words.seconds_of(looked.said.get("updated_at"))
        return "failed", "no dispatcher", "" if last is None else f"last sign {words.moment(last, now)}"
    since = words.seconds_of(holder.get("since"))
    detail = f"pid {holder['pid']}" + ("" if since is None else f", for {words.duration(now - since)}")
    state = "paused" if looked.seen.paused and holder["state"] == "running" else holder["state"]
    tones = {"running": "done", "blocked": "failed"}
    verbs = {"running": "dispatcher runs", "leaving": "dispatcher leaves, the jobs run on"}
    return tones.get(state, "running"), verbs.get(state, f"dispatcher is {state}"), detail


def _pending(looked: Looked, now: float) -> Tab:
    count, due, oldest = looked.seen.counts["pending"], looked.due, looked.waiting.oldest_due
    if not count:
        return Tab("pending", 0, "nothing waits", drawings.ticks([], 0))
    text = f"{words.number(due)} due" if due else "none is due"
    if looked.seen.paused:
        text = "paused"
    elif due and oldest is not None:
        text += f", oldest {words.ago(now - oldest)}"
    return Tab("pending", count, text, drawings.ticks([count], due))


def _running(looked: Looked) -> Tab:
    holder, places = looked.seen.dispatcher, looked.places
    count = looked.seen.counts["running"]
    parts = [1.0 if (part := progress_of(job)) is None else part for job in looked.seen.running]
    if holder is None:
        text = "not watched" if count else "nothing runs"
    elif holder["state"] == "blocked":
        text = "no more are started"
    else:
        text = f"of {words.plural(places, 'slot')}" if places else ""
    return Tab(
        "running", count, text, drawings.slots(parts, places or count) if places or count else drawings.ticks([], 0)
    )


def _done(desk: Desk, looked: Looked, now: float) -> Tab:
    count = looked.seen.counts["done"]
    if not count:
        return Tab("done", 0, "nothing yet", drawings.ticks([], 0))
    newest = desk.index.page(State.DONE, limit=1).jobs
    text = _rate(desk) or (f"the last {words.ago(now - newest[0].at_ns / 1e9)} ago" if newest else "")
    return Tab("done", count, text, drawings.ticks([count], 0))


def _rate(desk: Desk) -> str:
    """How many are done a minute, in the last hour; "" where it is less than one, or there is no history."""
    try:
        done = desk.hour.get().total().ended.get(Outcome.SUCCEEDED, 0)
    except OSError:
        return ""
    return f"{words.number(done / 60)} a minute" if done >= 60 else ""


def _failed(looked: Looked) -> Tab:
    count, found = looked.seen.counts["failed"], looked.failures
    if not count:
        return Tab("failed", 0, "nothing failed", drawings.ticks([], 0))
    groups = [group.files for group in found.groups] or [count]
    if found.seen < found.files:
        text = f"{words.number(found.seen)} looked at so far"
    elif groups[0] > 1:
        text = f"{words.number(groups[0])} of one error"
    else:
        text = found.groups[0].error if count == 1 and found.groups else "each another error"
    return Tab("failed", count, text, drawings.ticks(groups, count))


def _schedules(desk: Desk, now: float) -> Tab:
    try:
        found = desk.schedules.get()
    except (OSError, SpoolRunnerError):
        return Tab("schedules", None, "cannot be read")
    moments = [
        at for one in found if not one.paused for text in one.next[:1] if (at := words.seconds_of(text)) is not None
    ]
    if not found:
        return Tab("schedules", None, "none")
    following = f", next {words.short_moment(min(moments), now)}" if moments else ""
    return Tab("schedules", None, f"{len(found)}{following}")
