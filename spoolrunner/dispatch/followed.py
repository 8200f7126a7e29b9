"""One schedule as a dispatcher follows it, and its note as it is found at the beginning."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from spoolrunner.dispatch.one_file import is_of_one_file
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.slots import ON_TIME, Schedule, slot_id
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.schedule_notes import Note
from spoolrunner.telling.events import Event
from spoolrunner.telling.scheduled import NoteNotUnderstood, NoteReadAgain, ScheduleAhead


@dataclass
class Followed:
    """A schedule as this dispatcher follows it.

    `note` is None until it was read; `next_slot` is the first slot after it (None: there is none). What is refused to us is not
    tried before `again_at` (monotonic), and the job `kept` is not started until then.
    """

    schedule: Schedule
    note: Note | None = None
    is_written: bool = True
    next_slot: int | None = 0
    again_at: float = 0.0
    kept: str = ""
    was_ahead: bool = False

    def due_at(self) -> float:
        """When there is something to do, by the wall clock; infinite when there is nothing."""
        if not self.is_written:
            return 0.0
        return math.inf if self.next_slot is None else self.next_slot

    def change(self, schedule: Schedule) -> None:
        """Follow what the schedule says now; with another timing it begins anew."""
        if self.note is not None and schedule.timing.text != self.schedule.timing.text:
            self.note, self.is_written, self.next_slot = None, True, 0
        self.schedule = schedule

    def ahead(self, wall: float) -> ScheduleAhead | None:
        """Return the event that all is dealt with until a moment which is still to come; None while that is not so."""
        if self.note is None or self.note.until <= wall + ON_TIME:
            return None
        return ScheduleAhead(self.schedule.name, self.note.until)

    def id_at_work(self) -> str:
        """The id of the job that an error belongs to: of the noted slot until that is written, else of the next."""
        note = self.note
        if note is not None and not self.is_written and note.job is not None and note.slot == note.until:
            return note.job
        return slot_id(self.schedule.name, self.next_slot or 0)


def read_note(layout: Layout, name: str, report: Callable[[Event], None]) -> Note | None:
    """Read the note of a schedule; None when there is none, or none that can be understood.

    One that is refused is read a second time, and then given up: a job that it does not name could start meanwhile. OSError
    when it is the disk that refuses.
    """
    for is_last in (False, True):
        try:
            return schedule_notes.read(layout, name)
        except JobFormatError as error:
            report(NoteNotUnderstood(name, str(error)))
            return None
        except OSError as error:
            if not is_of_one_file(error):
                raise
            report(NoteNotUnderstood(name, str(error)) if is_last else NoteReadAgain(name, str(error)))
    return None
