"""Events of schedules: what was published for a slot, what was skipped and why. Worded as those of `events`."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.protocol.slots import slot_time
from spoolrunner.telling.events import _Sentence, _Trouble
from spoolrunner.telling.line_format import Entry, Kind


@dataclass(frozen=True, slots=True)
class SlotPublished(_Sentence):
    """The job `id` of a slot waits; `how` says whether it was published now, or was found."""

    kind = Kind.SCHEDULED
    words = "schedule {event.schedule}: {event.how}"
    id: str
    schedule: str
    how: str = "its job was published"


@dataclass(frozen=True, slots=True)
class SlotsSkipped:
    """Slots of a schedule are not run: from `first` to `last`, in seconds since 1970; `number` is None when it is not known."""

    schedule: str
    first: int
    last: int
    number: int | None
    why: str

    def entry(self, at: float) -> Entry:
        """`skipped`, with the slots and the reason."""
        which = f"slot {slot_time(self.first)} is"
        if self.first != self.last:
            number = "all" if self.number is None else str(self.number)
            which = f"{number} slots from {slot_time(self.first)} to {slot_time(self.last)} are"
        return Entry(Kind.SKIPPED, at, note=f"schedule {self.schedule}: {which} skipped: {self.why}")


@dataclass(frozen=True, slots=True)
class ScheduleBegun:
    """A schedule is `new`, or its timing `another`: it counts from its next slot on."""

    schedule: str
    why: str
    next_slot: int | None

    def entry(self, at: float) -> Entry:
        """`scheduled`, with the next slot."""
        following = "it is never due" if self.next_slot is None else f"its next slot is {slot_time(self.next_slot)}"
        what = "is new" if self.why == "new" else "has other times than before, and what it missed of those is not run"
        return Entry(Kind.SCHEDULED, at, note=f"schedule {self.schedule} {what}; {following}")


@dataclass(frozen=True, slots=True)
class ScheduleForgotten(_Sentence):
    """The note of a schedule was removed that config.json has no more."""

    kind = Kind.SCHEDULED
    words = "schedule {event.schedule} is not in config.json any more; its note is removed"
    schedule: str


@dataclass(frozen=True, slots=True)
class NoteNotUnderstood(_Trouble):
    """The note of a schedule cannot be read, so the schedule counts from its next slot on."""

    words = (
        "schedules/{event.schedule}.json: {event.problem}; the schedule begins anew, and a slot it missed is not run"
    )
    schedule: str
    problem: str


@dataclass(frozen=True, slots=True)
class NoteReadAgain(_Trouble):
    """The note of a schedule was refused to us once, and is read again."""

    words = "schedules/{event.schedule}.json: {event.problem}; it is read again"
    schedule: str
    problem: str


@dataclass(frozen=True, slots=True)
class ScheduleAhead:
    """The slots of a schedule are accounted for until a moment in the future: the clock was set back."""

    schedule: str
    until: int

    @property
    def sentence(self) -> str:
        """What is so, and what to do about it."""
        until, note = slot_time(self.until), f"schedules/{self.schedule}.json"
        return (
            f"schedule {self.schedule}: its slots until {until} were dealt with, and that is in the future: the clock was "
            f"set back. It goes on then; to have it go on now, stop the dispatcher and remove {note}"
        )

    def entry(self, at: float) -> Entry:
        """`trouble`, with what to do."""
        return Entry(Kind.TROUBLE, at, note=self.sentence)
