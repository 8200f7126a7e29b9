"""The chore that publishes the jobs of schedules: each slot once, or its skip is logged.

The order of its steps is a model (`tests/model/slots.py`): the job of a slot is published, then the slot is noted, then the job
may start. So whoever comes after a death finds either the note or the job, and a slot that was run is noted, however soon its
file is pruned. Slots that are skipped are logged, then noted, before a later one is published. A slot that is not after the
noted one never comes again, however the clock is set.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from spoolrunner.config.load import Config
from spoolrunner.dispatch.followed import Followed, read_note
from spoolrunner.dispatch.intake import LOOK_SLICE
from spoolrunner.dispatch.one_file import FileFaults, is_of_one_file
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.errors import DuplicateJobError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.slots import ON_TIME, Schedule, lateness_problem, overlap_problem, slot_id
from spoolrunner.protocol.states import State
from spoolrunner.protocol.timing import Due
from spoolrunner.spool import publishing, requests, schedule_notes
from spoolrunner.spool.schedule_notes import Note
from spoolrunner.telling.scheduled import (
    ScheduleBegun,
    ScheduleForgotten,
    SlotPublished,
    SlotsSkipped,
)
from spoolrunner.telling.troubles import NotSwept

_SHORTEST_PAUSE = 2.0
"""Seconds until a schedule is tried again of which a file is refused to us."""


class Recurring:
    """The schedules of one spool. `check` raises OSError when the spool is not the one that we serve."""

    def __init__(self, rooms: Rooms, phase: Callable[[], Phase], check: Callable[[], None]) -> None:
        self._spool = rooms.spool
        self._layout = rooms.spool.layout
        self._fsync = rooms.config.fsync
        self._key = rooms.config.signing_key
        self._register = rooms.register
        self._intake = rooms.intake
        self._clock = rooms.clock
        self._report = rooms.reporter.report
        self._faults = FileFaults(rooms.spool, rooms.register, rooms.reporter, rooms.clock)
        self._phase = phase
        self._check = check
        self._watched = [Followed(schedule) for schedule in rooms.config.schedules.values()]
        self.is_to_begin = False
        """Whether the schedules are others since they were last gone through: nothing may start before they are again."""
        self._let_go: list[str] = []
        self._quiet_from, self._quiet_until = math.inf, -math.inf

    def __len__(self) -> int:
        """How many schedules there are."""
        return len(self._watched)

    @property
    def trouble(self) -> list[str]:
        """A sentence for each schedule that a clock which was set back keeps waiting."""
        wall = self._clock.wall()
        return [event.sentence for watched in self._watched if (event := watched.ahead(wall)) is not None]

    def reconfigure(self, config: Config) -> None:
        """Go by the schedules of `config` from the next turn on. A schedule whose timing is the same goes on as it was."""
        before = {watched.schedule.name: watched for watched in self._watched}
        self._watched = []
        for name, schedule in config.schedules.items():
            watched = before.pop(name, None)
            if watched is None:
                watched = Followed(schedule)
            else:
                watched.change(schedule)
            self._watched.append(watched)
        self._let_go += [watched.kept for watched in before.values() if watched.kept]
        self.is_to_begin = True
        self._quiet_from, self._quiet_until = math.inf, -math.inf

    def forget_others(self) -> None:
        """Remove the notes of schedules that config.json has no more: one of that name that comes back later is new.

        Before anything starts: else the job of a slot that is not noted could run, and the slot come again with its schedule.
        """
        ours = {watched.schedule.name for watched in self._watched}
        try:
            for name in schedule_notes.names(self._layout):
                if name not in ours and schedule_notes.remove(self._layout, name, fsync=self._fsync):
                    self._report(ScheduleForgotten(name))
        except OSError as error:
            if not is_of_one_file(error):
                raise
            self._report(NotSwept(str(error)))

    def next_in(self, now: float) -> float:
        """Seconds until a slot is due, or a file that was refused is tried again; infinite while the dispatcher stops."""
        wall = self._clock.wall()
        if self._is_quiet(wall):
            return self._quiet_until - wall
        if self._phase().is_ending:
            return math.inf
        if self.is_to_begin:
            return 0.0
        return max(0.0, min((max(one.due_at() - wall, one.again_at - now) for one in self._watched), default=math.inf))

    def work(self, now: float) -> None:
        """Account for every slot that is due: publish its job, or log why it is skipped. OSError when the disk refuses.

        Schedules that were looked at before take a slice of time, since a thousand may be due at midnight.
        """
        wall = self._clock.wall()
        if self._is_quiet(wall) or self._phase().is_ending:
            return
        if self.is_to_begin:
            self._check()
            self.forget_others()
        until = self._clock.monotonic() + LOOK_SLICE
        for watched in self._watched:
            is_new = watched.note is None
            if now >= watched.again_at and wall >= watched.due_at() and (is_new or self._clock.monotonic() < until):
                self._check()
                self._attend(watched, now, wall)
            event = watched.ahead(wall)
            if event is not None and not watched.was_ahead:
                self._report(event)
            watched.was_ahead = event is not None
        self.is_to_begin = False
        self._release(self._let_go)
        self._quiet_until = min((0.0 if one.kept else one.due_at() for one in self._watched), default=math.inf)
        noted_until = max((one.note.until if one.note else math.inf for one in self._watched), default=-math.inf)
        self._quiet_from = noted_until - ON_TIME

    def _is_quiet(self, wall: float) -> bool:
        """Whether nothing is due, and no clock was set back, so that the schedules need not be gone through."""
        return self._quiet_from <= wall < self._quiet_until

    def _attend(self, watched: Followed, now: float, wall: float) -> None:
        """Do what is due of one schedule; one of which a file is refused is put off, and the others are not."""
        before, watched.kept = watched.kept, ""
        try:
            begins = watched.note is None
            note = self._begin(watched, wall) if watched.note is None else watched.note
            self._save(watched, note)
            if begins:
                note = self._begin_with_next(watched, note)
            while (due := watched.schedule.timing.due(note.until, int(wall))) is not None:
                note = self._account(watched, note, due, wall)
        except OSError as error:
            watched.kept = before
            pause = self._faults.put_off(watched.id_at_work(), Why.SLOT_NOT_NOTED, error, _SHORTEST_PAUSE)
            watched.kept, watched.again_at = watched.id_at_work(), now + pause
        if before and before != watched.kept:
            self._release([before])

    def _release(self, kept: list[str]) -> None:
        """Let jobs start that were kept until their slots are noted; takes them from the list."""
        while kept:
            self._register.clear(kept[-1], Why.SLOT_NOT_NOTED)
            self._intake.look(kept[-1])
            kept.pop()

    def _begin(self, watched: Followed, wall: float) -> Note:
        """Read the note. A schedule without one, or with another timing, counts from its next slot on."""
        name, text = watched.schedule.name, watched.schedule.timing.text
        note, why = read_note(self._layout, name, self._report), "new"
        if note is not None and note.timing == text:
            return self._follow(watched, note, is_written=True)
        if note is None:
            note = Note(text, int(wall))
        else:
            note, why = note._replace(timing=text, until=max(note.until, int(wall))), "another"
        self._follow(watched, note, is_written=False)
        self._report(ScheduleBegun(name, why, watched.next_slot))
        return note

    def _begin_with_next(self, watched: Followed, note: Note) -> Note:
        """Note the next slot if its job is there: a dispatcher may have died before it noted that, and the clock been set back.

        Else that job would run before its slot is due, and the slot be published again when it is.
        """
        slot = watched.next_slot
        if slot is None or publishing.state_of(self._spool, slot_id(watched.schedule.name, slot)) is None:
            return note
        return self._publish_noted(watched, note, slot, "its job was published before")

    def _account(self, watched: Followed, note: Note, due: Due, wall: float) -> Note:
        """Deal with the first of the slots that are due, or with all of them but the last; return the note after it."""
        schedule, slot = watched.schedule, due.first
        job_id = slot_id(schedule.name, slot)
        if publishing.state_of(self._spool, job_id) is not None:
            return self._publish_noted(watched, note, slot, "its job was published before")
        if requests.is_schedule_paused(self._layout, schedule.name):
            return self._skip(watched, note, due, "the schedule is paused")
        if due.before_last is not None:
            number = None if due.number is None else due.number - 1
            return self._skip(watched, note, Due(slot, due.before_last, None, number), "a later slot is due by now")
        why = lateness_problem(slot, wall, schedule.terms) or self._overlap(schedule, note)
        if why:
            return self._skip(watched, note, due, why)
        self._publish(schedule, slot, job_id, wall)
        return self._publish_noted(watched, note, slot, "its job was published")

    def _overlap(self, schedule: Schedule, note: Note) -> str:
        """Why no job is published beside that of the last slot; empty when one is."""
        if note.job is None:
            return ""
        waits, runs = (self._spool.exists(state, note.job) for state in (State.PENDING, State.RUNNING))
        return overlap_problem(note.job, waits=waits, runs=runs, terms=schedule.terms)

    def _skip(self, watched: Followed, note: Note, due: Due, why: str) -> Note:
        """Log that these slots are not run, then note it."""
        self._report(SlotsSkipped(watched.schedule.name, due.first, due.last, due.number, why))
        return self._save(watched, self._follow(watched, note.with_skip(due.first, due.last, why), is_written=False))

    def _publish(self, schedule: Schedule, slot: int, job_id: str, wall: float) -> None:
        raw = schedule.document(slot, wall, random.random())
        data = jsontext.encode(raw) if self._key is None else signing.sign(self._key, job_id, raw)
        try:
            self._spool.publish(job_id, data)
        except DuplicateJobError:
            return  # Race: somebody made it just now.

    def _publish_noted(self, watched: Followed, note: Note, slot: int, how: str) -> Note:
        """Note a slot whose job is there, and only then let that start."""
        job_id = slot_id(watched.schedule.name, slot)
        self._report(SlotPublished(job_id, watched.schedule.name, how))
        noted = note._replace(until=slot, slot=slot, job=job_id)
        self._save(watched, self._follow(watched, noted, is_written=False))
        self._intake.look(job_id)
        return noted

    def _follow(self, watched: Followed, note: Note, *, is_written: bool) -> Note:
        watched.note, watched.is_written = note, is_written
        watched.next_slot = watched.schedule.timing.after(note.until)
        return note

    def _save(self, watched: Followed, note: Note) -> Note:
        """Write the note, unless it is written."""
        if not watched.is_written:
            schedule_notes.write(self._layout, watched.schedule.name, note, fsync=self._fsync)
            watched.is_written = True
        return note
