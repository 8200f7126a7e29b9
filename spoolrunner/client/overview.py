"""The spool as a whole, at this moment: who serves it, how many jobs are where, what runs, what is wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

from spoolrunner.protocol.states import State
from spoolrunner.spool import dispatcher_lock, reasons, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import processes
from spoolrunner.telling import status as status_file


class Overview(NamedTuple):
    """What `overview` found. What only the dispatcher knows is None or empty while none serves the spool.

    `dispatcher` has pid, host, since and state; `counts` the number of files in each state; `due` how many wait for a
    place; `running` an object for each attempt, with its progress; `trouble` sentences.
    """

    spool: str
    dispatcher: dict[str, Any] | None
    counts: dict[str, int]
    due: int | None
    running: list[dict[str, Any]]
    totals: dict[str, Any]
    events: Any
    paused: bool
    trouble: list[str]


def overview(layout: Layout) -> Overview:
    """Return what the dispatcher does and how many jobs are where; OSError when the spool cannot be read."""
    holder = dispatcher_of(layout)
    said = status_file.read(layout) if holder else {}
    spool = Spool(layout)
    return Overview(
        spool=layout.root,
        dispatcher=None if holder is None else {**holder, "state": said.get("state", "starting")},
        counts={state.value: sum(1 for _ in spool.names(state)) for state in State},
        due=said.get("due"),
        running=[_with_progress(layout, attempt) for attempt in said.get("running", [])],
        totals=said.get("totals", {}),
        events=said.get("events"),
        paused=requests.is_paused(layout),
        trouble=said.get("trouble", []),
    )


def dispatcher_of(layout: Layout) -> dict[str, Any] | None:
    """Return who serves the spool (pid, start, host, since); None when nobody does."""
    held = dispatcher_lock.holder(layout.dispatcher_lock)
    if not held or not processes.lives(held.get("pid", 0), held.get("start", ""), processes.boot_id()):
        return None
    return held


def is_paused(layout: Layout) -> bool:
    """Return whether starting is paused."""
    return requests.is_paused(layout)


def _with_progress(layout: Layout, attempt: dict[str, Any]) -> dict[str, Any]:
    return {**attempt, "progress": reasons.read_object(layout.progress(attempt["id"]))}
