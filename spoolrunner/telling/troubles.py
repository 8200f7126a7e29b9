"""Events of what goes wrong beside the jobs: at a file, a folder, a thread of the dispatcher. Worded as those of `events`."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.telling.events import _Sentence, _Trouble
from spoolrunner.telling.line_format import Entry, Kind


@dataclass(frozen=True, slots=True)
class ListenerFailed:
    """One of those who hear of events failed; the others hear of them all the same."""

    name: str
    problem: str

    def entry(self, at: float) -> Entry:
        """`trouble`, with who and why."""
        return Entry(Kind.TROUBLE, at, note=f"{self.name}, which is told of events, failed: {self.problem}")


@dataclass(frozen=True, slots=True)
class ThreadDied:
    """A thread of the dispatcher's process ended by an error."""

    name: str
    problem: str

    def entry(self, at: float) -> Entry:
        """`trouble`, with the name of the thread and its error."""
        return Entry(Kind.TROUBLE, at, note=f"the thread {self.name} died: {self.problem}")


@dataclass(frozen=True, slots=True)
class BesideEnded(_Trouble):
    """A program that runs beside the dispatcher ended, which hurts nobody; it is started again after `pause` seconds."""

    words = "{event.name} is not there: {event.how}; it is started again in {event.pause:g} s, and no job waits for it"
    name: str
    how: str
    pause: float


@dataclass(frozen=True, slots=True)
class KeptOff(_Trouble):
    """A file of the job `id` is refused to us, so that one is put off, and nothing else is."""

    words = "put off: {event.problem}"
    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class FolderMade(_Trouble):
    """A folder of the spool was removed, and is made again."""

    words = "{event.path}: the folder was removed; it is made again, and what lay in it is gone"
    path: str


@dataclass(frozen=True, slots=True)
class NotSwept(_Trouble):
    """Something that nobody needs any more could not be removed."""

    words = "left lying: {event.problem}"
    problem: str


@dataclass(frozen=True, slots=True)
class EventsComeAgain(_Sentence):
    """File events come again that had stopped, or could not be had."""

    words = "file events come again"


@dataclass(frozen=True, slots=True)
class HistoryNotWritten(_Trouble):
    """The line of a minute could not be written; what it would have said is lost."""

    words = "{event.sentence}"
    sentence: str
