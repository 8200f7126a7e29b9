"""status.json: what the dispatcher is doing, for people and monitors; written at most once a second.

It is not synced, since it speaks of this moment only. A reader must ask whether its writer still lives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from spoolrunner.protocol import jsontext
from spoolrunner.spool import reason_files
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable
from spoolrunner.system.clock import Clock, format_time

PERIOD = 1.0
_SHAPES: dict[str, type] = {
    "state": str,
    "updated_at": str,
    "due": int,
    "running": list,
    "postponed": list,
    "held": list,
    "totals": dict,
    "trouble": list,
}
_LISTED = {"running": ("id", "job", "method", "started_at"), "postponed": ("id", "why"), "held": ("by", "name", "why")}
"""The texts that each entry of a list has."""


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
        data = jsontext.encode_told({**status, "updated_at": format_time(self._clock.wall())}, orjson.OPT_INDENT_2)
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
    """The content of status.json, without what is of another shape than we write; empty when there is none."""
    found = reason_files.read_object(layout.status) or {}
    fit: dict[str, Any] = {key: value for key, value in found.items() if isinstance(value, _SHAPES.get(key, object))}
    for key, needed in _LISTED.items():
        if key in fit:
            fit[key] = [item for item in fit[key] if isinstance(item, dict) and _has_texts(item, needed)]
    if "trouble" in fit:
        fit["trouble"] = [text for text in fit["trouble"] if isinstance(text, str)]
    return fit


def _has_texts(item: dict[str, Any], keys: tuple[str, ...]) -> bool:
    return all(isinstance(item.get(key), str) for key in keys)
