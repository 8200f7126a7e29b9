"""The full look into pending/, in slices, so that nothing else waits for it.

Names from file events are hints; what is true is the listing. A scan is made at the start, when hints were dropped, when the
clock was set, and every few seconds or rarer. It takes at most 1 % of the time, and a slice of it at most 20 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spoolrunner.config.load import Config
from spoolrunner.dispatch.intake import Intake
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.system.clock import Clock

SCAN_SLICE = 0.02
"""Seconds a slice of a scan may take before dispatching has its turn again."""
SCAN_SHARE = 0.01
"""The share of time that scans may take."""
LONGEST_PAUSE = 600.0
"""Seconds between two scans at most, however long they take."""
SCAN_PERIOD = 5.0
POLL_PERIOD = 1.0
"""Seconds between two scans at least: with file events, and without."""
_LEAP = 1.0
"""Seconds by which the clocks must have moved against each other for the wall clock to count as set."""


class Scan:
    """The scans of one spool's pending/. A chore.

    `has_events` says whether file events come. `share` is the share of time that a scan under way may take at this moment.
    """

    def __init__(
        self,
        spool: Spool,
        intake: Intake,
        clock: Clock,
        has_events: Callable[[], bool],
        share: Callable[[float], float],
    ) -> None:
        self._spool = spool
        self._intake = intake
        self._clock = clock
        self._has_events = has_events
        self._share = share
        self._names: Iterator[str] | None = None
        self._look = intake.look_if_new
        self._thorough_next = False
        self._asked_again = False
        self._seconds = 0.0
        self._next_scan = 0.0
        self._next_slice = 0.0
        self._lead = clock.wall() - clock.monotonic()
        self.done = 0
        """How many scans have come to their end."""

    @property
    def is_under_way(self) -> bool:
        """Whether a scan is under way."""
        return self._names is not None

    def mind_the_clock(self) -> None:
        """Look at every waiting file again when the wall clock was set: which jobs are due was judged by the old one."""
        lead = self._clock.wall() - self._clock.monotonic()
        if abs(lead - self._lead) > _LEAP:
            self._lead = lead
            self.start(thorough=True)

    def start(self, *, thorough: bool = False) -> None:
        """Begin a scan now, or remember to begin again if one is under way.

        A `thorough` one reads the files that are known too: where events were lost, an edit may have been among them.
        """
        self._thorough_next = self._thorough_next or thorough
        if self._names is not None:
            self._asked_again = True
            return
        self._names = self._spool.names(State.PENDING)
        self._look = self._intake.look_if_judged if self._thorough_next else self._intake.look_if_new
        self._thorough_next = self._asked_again = False
        self._seconds = 0.0
        self._next_slice = 0.0

    def reconfigure(self, _config: Config) -> None:
        """Judge all that waits by another configuration: read the files that are known too."""
        self.start(thorough=True)

    def next_in(self, now: float) -> float:
        """Seconds until the next slice, or the next scan."""
        return max(0.0, (self._next_scan if self._names is None else self._next_slice) - now)

    def work(self, now: float) -> None:
        """Begin a scan if it is time, and do a slice of the one that is under way."""
        if self._names is None and now >= self._next_scan:
            self.start(thorough=not self._has_events())
        if self._names is None:
            return
        now = self._clock.monotonic()
        share = self._share(now)
        if share < 1.0 and now < self._next_slice:
            return
        for job_id in self._names:
            self._look(job_id)
            spent = self._clock.monotonic() - now
            if spent >= SCAN_SLICE * share:
                self._seconds += spent
                self._next_slice = now + spent / share
                return
        self._seconds += self._clock.monotonic() - now
        self._end()

    def _end(self) -> None:
        now = self._clock.monotonic()
        period = SCAN_PERIOD if self._has_events() else POLL_PERIOD
        pause = min(max(period, self._seconds / SCAN_SHARE), LONGEST_PAUSE)
        self._names = None
        self.done += 1
        self._next_scan = now if self._asked_again else now + pause
