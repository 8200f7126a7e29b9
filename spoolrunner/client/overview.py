"""The spool as a whole, at this moment: who serves it, how many jobs are where, what runs, what is wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

from spoolrunner.client.look import look
from spoolrunner.client.strays import strays
from spoolrunner.protocol.states import State
from spoolrunner.spool import dispatcher_lock, reason_files, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.telling import status as status_file


class Overview(NamedTuple):
    """What `overview` found. What only the dispatcher knows is None or empty while none serves the spool.

    `at` is when it was looked, and `told_at` when the dispatcher last wrote what it alone knows: at most a second earlier
    while it works. `dispatcher` has pid, host, since and state; `counts` the number of files in each state; `due` how many
    wait for a place; `running` an object for each file in running/, with its progress; `postponed` an object for what is put
    off, with id, why and until; `pauses` the methods and groups that are paused by themselves; `held` an object for each
    limit and pause that due jobs wait for, with by, name, why, waiting, first and until; `strays` and `trouble` are
    sentences.
    """

    at: str
    told_at: str | None
    spool: str
    dispatcher: dict[str, Any] | None
    counts: dict[str, int]
    due: int | None
    running: list[dict[str, Any]]
    postponed: list[dict[str, Any]]
    totals: dict[str, Any]
    events: Any
    paused: bool
    pauses: list[str]
    held: list[dict[str, Any]]
    strays: list[str]
    trouble: list[str]


def overview(layout: Layout, counted: dict[str, int] | None = None) -> Overview:
    """Return what the dispatcher does and how many jobs are where; OSError when the spool cannot be read.

    With `counted`, the number of files in each state by somebody who keeps count, the folders are not listed but running/; then
    there are no `strays` either.
    """
    holder = dispatcher_of(layout)
    said = status_file.read(layout) if holder else {}
    spool = Spool(layout)
    names = sorted(spool.names(State.RUNNING))
    counts = counted or {state: sum(1 for _ in spool.names(state)) for state in State if state is not State.RUNNING}
    return Overview(
        at=clock.SYSTEM.text(),
        told_at=said.get("updated_at"),
        spool=layout.root,
        dispatcher=None if holder is None else {**holder, "state": said.get("state", "starting")},
        counts={state.value: len(names) if state is State.RUNNING else counts[state] for state in State},
        due=None if said.get("due") is None else min(said["due"], counts["pending"]),
        running=_running(layout, names, said.get("running", [])),
        postponed=said.get("postponed", []),
        totals=said.get("totals", {}),
        events=said.get("events"),
        paused=requests.is_paused(layout),
        pauses=sorted(requests.paused_parts(layout)),
        held=said.get("held", []),
        strays=strays(layout) if counted is None else [],
        trouble=said.get("trouble", []),
    )


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


def _running(layout: Layout, names: list[str], said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An object for each file in running/: what the dispatcher last said of it, else what the file says."""
    known = {attempt["id"]: attempt for attempt in said}
    found = []
    for name in names:
        attempt = known.get(name) or _not_said(layout, name)
        found.append({**attempt, "progress": reason_files.read_object(layout.progress(name))})
    return found


def _not_said(layout: Layout, name: str) -> dict[str, Any]:
    seen = look(layout, State.RUNNING, name)
    raw = (seen.document if seen else None) or {}
    return {
        "id": name,
        "job": str(raw.get("job", "")),
        "method": str(raw.get("method", "")),
        "attempt": None,
        "started_at": None,
    }
