"""The notes of schedules: written whole, read back as they were, refused when they say nothing."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.errors import JobFormatError
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.schedule_notes import Note, Skip

UNTIL = 1_795_744_800
NOTES = [
    Note("every 600 s", UNTIL),
    Note("0 3 * * * Europe/Berlin", UNTIL, UNTIL, "nightly.20261127T020000Z"),
    Note(
        "every 600 s",
        UNTIL,
        UNTIL - 600,
        "x",
        (Skip(UNTIL - 300, UNTIL, "the schedule is paused"), Skip(UNTIL, UNTIL, "y")),
    ),
]


@pytest.mark.parametrize("note", NOTES)
@pytest.mark.parametrize("fsync", [True, False])
def test_a_note_comes_back(spool, note, fsync) -> None:
    """What is written is read; the folder is made with the first note, for its owner alone."""
    assert schedule_notes.read(spool.layout, "nightly") is None
    schedule_notes.write(spool.layout, "nightly", note, fsync=fsync)
    schedule_notes.write(spool.layout, "nightly", note, fsync=fsync)
    assert schedule_notes.read(spool.layout, "nightly") == note
    assert os.listdir(spool.layout.tmp) == []
    if sys.platform != "win32":
        assert os.stat(spool.layout.schedules).st_mode & 0o777 == 0o700


def test_a_note_can_be_read_by_people(spool) -> None:
    """A note is JSON with times as they are written elsewhere."""
    schedule_notes.write(spool.layout, "nightly", NOTES[1], fsync=False)
    with open(spool.layout.schedule("nightly"), encoding="utf-8") as stream:
        assert stream.read().splitlines() == [
            "{",
            '  "timing": "0 3 * * * Europe/Berlin",',
            '  "until": "2026-11-27T02:00:00Z",',
            '  "slot": "2026-11-27T02:00:00Z",',
            '  "job": "nightly.20261127T020000Z",',
            '  "skipped": []',
            "}",
        ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b'{"timing": "x"}',
        b'{"timing": "x", "until": "soon"}',
        b'{"timing": "x", "until": "2026-11-27T02:00:00Z", "slot": 5}',
        b'{"timing": "x", "until": "2026-11-27T02:00:00Z", "job": []}',
        b'{"timing": "x", "until": "2026-11-27T02:00:00Z", "skipped": "x"}',
        b'{"timing": "x", "until": "2026-11-27T02:00:00Z", "skipped": [{"first": "2026-11-27T02:00:00Z"}]}',
        b'{"timing": "x", "until": "2026-11-27T02:00:00Z", "skipped": {"first": "2026-11-27T02:00:00Z"}}',
        b'{"timing": "x", "until": "2026-11-27T02:00:00Z", "skipped": 5}',
    ],
)
def test_what_is_no_note(spool, data) -> None:
    """A file that says nothing that can be understood is an error, whatever it holds."""
    schedule_notes.write(spool.layout, "nightly", NOTES[0], fsync=False)
    with open(spool.layout.schedule("nightly"), "wb") as stream:
        stream.write(data)
    with pytest.raises(JobFormatError):
        schedule_notes.read(spool.layout, "nightly")


@pytest.mark.skipif(sys.platform == "win32", reason="needs rights for links on Windows")
def test_a_link_is_not_followed(spool, tmp_path) -> None:
    """A note that is a link is not read."""
    schedule_notes.write(spool.layout, "other", NOTES[0], fsync=False)
    os.symlink(spool.layout.schedule("other"), spool.layout.schedule("nightly"))
    with pytest.raises(JobFormatError, match="a symbolic link"):
        schedule_notes.read(spool.layout, "nightly")


def test_a_note_that_is_refused_is_no_note_that_says_nothing(spool, monkeypatch) -> None:
    """A note that we may not open is an error of the system, which may pass; it is not one that cannot be understood."""
    schedule_notes.write(spool.layout, "nightly", NOTES[0], fsync=False)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(schedule_notes.jobfile, "open_file", refuse)
    with pytest.raises(PermissionError):
        schedule_notes.read(spool.layout, "nightly")


def test_the_names_of_notes(spool) -> None:
    """The names are those of notes, and nothing else that lies there."""
    assert schedule_notes.names(spool.layout) == []
    for name in ("b", "a"):
        schedule_notes.write(spool.layout, name, NOTES[0], fsync=False)
    for stray in (".c.json", "d", "e f.json"):
        with open(os.path.join(spool.layout.schedules, stray), "wb"):
            pass
    assert schedule_notes.names(spool.layout) == ["a", "b"]


def test_a_note_is_removed(spool) -> None:
    """A note that is removed is gone; one that is not there is none to be removed."""
    schedule_notes.write(spool.layout, "a", NOTES[0], fsync=True)
    assert schedule_notes.remove(spool.layout, "a", fsync=True)
    assert not schedule_notes.remove(spool.layout, "a", fsync=True)
    assert schedule_notes.names(spool.layout) == []


def test_without_tmp_nothing_is_made(spool) -> None:
    """Where tmp/ is missing, the error says so; it is not taken for the folder of the notes."""
    os.rmdir(spool.layout.tmp)
    with pytest.raises(FileNotFoundError):
        schedule_notes.write(spool.layout, "a", NOTES[0], fsync=False)


def test_skips_are_kept(spool) -> None:
    """A note has the last skips; slots that follow each other and are skipped for one reason are one skip."""
    note = Note("every 10 s", 0)
    for slot in (10, 20, 30):
        note = note.with_skip(slot, slot, "paused")
    assert note == Note("every 10 s", 30, skipped=(Skip(10, 30, "paused"),))
    note = note._replace(until=40).with_skip(50, 60, "paused")
    assert note.skipped == (Skip(10, 30, "paused"), Skip(50, 60, "paused"))
    for number in range(schedule_notes.MOST_SKIPS):
        note = note.with_skip(100 + number, 100 + number, f"reason {number}")
    assert [skip.why for skip in note.skipped] == [f"reason {n}" for n in range(schedule_notes.MOST_SKIPS)]
