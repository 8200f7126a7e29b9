"""What happens in a dispatcher: one small class an event, each with its words. No event is worded anywhere else.

    reporter.report(Refused("x", Outcome.REJECTED, "priority: must be an integer"))

An event is a value, and `entry(at)` puts it into words. It is reported at most once: nothing that must happen may hang on one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.telling.line_format import Entry, Kind, Who


class Event(Protocol):
    """Something that happened."""

    def entry(self, at: float) -> Entry:
        """The event in words; `at` is its time in seconds since 1970."""


Listener = Callable[[Event, float], None]
"""Called with each event and its time, in seconds since 1970, in the dispatcher's own thread."""


# -- the journey of a job


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt began of a job that was due at that moment, in seconds since 1970."""

    who: Who
    due_at: float | None = None

    def entry(self, at: float) -> Entry:
        """`started`, with the attempt."""
        return self.who.entry(Kind.STARTED, at)


@dataclass(frozen=True, slots=True)
class Adopted:
    """An attempt that an earlier dispatcher started is watched over from now on."""

    who: Who

    def entry(self, at: float) -> Entry:
        """`adopted`, with the attempt."""
        return self.who.entry(Kind.ADOPTED, at)


@dataclass(frozen=True, slots=True)
class Ending:
    """The dispatcher began to end an attempt: it was cancelled, took too long, or the dispatcher stops; or what one left."""

    who: Who
    outcome: Outcome | None
    why: str

    def entry(self, at: float) -> Entry:
        """`ending`, with the attempt and the reason."""
        return self.who.entry(Kind.ENDING, at, outcome=self.outcome or "", note=self.why)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attempt was recorded in its document. `duration` is in seconds, None where it is not known."""

    who: Who
    outcome: Outcome
    verdict: Verdict
    duration: float | None
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    result_dropped: str = ""

    def entry(self, at: float) -> Entry:
        """`completed`, `failed` or, of an attempt that its own process refused, `refused`."""
        failed = Kind.REFUSED if self.outcome is Outcome.REJECTED else Kind.FAILED
        kind = Kind.COMPLETED if self.verdict is Verdict.DONE else failed
        dropped = self.result_dropped and f"result_dropped: {self.result_dropped}"
        note = ": ".join(filter(None, (self.error_type, self.error_message, dropped)))
        about = {"duration": self.duration, "outcome": self.outcome, "verdict": self.verdict}
        return self.who.entry(kind, at, **about, note=note, traceback=self.traceback)


@dataclass(frozen=True, slots=True)
class RetryPlanned:
    """A job is to be tried again: `who` is its next attempt, `next_run_at` in seconds since 1970."""

    who: Who
    next_run_at: float | None

    def entry(self, at: float) -> Entry:
        """`retry`, with the next attempt and its time."""
        return self.who.entry(Kind.RETRY, at, next_run_at=self.next_run_at)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file went to failed/ without an attempt: `id` is its name there, `what` the reason."""

    id: str
    outcome: Outcome
    what: str

    def entry(self, at: float) -> Entry:
        """`refused`, with the outcome and the reason."""
        return Entry(Kind.REFUSED, at, self.id, outcome=self.outcome.value, note=self.what)


class _Sentence:
    """An event that is one sentence: `words`, with the event's own fields in it, about the job `id` if it has one."""

    __slots__ = ()
    kind: ClassVar[Kind] = Kind.DISPATCHER
    words: ClassVar[str]

    def entry(self, at: float) -> Entry:
        """`kind`, with the sentence."""
        return Entry(self.kind, at, getattr(self, "id", ""), note=self.words.format(event=self))


class _Trouble(_Sentence):
    """A sentence that goes to the error log too."""

    __slots__ = ()
    kind = Kind.TROUBLE


@dataclass(frozen=True, slots=True)
class Released(_Sentence):
    """A job that was claimed, but never started, waits again."""

    kind = Kind.RELEASED
    words = "claimed, but never started"
    id: str


@dataclass(frozen=True, slots=True)
class NeverStarted(_Sentence):
    """A job's process ended with `status` before its first line; it is tried again in `pause` seconds."""

    kind = Kind.RELEASED
    words = "claimed, but never started (status {event.status}); trying again in {event.pause:g} s"
    id: str
    status: int | None
    pause: float


