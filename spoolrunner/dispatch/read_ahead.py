"""Waiting jobs that were read and start soon, kept so as not to be read twice; and how often large files are read at all.

Knows neither files nor documents.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Kept = TypeVar("Kept")
MOST_KEPT = 2000
"""Jobs that are kept until they start."""
MOST_BYTES = 2 << 20
"""Bytes of all their files; what is read from one takes up to twenty times as many."""
LARGE = 64 << 10
"""Bytes above which a file counts as large."""
LONG = 0.02
"""Seconds; a look that took longer than that is followed by a pause for other large files."""
SHARE = 0.25
"""The share of time that the looks at large files may take, where they come one after another."""


class ReadAhead(Generic[Kept]):
    """What was read of jobs that start soon, by id, within bounds of number and bytes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Kept, int]] = {}
        self._bytes = 0

    def keep(self, job_id: str, what: Kept, size: int) -> None:
        """Keep it, if there is room. One alone is kept however large it is."""
        self.pop(job_id)
        if not self._kept or (len(self._kept) < MOST_KEPT and self._bytes + size <= MOST_BYTES):
            self._kept[job_id] = what, size
            self._bytes += size

    def pop(self, job_id: str) -> Kept | None:
        """Return what was kept of that job, and keep it no more; None when there is nothing."""
        found = self._kept.pop(job_id, None)
        if found is None:
            return None
        self._bytes -= found[1]
        return found[0]


class LargeFiles:
    """When the next large file may be read: a look at one may take a fifth of a second, in which nothing else is done."""

    def __init__(self) -> None:
        self._next = 0.0

    def pause(self, now: float) -> float:
        """Return for how many seconds yet no large file is to be read, by the monotonic time; not above 0 when one may be."""
        return self._next - now

    def looked(self, began: float, ended: float) -> None:
        """Note when a look began and ended: after a long one large files rest."""
        took = ended - began
        if took > LONG:
            self._next = ended + took * (1 / SHARE - 1)
