"""Events of pauses that hold up a part of the work: one method, or one group. Worded as those of `events`."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.telling.events import _Sentence, _Trouble


@dataclass(frozen=True, slots=True)
class PartPaused(_Sentence):
    """No more jobs of one method or group are started."""

    words = "paused: {event.what}"
    what: str


@dataclass(frozen=True, slots=True)
class PartResumed(_Sentence):
    """Jobs of that method or group are started again."""

    words = "resumed: {event.what}"
    what: str


@dataclass(frozen=True, slots=True)
class PauseOfNothing(_Trouble):
    """A file in control/ asks for a pause of something that there is not: a typing error, perhaps."""

    words = "{event.problem}"
    problem: str
