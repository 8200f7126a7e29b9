"""The history of a spool for charts: a line a minute in logs/minutes-20261128.jsonl, a file a day (UTC), which `cat` shows.

Owns these files. Counts in memory, without a call of the system, and writes once a minute; what a dispatcher that is killed had
not written yet is lost. What cannot be written is said in status.json, and nothing waits for it.
"""

from __future__ import annotations

import errno
import math
import os
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import orjson

from spoolrunner.protocol.states import Verdict
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable
from spoolrunner.system.clock import Clock, format_time
from spoolrunner.system.heldfiles import open_plain
from spoolrunner.telling.events import Event, Recorded, Refused, Started
from spoolrunner.telling.figures import BOUNDS, Figures
from spoolrunner.telling.troubles import HistoryNotWritten

MINUTE = 60
KINDS = 20
"""Kinds of jobs that a line names; those with the least to say are added up as OTHER."""
OTHER = "other"
"""The kind of what is added up, and of files that were refused."""
MAX_BYTES = 4 << 20
"""Bytes of a day's file. Beyond the half of it a line names no kinds; beyond all of it the rest of the day is left out."""
_LATE = 0.1
"""Seconds behind the end of a minute at which its line is written."""
FILE_NAME = re.compile(r"minutes-([0-9]{8})\.jsonl")
"""The name of such a file, with its day."""
SERVING = "running"
"""The state of a dispatcher that starts what is due."""
_NO_KIND = ("", "")
_Counts = Callable[[], dict[str, Any]]


def day_of(at: float) -> str:
    """Return the day (UTC) of a moment in seconds since 1970, as it stands in the name of its file."""
    return format_time(at)[:10].replace("-", "")


class Minutes:
    """A listener that counts, and a chore that writes. `keep` is for how many seconds a file is kept; 0: none is written.

    `state_of` returns what each line says besides: how many jobs are `due`, `waiting` and `running` at the end of its minute,
    and the `state` of the dispatcher. `trouble` says why the last line could not be written, and is empty when it could.
    """

    def __init__(self, layout: Layout, clock: Clock, keep: float) -> None:
        self.trouble = ""
        self.state_of: _Counts = dict
        self.report: Callable[[Event], object] = lambda _: None
        """Called with an event when the history cannot be written, once for the same reason."""
        self._layout, self._clock, self._keep = layout, clock, keep
        self._begin = self._end = 0.0
        self._write_at = math.inf
        self._kinds: dict[tuple[str, str], Figures] = {}
        self._path = ""

    def __call__(self, event: Event, at: float) -> None:
        """Count the event, if it is a start, a record or a refusal; `at` is its time in seconds since 1970.

        Each job pays for this twice, so it is written without further calls of Python.
        """
        if not self._begin <= at < self._end and not self._begin_minute(at):
            return
        if isinstance(event, (Started, Recorded)):
            who = event.who
            key = (who.job, who.method)
        elif isinstance(event, Refused):
            key = _NO_KIND
        else:
            return
        figures = self._kinds.get(key)
        if figures is None:
            figures = self._kinds[key] = Figures()
        if isinstance(event, Started):
            figures.started += 1
            if event.due_at is not None:
                seconds = at - event.due_at
                figures.waited[bisect_right(BOUNDS, seconds)] += 1
                figures.waited_s += seconds
            return
        figures.ended[event.outcome] = figures.ended.get(event.outcome, 0) + 1
        if isinstance(event, Recorded):
            if event.verdict is Verdict.RETRY:
                figures.retried += 1
            if event.duration is not None:
                figures.ran[bisect_right(BOUNDS, event.duration)] += 1
                figures.ran_s += event.duration

    def next_in(self, now: float) -> float:
        """Seconds until a line is to be written. A chore; `now` is monotonic."""
        return self._write_at - now

    def work(self, now: float) -> None:
        """Write the line of the minute that is over."""
        if now >= self._write_at:
            self.flush()

    def keep_for(self, seconds: float) -> None:
        """Keep files so long from now on; 0: write none."""
        self._keep = seconds

    def flush(self) -> None:
        """Write what was counted. While jobs are due or run, or none may start, minutes without any event are written, too."""
        told = self.state_of()
        is_idle = not told.get("due") and not told.get("running") and told.get("state", SERVING) == SERVING
        kinds, begin = self._kinds, self._begin
        self._kinds, self._begin, self._end, self._write_at = {}, 0.0, 0.0, math.inf
        if kinds or (begin and not is_idle):
            self._write(begin, told, kinds)
        if not is_idle and self._keep:
            self._begin_minute(self._clock.wall())

    def _begin_minute(self, at: float) -> bool:
        """Begin to count for the minute of that moment; False when nothing is to be counted."""
        if self._kinds:
            self.flush()
        if not self._keep:
            return False
        self._begin = at // MINUTE * MINUTE
        self._end = self._begin + MINUTE
        self._write_at = self._clock.monotonic() + (self._end - at) + _LATE
        return True

    def _write(self, begin: float, told: dict[str, Any], kinds: dict[tuple[str, str], Figures]) -> None:
        before, self.trouble = self.trouble, ""
        path = self._layout.minutes(day_of(begin))
        try:
            if path != self._path:
                self._path = path
                self._remove_old(begin)
            _append(path, {"at": f"{format_time(begin)[:19]}Z", **told}, kinds)
        except Exception as error:  # an observer: whatever keeps it from writing keeps nothing else
            self.trouble = f"the history cannot be written: {error}"
            if self.trouble != before:
                self.report(HistoryNotWritten(self.trouble))

    def _remove_old(self, now: float) -> None:
        """Remove the files of the days that are kept no longer."""
        first = day_of(max(0.0, now - self._keep))
        for name in os.listdir(self._layout.logs):
            found = FILE_NAME.fullmatch(name)
            if found is not None and found[1] < first:
                durable.unlink(os.path.join(self._layout.logs, name))


def _append(path: str, line: dict[str, Any], kinds: dict[tuple[str, str], Figures]) -> None:
    """Add a line to the file, whole or not at all, behind a line break; a torn one may lie there since a power cut."""
    descriptor = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        if size > MAX_BYTES:
            raise OSError(errno.EFBIG, f"more than {MAX_BYTES} bytes for one day", path)
        named = _named(kinds, 0 if size > MAX_BYTES // 2 else KINDS)
        lead = b""
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            lead = b"" if os.read(descriptor, 1) == b"\n" else b"\n"
        data = lead + orjson.dumps({**line, "kinds": {name: one.as_json() for name, one in named.items()}}) + b"\n"
        written = os.write(descriptor, data)
        if written != len(data):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(descriptor)


def _named(kinds: dict[tuple[str, str], Figures], most: int) -> dict[str, Figures]:
    """The figures by name, as JOB.METHOD: of the `most` kinds with the most to say, and all others together."""
    order = sorted(kinds, key=lambda key: (key == _NO_KIND, -kinds[key].count))
    named: dict[str, Figures] = {}
    for index, key in enumerate(order):
        name = OTHER if index >= most or key == _NO_KIND else ".".join(key)
        if name in named:
            named[name].add(kinds[key])
        else:
            named[name] = kinds[key]
    return named
