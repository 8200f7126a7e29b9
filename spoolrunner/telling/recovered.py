"""What a dispatcher reports when it has looked at what a power cut left."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.telling.line_format import Entry, Kind


@dataclass(frozen=True, slots=True)
class SecondNameRemoved:
    """A job lay under two names after a power cut: that one was removed, and its job is `kept`. Both are paths in the spool."""

    id: str
    removed: str
    kept: str

    def entry(self, at: float) -> Entry:
        """`trouble`, with both names."""
        note = f"{self.removed} was left by a power cut, and removed: the job is {self.kept}"
        return Entry(Kind.TROUBLE, at, self.id, note=note)
