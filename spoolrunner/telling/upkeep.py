"""Events of the dispatcher's own upkeep: config.json was read again, old jobs were removed. Worded as those of `events`."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.telling.events import _Sentence
from spoolrunner.telling.line_format import Entry, Kind


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """config.json was read again and is in force; `keys` are those whose values are others now."""

    path: str
    keys: tuple[str, ...]

    def entry(self, at: float) -> Entry:
        """`dispatcher`, with the keys."""
        what = f"changed: {', '.join(self.keys)}" if self.keys else "it says what it said before"
        return Entry(Kind.DISPATCHER, at, note=f"{self.path} was read again; {what}")


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """config.json was read again and is not fit: what was read before stays in force."""

    path: str
    problems: tuple[str, ...]

    def entry(self, at: float) -> Entry:
        """`trouble`, with every problem."""
        return Entry(Kind.TROUBLE, at, note=self.sentence)

    @property
    def sentence(self) -> str:
        """What is wrong, and what counts meanwhile."""
        return f"{self.path} is not taken over, what was read before stays in force: {'; '.join(self.problems)}"


@dataclass(frozen=True, slots=True)
class Pruned(_Sentence):
    """Jobs that were kept long enough were removed, and what was left of jobs that are nowhere."""

    words = (
        "kept long enough and removed: {event.done} from done/, {event.failed} from failed/; "
        "without a job: {event.left} logs and reasons"
    )
    done: int
    failed: int
    left: int
