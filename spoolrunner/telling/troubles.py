"""Events about the dispatcher itself, rather than about jobs: what went wrong around it. Worded here, like all in `events`."""

from __future__ import annotations

from dataclasses import dataclass

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
class ConfigChanged:
    """config.json is another file by now than the one this dispatcher read when it started."""

    path: str

    def entry(self, at: float) -> Entry:
        """`trouble`, with what to do."""
        return Entry(Kind.TROUBLE, at, note=self.sentence)

    @property
    def sentence(self) -> str:
        """What happened, and what to do about it."""
        return f"{self.path} was changed since the dispatcher started; it goes by what it read then: restart it"
