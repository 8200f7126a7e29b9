"""schedules/NAME.json: until which moment all slots of a schedule are accounted for, the last job, and the last skips.

Written by the dispatcher alone, whole and synced. Where there is none, the schedule is new.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.slots import NAME, slot_time
from spoolrunner.spool import jobfile
from spoolrunner.spool.jobfile import NotOpenedError
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable, times
from spoolrunner.system.owners import hand_over_folder

MOST_SKIPS = 20
"""The last skips that a note holds; a power cut may take the lines of the log."""
_SUFFIX = ".json"


class Skip(NamedTuple):
    """Slots that were skipped: the first and the last of them, in seconds since 1970, and the reason."""

    first: int
    last: int
    why: str


class Note(NamedTuple):
    """What is known of a schedule. Moments are in seconds since 1970.

    `timing` is the text of its timing, `until` the moment up to which each slot was published, or its skip logged. `slot` and
    `job` are the last slot that was published and the id of its job, None before there was one; `skipped` are the last skips,
    oldest first.
    """

    timing: str
    until: int
    slot: int | None = None
    job: str | None = None
    skipped: tuple[Skip, ...] = ()

    def with_skip(self, first: int, last: int, why: str) -> Note:
        """Return the note with the slots from `first` to `last` skipped; slots that follow one skip for one reason are one."""
        before = self.skipped
        if before and before[-1].last == self.until and before[-1].why == why:
            first, before = before[-1].first, before[:-1]
        return self._replace(until=last, skipped=(*before, Skip(first, last, why))[-MOST_SKIPS:])


def read(layout: Layout, name: str) -> Note | None:
    """Return the note of a schedule; None when there is none, JobFormatError when it says nothing that can be understood.

    OSError when it is refused to us.
    """
    try:
        raw = jsontext.decode(jobfile.read(layout.schedule(name)).data)
    except FileNotFoundError:
        return None
    except NotOpenedError as error:
        raise error.__cause__ or error from None
    try:
        return _understood(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise JobFormatError("", f"is no note of a schedule: {type(error).__name__}: {error}") from None


def write(layout: Layout, name: str, note: Note, *, fsync: bool) -> None:
    """Make `note` the note of a schedule, for good with `fsync`; the folder is made if it is missing."""
    raw: dict[str, Any] = {
        "timing": note.timing,
        "until": slot_time(note.until),
        "slot": None if note.slot is None else slot_time(note.slot),
        "job": note.job,
        "skipped": [_told(skip) for skip in note.skipped],
    }
    data = jsontext.encode(raw)
    try:
        durable.replace_content(layout.stage(), layout.schedule(name), data, fsync)
    except FileNotFoundError:
        _make_folder(layout, fsync)
        durable.replace_content(layout.stage(), layout.schedule(name), data, fsync)


def names(layout: Layout) -> list[str]:
    """Return the sorted names of the schedules that have a note."""
    try:
        found = os.listdir(layout.schedules)
    except FileNotFoundError:
        return []
    stems = [name[: -len(_SUFFIX)] for name in found if name.endswith(_SUFFIX)]
    return sorted(stem for stem in stems if NAME.fullmatch(stem))


def remove(layout: Layout, name: str, *, fsync: bool) -> bool:
    """Remove the note of a schedule, for good with `fsync`; False when there was none."""
    is_removed = durable.unlink(layout.schedule(name))
    if is_removed and fsync:
        durable.sync_folder(layout.schedules)
    return is_removed


def _make_folder(layout: Layout, fsync: bool) -> None:
    with suppress(FileExistsError):
        os.mkdir(layout.schedules, 0o700)
        hand_over_folder(layout.schedules, layout.root)
        if fsync:
            durable.sync_folder(layout.root)


def _understood(raw: dict[str, Any]) -> Note:
    slot, job = raw.get("slot"), raw.get("job")
    return Note(
        _text(raw["timing"]),
        _moment(raw["until"]),
        None if slot is None else _moment(slot),
        None if job is None else _text(job),
        tuple(Skip(_moment(one["first"]), _moment(one["last"]), _text(one["why"])) for one in raw.get("skipped", [])),
    )


def _told(skipped: Skip) -> dict[str, str]:
    return {"first": slot_time(skipped.first), "last": slot_time(skipped.last), "why": skipped.why}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _moment(value: Any) -> int:
    return int(times.parse_time(_text(value)))
