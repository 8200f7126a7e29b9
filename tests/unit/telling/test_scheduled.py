"""What is reported of schedules, in words."""

from __future__ import annotations

import pytest

from spoolrunner.telling.line_format import Kind, line
from spoolrunner.telling.scheduled import (
    NoteNotUnderstood,
    NoteReadAgain,
    ScheduleAhead,
    ScheduleBegun,
    ScheduleForgotten,
    SlotPublished,
    SlotsSkipped,
)

SLOT = 1_795_744_800
AT = 1_800_000_000.0
OTHER = "schedule n has other times than before, and what it missed of those is not run; it is never due"
AHEAD = (
    "schedule n: its slots until 2026-11-27T02:00:00Z were dealt with, and that is in the future: the clock was set back. "
    "It goes on then; to have it go on now, stop the dispatcher and remove schedules/n.json"
)


@pytest.mark.parametrize(
    ("event", "kind", "note"),
    [
        (SlotPublished("n.x", "n"), Kind.SCHEDULED, "schedule n: its job was published"),
        (SlotPublished("n.x", "n", "it was found"), Kind.SCHEDULED, "schedule n: it was found"),
        (SlotsSkipped("n", SLOT, SLOT, 1, "why"), Kind.SKIPPED, "schedule n: slot 2026-11-27T02:00:00Z is skipped: why"),
        (
            SlotsSkipped("n", SLOT, SLOT + 3600, 2, "why"),
            Kind.SKIPPED,
            "schedule n: 2 slots from 2026-11-27T02:00:00Z to 2026-11-27T03:00:00Z are skipped: why",
        ),
        (
            SlotsSkipped("n", SLOT, SLOT + 3600, None, "why"),
            Kind.SKIPPED,
            "schedule n: all slots from 2026-11-27T02:00:00Z to 2026-11-27T03:00:00Z are skipped: why",
        ),
        (
            ScheduleBegun("n", "new", SLOT),
            Kind.SCHEDULED,
            "schedule n is new; its next slot is 2026-11-27T02:00:00Z",
        ),
        (ScheduleBegun("n", "another", None), Kind.SCHEDULED, OTHER),
        (
            ScheduleForgotten("n"),
            Kind.SCHEDULED,
            "schedule n is not in config.json any more; its note is removed",
        ),
        (
            NoteNotUnderstood("n", "no JSON"),
            Kind.TROUBLE,
            "schedules/n.json: no JSON; the schedule begins anew, and a slot it missed is not run",
        ),
        (NoteReadAgain("n", "denied"), Kind.TROUBLE, "schedules/n.json: denied; it is read again"),
        (
            ScheduleAhead("n", SLOT),
            Kind.TROUBLE,
            AHEAD,
        ),
    ],
)  # fmt: skip
def test_words(event, kind, note) -> None:
    """Each is one printable line; what a person has to mend goes to the error log too."""
    entry = event.entry(AT)
    assert (entry.kind, entry.note, entry.at) == (kind, note, AT)
    assert line(entry).isprintable()
