"""Why a waiting job is held up by others: what it waits for by `after`, a limit of its group or method, a pause of these.

What is in the files is read from them, also where no dispatcher runs; which limit is reached the dispatcher alone knows, and
says in status.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spoolrunner.protocol import document
from spoolrunner.protocol.document import Document
from spoolrunner.spool import circles, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.standing import Stands, standing

_MOST_NAMED = 5
"""Other jobs that are named in a sentence."""


def reasons(layout: Layout, job_id: str, checked: Document, group: str | None, said: dict[str, Any]) -> Iterator[str]:
    """Yield, each a sentence, what holds a job in pending/ up. `said` is status.json, empty when no dispatcher runs."""
    yield from _pauses(layout, checked, group)
    if checked.after is not None and not checked.attempts:
        yield from _dependencies(Spool(layout), job_id, checked)
    yield from _limits(checked, group, said)


def _pauses(layout: Layout, checked: Document, group: str | None) -> Iterator[str]:
    paused, method = requests.paused_parts(layout), f"{checked.job}.{checked.method}"
    if method in paused:
        yield f"its method is paused: {layout.pause_of(method)} exists; `spoolrunner resume {method}` goes on"
    name = f"{requests.GROUP}{group}"
    if group and name in paused:
        yield f"its group is paused: {layout.pause_of(name)} exists; `spoolrunner resume --group {group}` goes on"


def _dependencies(spool: Spool, job_id: str, checked: Document) -> Iterator[str]:
    after = document.dependencies(checked)
    found: dict[Stands, list[str]] = {stands: [] for stands in Stands}
    for name in dict.fromkeys(after.jobs):
        found[standing(spool, name).stands].append(name)
    circle = circles.find(spool, job_id, found[Stands.UNDERWAY])
    if circle:
        yield (
            f"it waits in a circle, in which each waits for the next one: {' -> '.join(circle)}; "
            "`spoolrunner retry --without-after ID` lets one of them start"
        )
    elif found[Stands.UNDERWAY]:
        yield f"it waits for {_named(found[Stands.UNDERWAY])}, not over yet"
    if found[Stands.FAILED] and after.when == "done":
        yield f"it waits for {_named(found[Stands.FAILED])}, which failed: it will fail as dependency_failed"
    if found[Stands.NOWHERE]:
        yield (
            f"it waits for {_named(found[Stands.NOWHERE])}, in no folder of the spool; unless the dispatcher has seen it done, "
            f"only `spoolrunner retry --without-after {job_id}` lets it start"
        )


def _limits(checked: Document, group: str | None, said: dict[str, Any]) -> Iterator[str]:
    mine = {"method": f"{checked.job}.{checked.method}", "group": group, "rate": group}
    for entry in said.get("held", []):
        if entry["name"] and mine.get(entry["by"]) == entry["name"]:
            of = "" if entry["by"] == "method" else f" (group {group})"
            until = f", until {entry['until']}" if isinstance(entry.get("until"), str) else ""
            yield f"{entry['why']}{of}{until}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
