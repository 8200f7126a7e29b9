"""The schedules of a spool: when each is due, what became of its last job, and running, pausing or resuming one.

for scheduled in schedules(settings):
    scheduled.next
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.job import Job
from spoolrunner.client.look import find
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError, nearest
from spoolrunner.protocol.slots import Schedule
from spoolrunner.protocol.timing import Timing
from spoolrunner.spool import requests, schedule_notes
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.schedule_notes import Note
from spoolrunner.system import clock

with suppress(
    ImportError
):  # it is named by `Config.check_packages`; a command that became another user cannot import it later
    import cronsim.explain  # noqa: F401

NEXT = 3
"""How many of the next slots are shown."""


class Scheduled(NamedTuple):
    """What is known of one schedule. Times are RFC 3339, in the time zone of the schedule.

    `words` say when it is due. `next` are the next slots, as far as there are any. `last_slot` and `last_job` are the slot that
    was published last and the id of its job, `last_state` where that lies ("removed" when it lies nowhere) and `last_outcome`
    how it ended so far. `skipped` are the last skips, oldest first: first, last and why. `problem` is a sentence where the
    note cannot be read.
    """

    name: str
    words: str
    job: str
    method: str
    paused: bool
    next: list[str]
    last_slot: str | None
    last_job: str | None
    last_state: str | None
    last_outcome: str | None
    skipped: list[dict[str, str]]
    problem: str


def schedules(settings: Config) -> list[Scheduled]:
    """Return what is known of each schedule of the configuration, in its order; OSError when the spool cannot be read."""
    return [_scheduled(settings.layout, schedule) for schedule in settings.schedules.values()]


def run(settings: Config, name: str) -> Job:
    """Publish a job of that schedule now, under an id made from the time: it is no slot, and changes nothing for the slots.

    Raises JobFormatError when there is no such schedule, and what `enqueue` raises.
    """
    schedule = _named(settings, name)
    return enqueue(schedule.job, schedule.method, schedule.params, meta=schedule.meta(), config=settings.path)


def pause(settings: Config, name: str) -> str:
    """Make control/pause-schedule-NAME: slots are skipped while it is there. Returns its path; JobFormatError as `run`."""
    requests.pause_schedule(settings.layout, _named(settings, name).name)
    return settings.layout.pause_schedule(name)


def resume(settings: Config, name: str) -> str | None:
    """Remove control/pause-schedule-NAME. Returns its path, None when there was none; JobFormatError as `run`."""
    is_removed = requests.resume_schedule(settings.layout, _named(settings, name).name)
    return settings.layout.pause_schedule(name) if is_removed else None


def _named(settings: Config, name: str) -> Schedule:
    known = settings.schedules
    if name not in known:
        raise JobFormatError("NAME", f"{settings.path} has no schedule {name!r}{nearest(name, known)}")
    return known[name]


def _scheduled(layout: Layout, schedule: Schedule) -> Scheduled:
    note, problem = _note(layout, schedule.name)
    timing, now = schedule.timing, int(clock.SYSTEM.wall())
    is_counted = note is not None and note.timing == timing.text  # otherwise it begins anew
    slots = _next(timing, max(now, note.until) if note is not None and is_counted else now)
    last = None if note is None or note.job is None else find(layout, note.job)
    return Scheduled(
        name=schedule.name,
        words=timing.words,
        job=schedule.job,
        method=schedule.method,
        paused=requests.is_schedule_paused(layout, schedule.name),
        next=[_moment(timing, slot) for slot in slots],
        last_slot=None if note is None or note.slot is None else _moment(timing, note.slot),
        last_job=None if note is None else note.job,
        last_state=None if note is None or note.job is None else "removed" if last is None else last.state.value,
        last_outcome=None if last is None else last.outcome,
        skipped=[] if note is None else [_skip(timing, *skip) for skip in note.skipped],
        problem=problem,
    )


def _note(layout: Layout, name: str) -> tuple[Note | None, str]:
    try:
        return schedule_notes.read(layout, name), ""
    except (OSError, JobFormatError) as error:
        return None, f"{layout.schedule(name)}: {error}"


def _next(timing: Timing, moment: int) -> list[int]:
    slots: list[int] = []
    while len(slots) < NEXT and (slot := timing.after(slots[-1] if slots else moment)) is not None:
        slots.append(slot)
    return slots


def _skip(timing: Timing, first: int, last: int, why: str) -> dict[str, str]:
    return {"first": _moment(timing, first), "last": _moment(timing, last), "why": why}


def _moment(timing: Timing, slot: int) -> str:
    return datetime.fromtimestamp(slot, timing.zone).isoformat().replace("+00:00", "Z")
