"""Everything of a job that is not done now: what, why, and until when. The one register of it.

    register.put_off("x", Why.NOT_STARTED, pause=2.0)
    register.wait_for("y", Why.METHOD_BUSY, key)    # until free(key)
    register.reasons("x", now)

Pure; knows neither files nor clocks, and times are monotonic. That a job is not due yet stands in its own file and in the order
of waiting jobs (`order`), which holds a million of them; all else that keeps a job stands here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

Key = tuple[str, ...]
"""What a job waits for another to give up: the words of a resource, such as a method that may run once at a time."""


class Why(StrEnum):
    """Why something is not done now, in words for people."""

    NOT_JUDGED = "its file cannot be read yet: it may still be being written"
    LARGE = "its file is large, and another large one was read just now"
    NOT_MOVED = "its file in pending/ can be neither read nor moved to failed/; that is tried again, ever more rarely"
    FILE_HELD = (
        "its file, or its lock, is refused to us, so it cannot be claimed; that is tried again, ever more rarely"
    )
    LOCK_HELD = "another process has its lock for a moment"
    BEHIND_ANOTHER = "an earlier job of this id is still in running/"
    NOT_STARTED = "its process ended before its first line; it is started again after a pause"
    ID_BUSY = "an attempt of this id runs"
    METHOD_BUSY = "its method runs as often as it may at once"
    GROUP_BUSY = "its group runs as many jobs as it may at once"
    RATE_REACHED = "its group has started as many jobs as it may in that time"
    AFTER_OTHERS = "jobs that it is to start after are not over"
    AFTER_NOBODY = (
        "a job that it is to start after is in no folder; `spoolrunner retry --without-after ID` lets it start"
    )
    PAUSED = "its method or its group is paused"
    NOT_OPENED = "its file in running/ could not be opened; it is given a second look"
    NOT_RESOLVED = "its file in running/ belongs to a process that is neither gone nor known"
    NOT_RECOVERED = "its file in running/, or its lock, is refused to us; that is tried again, ever more rarely"
    NOT_SETTLED = "its process has ended, but a file of it is refused to us; that is tried again, ever more rarely"
    NOT_CANCELLED = "it is to be cancelled, but a file of it is refused to us; that is tried again, ever more rarely"
    SLOT_NOT_NOTED = (
        "its slot cannot be noted in schedules/, so that nobody would know of it; that is tried again, ever more rarely"
    )


KEEPS_FROM_START = (
    Why.FILE_HELD,
    Why.LOCK_HELD,
    Why.BEHIND_ANOTHER,
    Why.NOT_STARTED,
    Why.NOT_CANCELLED,
    Why.SLOT_NOT_NOTED,
)
"""The reasons that keep a job, which is due, from being started until their time."""


class Postponed(NamedTuple):
    """One entry: `since` and `until` are monotonic, `until` is infinite for what waits for a key.

    `times` counts how often it was put off for this reason in a row; `detail` belongs to the room that put it off. `problem`
    is a sentence where something is wrong that a person may have to mend.
    """

    job_id: str
    why: Why
    since: float
    until: float
    times: int = 1
    key: Key | None = None
    detail: Any = None
    problem: str = ""


class Register:
    """What is put off, by reason and job id."""

    def __init__(self) -> None:
        self._entries: dict[Why, dict[str, Postponed]] = {why: {} for why in Why}
        self._is_empty = True  # as it is nearly always: then a job costs the register next to nothing
        self._waiting: defaultdict[Key, dict[tuple[str, Why], None]] = defaultdict(dict)

    def put_off(
        self, job_id: str, why: Why, now: float, pause: float, detail: Any = None, problem: str = ""
    ) -> Postponed:
        """Put it off for `pause` seconds; when it is put off for that reason already, the entry keeps its `since`."""
        known = self._entries[why].get(job_id)
        since, times = (now, 0) if known is None else (known.since, known.times)
        self._is_empty = False
        made = self._entries[why][job_id] = Postponed(
            job_id, why, since, now + pause, times + 1, detail=detail, problem=problem
        )
        return made

    def wait_for(self, job_id: str, why: Why, now: float, key: Key) -> None:
        """Put it off until `key` is free."""
        self.clear(job_id, why)
        self._is_empty = False
        self._entries[why][job_id] = Postponed(job_id, why, now, math.inf, key=key)
        self._waiting[key][job_id, why] = None

    def free(self, key: Key) -> list[str]:
        """The ids of the jobs that waited for `key`, which wait no more."""
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return []
        for job_id, why in waiting:
            self._entries[why].pop(job_id, None)
        return list(dict.fromkeys(job_id for job_id, _ in waiting))

    def get(self, job_id: str, why: Why) -> Postponed | None:
        """The entry of that job for that reason."""
        return self._entries[why].get(job_id)

    def times(self, job_id: str, why: Why) -> int:
        """How often the job was put off for that reason in a row; 0 when it was not."""
        known = self._entries[why].get(job_id)
        return 0 if known is None else known.times

    def clear(self, job_id: str, *reasons: Why) -> None:
        """It is not put off for these reasons any more."""
        if self._is_empty:
            return
        for why in reasons:
            known = self._entries[why].pop(job_id, None)
            if known is not None and known.key is not None:
                self._waiting[known.key].pop((job_id, why), None)
                if not self._waiting[known.key]:
                    del self._waiting[known.key]
        self._is_empty = not any(self._entries.values())

    def count(self, *reasons: Why) -> int:
        """How many entries there are for these reasons."""
        return sum(len(self._entries[why]) for why in reasons)

    def due(self, why: Why, now: float) -> list[str]:
        """The ids of the jobs whose time has come for that reason."""
        entries = self._entries[why]
        return [job_id for job_id, entry in entries.items() if now >= entry.until] if entries else []

    def next_in(self, why: Why, now: float) -> float:
        """Seconds until the next entry for that reason is due; infinite when there is none."""
        entries = self._entries[why]
        return max(0.0, min(entry.until for entry in entries.values()) - now) if entries else math.inf

    def seconds_left(self, job_id: str, now: float, *reasons: Why) -> float:
        """For how many seconds yet the job is put off for any of these reasons; not above 0 when it is not."""
        if self._is_empty:
            return 0.0
        found = [entry.until for why in reasons if (entry := self._entries[why].get(job_id)) is not None]
        return max(found) - now if found else 0.0

    def reasons(self, job_id: str, now: float) -> list[Postponed]:
        """Everything that keeps the job at this moment."""
        entries = (self._entries[why].get(job_id) for why in Why)
        return [entry for entry in entries if entry is not None and entry.until > now]

    def ids(self) -> set[str]:
        """The ids of all jobs that have an entry."""
        return {job_id for entries in self._entries.values() for job_id in entries}

    def all(self, now: float) -> Iterator[Postponed]:
        """Every entry that keeps a job at this moment."""
        return (entry for entries in self._entries.values() for entry in entries.values() if entry.until > now)
