"""How fast many jobs may be moved into pending/: as fast as the dispatcher looks at them.

Whoever enqueues a job meanwhile stands behind all that came before it and was not looked at, and the kernel drops events that
are not read. So about a second's work of the dispatcher is ahead of it, and no more.
"""

from __future__ import annotations

from spoolrunner.client.overview import dispatcher_of
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.telling import status as status_file

LEAST, MOST = 2_000, 10_000
"""Jobs in pending/ at which the dispatcher has not looked yet: the bounds of how many there may be."""
PATIENCE = 5.0
"""Seconds for which a dispatcher is waited for each time that looks at nothing, as when it is blocked."""
_POLL = 0.05


class Pace:
    """The pace for one who moves many jobs into pending/. Call `wait` before each batch.

    The dispatcher says once a second how many wait. When it has looked at nearly all that came, more may come until the next
    time, and else fewer.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._most = 2 * LEAST
        self._ahead = 0
        self._told_at: object = None

    def wait(self, count: int) -> None:
        """Wait until so many more may be moved, for PATIENCE at most; not at all where no dispatcher serves the spool."""
        if self._ahead + count > self._most and dispatcher_of(self._layout) is not None:
            until = clock.SYSTEM.monotonic() + PATIENCE
            while self._ahead + count > self._most and clock.SYSTEM.monotonic() < until:
                clock.SYSTEM.sleep(_POLL)
                self._hear()
        self._ahead = min(self._ahead, self._most) + count

    def _hear(self) -> None:
        """Take over what the dispatcher has said since, if it has."""
        said = status_file.read(self._layout)
        told_at, waiting = said.get("updated_at"), said.get("waiting")
        if told_at == self._told_at or not isinstance(waiting, int):
            return
        self._told_at = told_at
        self._ahead = max(0, sum(1 for _ in Spool(self._layout).names(State.PENDING)) - waiting)
        is_done = self._ahead <= self._most // 4
        self._most = min(2 * self._most, MOST) if is_done else max(self._most // 2, LEAST)
