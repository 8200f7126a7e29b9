"""The slots of a schedule: the job of a slot and its id, and whether a slot that is due is run or skipped. Touches no disk.

schedule.document(slot, now, dice=0.5)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from spoolrunner.protocol.timing import Timing
from spoolrunner.system.clock import format_time

ON_TIME = 60.0
"""Seconds by which a slot may be late and still count as on time: a restart of the dispatcher takes less."""
LONGEST_NAME = 80
"""Characters of a schedule's name: with a slot behind it, it is an id of a job."""
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True, slots=True)
class Terms:
    """How slots are treated that could not be run at their time. `catch_up_within` and `jitter` are in seconds.

    `catch_up`: of slots that were missed, none is run, or the last one. `overlap`: while the job of an earlier slot is not
    over, a slot is skipped, or one may wait behind the one that runs.
    """

    catch_up: Literal["skip", "once"] = "skip"
    catch_up_within: float = 3600.0
    overlap: Literal["skip", "queue"] = "skip"
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as config.json has it: when it is due, and which job is published then."""

    name: str
    timing: Timing
    job: str
    method: str
    params: list[Any] | dict[str, Any]
    terms: Terms

    def document(self, slot: int, now: float, dice: float) -> dict[str, Any]:
        """Return the job file of a slot, published at `now`; `dice`, in [0, 1), takes its share of the jitter."""
        made: dict[str, Any] = {"job": self.job, "method": self.method, "params": self.params}
        if self.terms.jitter:
            made["next_run_at"] = format_time(slot + self.terms.jitter * dice)
        return {**made, "meta": self.meta(slot), "created_at": format_time(now)}

    def meta(self, slot: int | None = None) -> dict[str, str]:
        """Return what its jobs find in their `meta`: the name and, for the job of a slot, that."""
        return {"schedule": self.name} if slot is None else {"schedule": self.name, "slot": slot_time(slot)}


def slot_id(name: str, slot: int) -> str:
    """Return the id of a slot's job: `nightly.20261127T020000Z`."""
    return f"{name}.{_compact(slot)}"


def slot_time(slot: int) -> str:
    """Return a slot as RFC 3339 in UTC: `2026-11-27T02:00:00Z`."""
    return format_time(slot)[:19] + "Z"


def lateness_problem(slot: int, now: float, terms: Terms) -> str:
    """Return why a slot that is due since `slot` is not run at `now`, so late; empty when it is run."""
    late = now - slot
    if late <= ON_TIME:
        return ""
    missed = f"it was missed by {_duration(late)}: no dispatcher worked at its time, or the clock was set"
    if terms.catch_up == "skip":
        return f'{missed}; "catch_up" is "skip"'
    if late > terms.catch_up_within:
        return f'{missed}; that is more than "catch_up_within"'
    return ""


def overlap_problem(job_id: str, *, waits: bool, runs: bool, terms: Terms) -> str:
    """Return why a slot is not run while the job of an earlier one waits or runs; empty when it is run."""
    if waits:
        return f"{job_id} of an earlier slot still waits"
    if runs and terms.overlap == "skip":
        return f"{job_id} of an earlier slot still runs"
    return ""


def _compact(slot: int) -> str:
    return slot_time(slot).replace("-", "").replace(":", "")


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
