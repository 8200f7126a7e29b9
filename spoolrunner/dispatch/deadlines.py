"""Until when an attempt may run: its timeout counts from the end of the import of its module, which has a bound of its own.

When the import ended stands in the job's lock file. It is read when a deadline seems to have come, so an attempt that ends
before costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.spool import traces
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.traces import Marker, Traces
from spoolrunner.system.clock import Clock
from spoolrunner.system.times import parse_time
from spoolrunner.telling.events import DeadlineNotKnown


class Deadline(NamedTuple):
    """When to look again (monotonic) whether the attempt is overdue. `why` says of one that has come what was too long."""

    at: float
    why: str


class Deadlines:
    """The deadlines in one spool; `import_timeout` is in seconds."""

    def __init__(self, layout: Layout, reporter: Reporter, clock: Clock, import_timeout: float) -> None:
        self._layout = layout
        self._reporter = reporter
        self._clock = clock
        self.import_timeout = import_timeout

    def first(self, timeout: float) -> float:
        """When to look at an attempt that starts now (monotonic): it cannot be overdue before that."""
        return self._clock.monotonic() + min(timeout, self.import_timeout)

    def of(self, job_id: str, number: int, timeout: float, started: float) -> Deadline:
        """The deadline of an attempt, by what its process has left so far; `started` is when it was started (monotonic)."""
        try:
            left = traces.peek(self._layout.lock(job_id))
        except OSError as error:  # no fault of the job's
            self._reporter.report(DeadlineNotKnown(job_id, str(error)))
            left = traces.NO_TRACES
        marker = left.marker
        if marker is None or not marker.is_start or marker.attempt != number:
            # It has not begun, or it removed its lock file: it is overdue when it is so whatever it did.
            return self._between(started + self.import_timeout + timeout, timeout, _ran_too_long(timeout))
        return self._by(left, marker, timeout)

    def _by(self, left: Traces, marker: Marker, timeout: float) -> Deadline:
        began = self._began(marker)
        if not marker.imports or left.ready is not None:
            counted_from = began if left.ready is None else left.ready
            return Deadline(counted_from + timeout, _ran_too_long(timeout))
        why = f"its module was imported for longer than import_timeout of {self.import_timeout:g} s"
        return self._between(began + self.import_timeout, timeout, why)

    def _between(self, end: float, timeout: float, why: str) -> Deadline:
        """Of one that is overdue at `end`, unless it leaves something until then: it is not before its timeout from now on."""
        now = self._clock.monotonic()
        return Deadline(end if now >= end else min(end, now + timeout), why)

    def _began(self, marker: Marker) -> float:
        """When the marker was left, by the clock that nobody sets, which all processes of a boot share."""
        if marker.began:
            return marker.began
        ago = max(0.0, self._clock.wall() - parse_time(marker.started_at)) if marker.started_at else 0.0
        return self._clock.monotonic() - ago


def _ran_too_long(timeout: float) -> str:
    return f"ran longer than its timeout of {timeout:g} s"