@dataclass(frozen=True, slots=True)
class CouldNotWrite(_Sentence):
    """A job's process could not write to the spool, so that its attempt was not begun."""

    kind = Kind.RELEASED
    words = "its process could not write to the spool"
    id: str


@dataclass(frozen=True, slots=True)
class Gone(_Trouble):
    """The file of a job that ran is not in running/ any more."""

    words = "running/ID.json is gone: removed by the job, or by hand"
    id: str


@dataclass(frozen=True, slots=True)
class LeftBehind(_Trouble):
    """A file that a settled job does not need any more could not be removed; `problem` names it and the reason."""

    words = "something of it is left behind: {event.problem}"
    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class DeadlineNotKnown(_Trouble):
    """The lock file of an attempt could not be read, so when its import ended is not known, and it is given all its time."""

    words = "its lock file cannot be read, so its deadline counts as the latest possible: {event.problem}"
    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class CancelMissed(_Sentence):
    """A cancel was asked for a job that neither waits nor runs."""

    words = "cancel asked for, but no such job waits or runs"
    id: str


# -- the life of a dispatcher


@dataclass(frozen=True, slots=True)
class DispatcherStarted(_Sentence):
    """A dispatcher holds the spool."""

    words = "started, version {event.version}, pid {event.pid}"
    version: str
    pid: int


@dataclass(frozen=True, slots=True)
class DispatcherStopping(_Sentence):
    """A dispatcher was asked to stop; it gives the `running` jobs `grace` seconds."""

    words = "stopping; {event.running} running, given {event.grace:g} s"
    running: int
    grace: float


@dataclass(frozen=True, slots=True)
class DispatcherStopped(_Sentence):
    """A dispatcher gave the spool up."""

    words = "stopped"


@dataclass(frozen=True, slots=True)
class DispatcherLeft(_Sentence):
    """A dispatcher gave the spool up, and `running` jobs run on."""

    words = "stopped; {event.running} jobs run on"
    running: int


@dataclass(frozen=True, slots=True)
class Paused(_Sentence):
    """No more jobs are started."""

    words = "paused"


@dataclass(frozen=True, slots=True)
class Resumed(_Sentence):
    """Jobs are started again."""

    words = "resumed"


@dataclass(frozen=True, slots=True)
class Blocked(_Trouble):
    """The spool cannot be written, or no process started: nothing is claimed for `pause` seconds."""

    words = "claiming nothing, trying again in {event.pause:g} s: {event.problem}"
    problem: str
    pause: float


@dataclass(frozen=True, slots=True)
class GoingOn(_Sentence):
    """The dispatcher can work again."""

    words = "going on"


@dataclass(frozen=True, slots=True)
class StaleStopRemoved(_Sentence):
    """A stop that was asked of an earlier dispatcher was removed."""

    words = "control/stop was left from before: removed"


@dataclass(frozen=True, slots=True)
class EventsDropped(_Trouble):
    """File events were lost, so the folder is read instead."""

    words = "file events were dropped: scanning pending/ instead"


@dataclass(frozen=True, slots=True)
class Weakness(_Trouble):
    """Something about the installation weakens the promise; `what` is the sentence that `spoolrunner check` prints too."""

    words = "{event.what}"
    what: str


@dataclass(frozen=True, slots=True)
class StatusNotWritten(_Trouble):
    """status.json could not be written at the end."""

    words = "status.json could not be written: {event.problem}"
    problem: str


# -- what an executor reports


@dataclass(frozen=True, slots=True)
class Preloaded(_Sentence):
    """A template has imported a module ahead of the jobs; `did` is what else its import did, in words."""

    words = "{event.module} was preloaded in {event.seconds:g} s{event.did}"
    module: str
    seconds: float
    did: str


@dataclass(frozen=True, slots=True)
class NotPreloaded(_Trouble):
    """The template could not get `what` ready, or does without; each job does it for itself, or meets the same error."""

    words = "{event.what} is not preloaded: {event.problem}"
    what: str
    problem: str
