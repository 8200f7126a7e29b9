"""Looking at one job: where its file lies, what it says, and what lies beside it. Touches nothing.

    found = find(layout, "20261123-174501-123456-7f3a9c")
    found.state, found.document, found.outcome

A look is one moment: state and document belong together. A job may move while we search for it; the search goes round
twice, so that it meets a job that moved behind its back. A file that cannot be read is a look with a `problem`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival, reason_files
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import SUFFIX, numbered
from spoolrunner.spool.paths import Layout
from spoolrunner.system.times import parse_time

if TYPE_CHECKING:
    from spoolrunner.client.following import Publication

OVER = (State.DONE, State.FAILED)
"""The states of a job that will not be tried again by itself."""
_UNDERWAY = (State.PENDING, State.RUNNING)
_ROUNDS = 2
"""A job moves forwards while we look; going round twice meets it even when it moved just behind us."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a job found; `id` is the name its file has now, which is ID~2 where the id was taken.

    `document` is the job file as JSON, or None when it cannot be read. `reason` is failed/ID.reason: why a job in failed/ was
    refused. `problem` says why one of the two cannot be read, and is empty otherwise. `progress` is what a running job
    reported last. `inode` is the number of the file, which a move keeps and a record changes.
    """

    id: str
    state: State
    document: dict[str, Any] | None = None
    problem: str = ""
    reason: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    inode: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job is done or failed for good; one that will be tried again is not."""
        return self.state in OVER

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts that the document holds, oldest first; entries that are no objects are left out."""
        found = (self.document or {}).get("attempts")
        return [attempt for attempt in found if isinstance(attempt, dict)] if isinstance(found, list) else []

    @property
    def error(self) -> dict[str, Any]:
        """The error of the last attempt, with `type`, `message` and `traceback`; empty when it has none."""
        found = self._last.get("error")
        return found if isinstance(found, dict) else {}

    @property
    def outcome(self) -> str | None:
        """How it ended so far: the outcome in ID.reason, else that of the last attempt, else None."""
        found = (self.reason or {}).get("outcome") or self._last.get("outcome")
        return None if found is None else str(found)

    @property
    def _last(self) -> dict[str, Any]:
        """The last attempt; empty when there is none."""
        found = (self.document or {}).get("attempts")
        return next((one for one in reversed(found) if isinstance(one, dict)), {}) if isinstance(found, list) else {}


def look(layout: Layout, state: State, name: str) -> Look | None:
    """Return what lies in that state under that name; None when nothing does, OSError when that cannot be found out.

    A file that is there and cannot be read, for whatever reason, is a look with a `problem`: one file hides no other.
    """
    spool = Spool(layout)
    try:
        document, problem, inode = _document(spool, state, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        if not spool.exists(state, name):
            return None
        document, problem, inode = None, f"cannot be read: {error.strerror or error}", None
    reason = None
    if state is State.FAILED:
        try:
            reason = reason_files.read(layout, name)
        except OSError as error:
            problem = problem or f"{name}.reason cannot be read: {error.strerror or error}"
    progress = reason_files.read_object(layout.progress(name)) if state is State.RUNNING else None
    return Look(name, state, document, problem, reason, progress, inode)


def states_of(layout: Layout, job_id: str) -> list[State]:
    """Return each state in which a file of that id lies; none is opened."""
    spool = Spool(layout)
    return [state for state in State if spool.exists(state, job_id)]


def looks(layout: Layout, job_id: str) -> list[Look]:
    """Return a look for each state in which a file of that id lies; a second job of an id makes that more than one."""
    return [found for state in State if (found := look(layout, state, job_id)) is not None]


def find(layout: Layout, job_id: str) -> Look | None:
    """Return the job of that id, or None when it is nowhere.

    One that waits or runs comes before those that are over. Of these it is the one that ended last, under whatever name: a
    job whose id is taken where it moves is called ID~2, ID~3 there.
    """
    for _ in range(_ROUNDS):
        for state in _UNDERWAY:
            if (found := look(layout, state, job_id)) is not None:
                return found
        ended = [found for state in OVER for found in _namesakes(layout, state, job_id)]
        if ended:
            return ended[0] if len(ended) == 1 else max(ended, key=lambda found: _ended_at(layout, found))
    return None


def find_publication(
    layout: Layout, job_id: str, publication: Publication, names: Iterable[str] = (), *, thoroughly: bool = False
) -> Look | None:
    """Return the job that was published under that id as this publication, or None when it is nowhere.

    It is found under ID~2, ID~3 as well, and under the other `names` that are given, with what follows these. `thoroughly`
    lists the folders, which takes a second for a million files: it finds ID~3 where ID~2 is gone.
    """
    begins = dict.fromkeys([job_id, *names])
    for _ in range(_ROUNDS):
        for state in State:
            if thoroughly:
                begins |= dict.fromkeys(name for name in Spool(layout).names(state) if _is_numbered(name, job_id))
            for begin in begins:
                for found in _namesakes(layout, state, begin):
                    if publication.is_in(found, job_id):
                        return found
    return None


def _is_numbered(name: str, job_id: str) -> bool:
    base, tilde, number = name.rpartition("~")
    return bool(tilde) and number.isdigit() and base == (job_id.rpartition("~")[0] or job_id)


def _ended_at(layout: Layout, found: Look) -> float:
    """When a job ended, in seconds since 1970: by the record of its last attempt, else when it came to its folder."""
    try:
        return parse_time(str(found.attempts[-1]["ended_at"]))
    except (LookupError, ValueError):
        pass  # it never ran
    try:
        return arrival.came_at(os.lstat(layout.job(found.state, found.id)))
    except FileNotFoundError:
        return 0.0  # Race: a person took it away.


def _namesakes(layout: Layout, state: State, job_id: str) -> Iterator[Look]:
    name = job_id
    while (found := look(layout, state, name)) is not None:
        yield found
        name = numbered(name)


def last_names(layout: Layout, state: State, limit: int) -> tuple[list[str], int]:
    """Return the last `limit` names of a state in their order (0: all of them), and how many come before these."""
    names = sorted(Spool(layout).names(state))
    shown = names[-limit:] if limit > 0 else names
    return shown, len(names) - len(shown)


def check_id(job_id: str) -> str:
    """Return the id, if it can be the name of a file in a folder; JobFormatError when it leads elsewhere."""
    if not job_id or any(separator in job_id for separator in (os.sep, os.altsep or os.sep, "\0")):
        name = os.path.basename(job_id).removesuffix(SUFFIX)
        hint = f"; write {name}" if name else ""
        raise JobFormatError("ID", f"{job_id!r} is not the name of a file without .json{hint}")
    return job_id


def _document(spool: Spool, state: State, name: str) -> tuple[dict[str, Any] | None, str, int | None]:
    found = None
    try:
        found = spool.read(state, name)
        return jsontext.decode(found.data), "", found.inode
    except JobFormatError as error:
        stamp = found or spool.stamp(state, name)
        return None, str(error), stamp.inode if stamp else None
