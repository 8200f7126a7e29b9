"""The slots of a schedule around now: what became of those that are over, and which are to come.

slots_around(settings, "nightly", begin, end)
"""

from __future__ import annotations

from typing import NamedTuple

from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.slots import slot_id
from spoolrunner.protocol.states import State
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.schedule_notes import Note
from spoolrunner.system import clock

MOST = 100
"""Slots that are returned for the time before now, and for the time after it: those next to now."""
SKIPPED, TO_COME, UNKNOWN = "skipped", "pending", ""
"""What a slot may be beside the folder in which its job lies. Unknown: its file was removed, or it was never a slot."""


class Around(NamedTuple):
    """A slot, in seconds since 1970, and what became of it: the folder of its job, or one of the words above."""

    at: int
    stands: str


def slots_around(settings: Config, name: str, begin: float, end: float) -> list[Around]:
    """Return the slots of a schedule between two moments in seconds since 1970, in their order.

    OSError when the spool cannot be read; ConfigError as for `Config.schedules`.
    """
    schedule, layout, now = settings.schedules[name], settings.layout, clock.SYSTEM.wall()
    try:
        note = schedule_notes.read(layout, name)
    except JobFormatError:
        note = None
    over: list[int] = []
    slots: list[Around] = []
    slot = schedule.timing.after(int(begin))
    while slot is not None and slot <= end and len(slots) < MOST:
        if slot <= now:
            over = [*over[-MOST + 1 :], slot]
        else:
            slots.append(Around(slot, TO_COME))
        slot = schedule.timing.after(slot)
    return [*(Around(slot, _became(layout, name, slot, note)) for slot in over), *slots]


def _became(layout: Layout, name: str, slot: int, note: Note | None) -> str:
    spool, job_id = Spool(layout), slot_id(name, slot)
    for state in State:
        if spool.exists(state, job_id):
            return state.value
    if note is not None and any(skip.first <= slot <= skip.last for skip in note.skipped):
        return SKIPPED
    return UNKNOWN
