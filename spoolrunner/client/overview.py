"""The spool as a whole, at this moment: who serves it, how many jobs are where, what runs, what is wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.states import State
from spoolrunner.spool import dispatcher_lock, reason_files, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.telling import status as status_file


class Overview(NamedTuple):
    """What `overview` found. What only the dispatcher knows is None or empty while none serves the spool.

    `dispatcher` has pid, host, since and state; `counts` the number of files in each state; `due` how many wait for a
    place; `running` an object for each attempt, with its progress; `postponed` an object for what is put off, with id, why
    and until; `trouble` sentences.
    """

    spool: str
    dispatcher: dict[str, Any] | None
    counts: dict[str, int]
    due: int | None
    running: list[dict[str, Any]]
    postponed: list[dict[str, Any]]
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
        postponed=said.get("postponed", []),
        totals=said.get("totals", {}),
        events=said.get("events"),
        paused=requests.is_paused(layout),
        trouble=said.get("trouble", []),
    )


def why(layout: Layout, job_id: str) -> list[str]:
    """Return, each a sentence, why the job in pending/ has not started; empty when it does not wait, or is the next to start.

    What only the dispatcher knows is as old as its status.json: a second.
    """
    try:
        found = Spool(layout).read(State.PENDING, job_id)
        checked, _ = document.parse(found.data)
    except FileNotFoundError:
        return []
    except JobFormatError as error:
        return [f"its file is no job document: {error}"]
    now = clock.SYSTEM.wall()
    due_at = document.due_at(checked, found.mtime, now)
    sentences = [f"it is not due until {clock.format_time(due_at)}"] if due_at > now else []
    holder = dispatcher_of(layout)
    if holder is None:
        return [*sentences, "no dispatcher serves the spool"]
    said = status_file.read(layout)
    if is_paused(layout):
        sentences.append(f"the spool is paused: {layout.pause} exists")
    sentences += [
        f"the dispatcher is blocked: {text}" for text in said.get("trouble", [])[:1] if said.get("state") == "blocked"
    ]
    return sentences + [entry["why"] for entry in said.get("postponed", []) if entry["id"] == job_id]


def dispatcher_of(layout: Layout) -> dict[str, Any] | None:
    """Return who serves the spool (pid, start, host, namespace, since); None when nobody does.

    Its lock says whether somebody does, since a pid means nothing in another container or on another host.
    """
    if not dispatcher_lock.is_held(layout.dispatcher_lock):
        return None
    return {"pid": None, "host": "", "since": "", **dispatcher_lock.holder(layout.dispatcher_lock)}


def is_paused(layout: Layout) -> bool:
    """Return whether starting is paused."""
    return requests.is_paused(layout)


def _with_progress(layout: Layout, attempt: dict[str, Any]) -> dict[str, Any]:
    return {**attempt, "progress": reason_files.read_object(layout.progress(attempt["id"]))}
