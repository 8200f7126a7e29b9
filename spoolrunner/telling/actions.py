"""What people do by way of the page, as an event: who, and the command line that does the same."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.telling.line_format import Entry, Kind


@dataclass(frozen=True, slots=True)
class Acted:
    """Somebody had something done. `who` is "web" or "uid 1000", `command` the command line that does the same.

    `count` is with how many jobs it was done; `id` the job, where it is one. `problem` says why it was not done, if it was not.
    """

    who: str
    command: str
    count: int | None = None
    id: str = ""
    problem: str = ""

    def entry(self, at: float) -> Entry:
        """`action`, with all that."""
        number = "" if self.count is None else f"; {self.count} job{'' if self.count == 1 else 's'}"
        refused = self.problem and f"; not done: {self.problem}"
        return Entry(Kind.ACTION, at, self.id, note=f"{self.who}: {self.command}{number}{refused}")
