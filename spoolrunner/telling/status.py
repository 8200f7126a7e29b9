"""status.json: what the dispatcher is doing, for people and monitors; written at most once a second.

It is not synced, since it speaks of this moment only. A reader must ask whether its writer still lives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable
from spoolrunner.system.clock import Clock, format_time
from spoolrunner.system.heldfiles import read_plain

PERIOD = 1.0
_LARGEST = 1 << 26
"""Bytes of a status.json that are read; ours are far below."""


class StatusFile:
    """Writes status.json when something has changed, and not more often than once in PERIOD seconds."""

    def __init__(self, layout: Layout, clock: Clock) -> None:
        self._layout = layout
        self._clock = clock
        self._written: dict[str, Any] = {}
        self._next = 0.0
        self._late = False

    def offer(self, describe: Callable[[], dict[str, Any]]) -> None:
        """Write what `describe` returns, if PERIOD has passed and it is new."""
        self._late = self._clock.monotonic() < self._next
        if self._late:
            return
        status = describe()
        if status != self._written:
            self.write(status)

    def write(self, status: dict[str, Any]) -> None:
        """Write `status` now, whenever the last time was."""
        self._next = self._clock.monotonic() + PERIOD
        data = orjson.dumps({**status, "updated_at": format_time(self._clock.wall())}, option=orjson.OPT_INDENT_2)
        durable.replace_content(self._layout.stage(), self._layout.status, data + b"\n", False)
        self._written = status
        self._late = False

    def next_write_in(self) -> float:
        """Seconds until a status that came too soon may be written, or until an incomplete one is made again."""
        if self._late:
            return max(0.0, self._next - self._clock.monotonic())
        # The pid of a job's process is known a moment after its start, and no event comes with it.
        incomplete = any(job["pid"] is None for job in self._written.get("running", ()))
        return PERIOD if incomplete else float("inf")


def read(layout: Layout) -> dict[str, Any]:
    """The content of status.json; empty when there is none."""
    try:
        found = orjson.loads(read_plain(layout.status, _LARGEST) or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
