"""Which jobs a waiting job names in its `after`: these are kept, since without them it would wait for ever."""

from __future__ import annotations

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document, jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool

_SIGN = b'"after"'


def names_in(data: bytes) -> list[str]:
    """Return the names that the job of this file waits for: none when it has started, or is no job document."""
    if _SIGN not in data:
        return []  # as nearly all: a million may wait
    try:
        checked = document.check(jsontext.decode(data))
    except JobFormatError:
        return []
    return [] if checked.attempts else document.dependencies(checked).jobs


def names_of(spool: Spool, job_id: str) -> list[str]:
    """Return the names that a job in pending/ waits for; none when it is not there, or is no file of a job.

    OSError when it cannot be read now: what it names is not to be taken away meanwhile.
    """
    try:
        return names_in(spool.read(State.PENDING, job_id).data)
    except (FileNotFoundError, JobFormatError):
        return []  # Race: it was claimed, or a person took it away; or nobody can say what it waits for


def named_by_waiting(spool: Spool) -> frozenset[str]:
    """Return every name that a job in pending/ waits for; all of these files are read."""
    return frozenset(name for job_id in spool.names(State.PENDING) for name in names_of(spool, job_id))


def is_named(job_id: str, names: frozenset[str]) -> bool:
    """Return whether a job that lies in done/ or failed/ under this name is among those of `names`, as ID~2 is of ID."""
    return job_id in names or job_id.partition("~")[0] in names
