"""One schedule as a dispatcher follows it: when there is something to do, and which job an error belongs to."""

from __future__ import annotations

import math
import os

import pytest

from spoolrunner.config.load import Config
from spoolrunner.dispatch.followed import Followed, read_note
from spoolrunner.protocol.slots import Schedule, slot_id
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.schedule_notes import Note
from spoolrunner.telling.scheduled import NoteNotUnderstood, NoteReadAgain, ScheduleAhead

SLOT = 1_800_000_000
NOTE = Note("every 3600 s", SLOT)


def schedule_of(config, every: str = "1h") -> Schedule:
    made: Config = config(schedules={"hourly": {"every": every, "job": "app.Report", "method": "build"}})
    return made.schedules["hourly"]


@pytest.fixture
def followed(config) -> Followed:
    return Followed(schedule_of(config), NOTE, next_slot=SLOT + 3600)


def test_when_there_is_something_to_do(config, followed) -> None:
    """At once while the note is not read or not written, else at the next slot, if there is one."""
    assert Followed(schedule_of(config)).due_at() == 0
    assert followed.due_at() == SLOT + 3600
    followed.is_written = False
    assert followed.due_at() == 0
    assert Followed(followed.schedule, NOTE, next_slot=None).due_at() == math.inf


def test_another_timing_begins_anew(config, followed) -> None:
    """Other keys leave the note as it is known; another timing has it read again."""
    followed.change(schedule_of(config))
    assert followed.note == NOTE
    followed.change(schedule_of(config, "2h"))
    assert (followed.note, followed.due_at()) == (None, 0)


def test_ahead(followed) -> None:
    """More than a minute is ahead: the clock was set back."""
    assert followed.ahead(SLOT - 60.0) is None
    assert followed.ahead(SLOT - 61.0) == ScheduleAhead("hourly", SLOT)
    followed.note = None
    assert followed.ahead(0.0) is None


def test_which_job_an_error_belongs_to(followed) -> None:
    """That of the noted slot until the note is written, else that of the next."""
    assert followed.id_at_work() == slot_id("hourly", SLOT + 3600)
    followed.note, followed.is_written = NOTE._replace(slot=SLOT, job="hourly.now"), False
    assert followed.id_at_work() == "hourly.now"


def test_a_note_is_read(spool) -> None:
    """What was written is read; where nothing is, or nothing that can be understood, there is none, and that is said."""
    told: list = []
    assert read_note(spool.layout, "hourly", told.append) is None
    assert told == []
    os.makedirs(spool.layout.schedules, exist_ok=True)
    with open(spool.layout.schedule("hourly"), "wb") as stream:
        stream.write(b"[]")
    assert read_note(spool.layout, "hourly", told.append) is None
    assert [type(event) for event in told] == [NoteNotUnderstood]
    schedule_notes.write(spool.layout, "hourly", NOTE, fsync=False)
    assert read_note(spool.layout, "hourly", told.append) == NOTE


def test_a_note_that_is_refused(spool, monkeypatch) -> None:
    """One that is refused is asked for twice; a disk that refuses is raised."""

    def refuse(number: int):
        def read(layout, name):
            raise OSError(number, os.strerror(number), name)

        monkeypatch.setattr(schedule_notes, "read", read)

    told: list = []
    refuse(13)
    assert read_note(spool.layout, "hourly", told.append) is None
    assert [type(event) for event in told] == [NoteReadAgain, NoteNotUnderstood]
    refuse(28)
    with pytest.raises(OSError, match="hourly"):
        read_note(spool.layout, "hourly", told.append)
