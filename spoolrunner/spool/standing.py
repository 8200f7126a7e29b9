"""What has become of a job that others wait for: it waits or runs, is done, failed, or is nowhere.

An id may be used again. As long as a job of the id waits or runs, nobody goes by an earlier one; then the one counts, of ID,
ID~2 and so on, that ended last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival, reason_files
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import numbered
from spoolrunner.system.times import parse_time

_MOST_MISSING = 3
"""Names in a row that may be missing before there is taken to be no further one: earlier ones may have been pruned."""


class Stands(StrEnum):
    """Where a job stands, in words for people."""

    UNDERWAY = "it waits or runs"
    DONE = "it is done"
    FAILED = "it failed"
    NOWHERE = "it is in no folder"


class Standing(NamedTuple):
    """Where a job stands, and under which name it lies in done/ or failed/; an empty one when it does not."""

    stands: Stands
    name: str = ""


def standing(spool: Spool, job_id: str) -> Standing:
    """Return where the job of that id stands at this moment; OSError when the folders cannot be looked into."""
    if spool.waits_or_runs(job_id):
        return Standing(Stands.UNDERWAY)
    over = list(_over(spool, job_id))
    if not over:
        return Standing(Stands.NOWHERE)
    if spool.exists(
        State.PENDING, job_id
    ):  # Race: the last one of them was moved back to be tried again, since we looked
        return Standing(Stands.UNDERWAY)
    state, name = over[0] if len(over) == 1 else max(over, key=lambda one: (_ended_at(spool, *one), one[1]))
    return Standing(Stands.DONE if state is State.DONE else Stands.FAILED, name)


def _over(spool: Spool, job_id: str) -> Iterator[tuple[State, str]]:
    name, missing = job_id, 0
    while missing < _MOST_MISSING:
        found = [state for state in (State.DONE, State.FAILED) if spool.exists(state, name)]
        yield from ((state, name) for state in found)
        missing = 0 if found else missing + 1
        name = numbered(name)


def _ended_at(spool: Spool, state: State, name: str) -> float:
    """When it ended by its last attempt or, if it had none, when it was refused; minus infinity when it is gone.

    OSError when that cannot be found out now; what is not opened to us has the time at which it came.
    """
    try:
        reason = reason_files.read(spool.layout, name) if state is State.FAILED else None
        if reason is not None:
            return parse_time(str(reason.get("when")))
        return parse_time(jsontext.decode(spool.read(state, name).data)["attempts"][-1]["ended_at"])
    except (FileNotFoundError, PermissionError, JobFormatError, LookupError, TypeError, ValueError):
        return _came_at(spool.layout.job(state, name))  # it is no record of ours, or refused to us


def _came_at(path: str) -> float:
    try:
        return arrival.came_at(os.lstat(path))
    except FileNotFoundError:
        return float("-inf")  # Race: a person took it away.
