"""The jobs that never ran because one that they wait for failed: which may be retried with it, and starting one without it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from spoolrunner.errors import DuplicateJobError, JobFormatError
from spoolrunner.protocol import document, jsontext, signing
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import reason_files, retrying
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.standing import Stands, standing
from spoolrunner.system import clock

_TAKEN_OUT = "taken out of pending/ to be retried without its after"


class Freed(NamedTuple):
    """What became of a job that is to start without its `after`: the id under which it waits now, or why it does not."""

    name: str = ""
    problem: str = ""


def of(layout: Layout, job_id: str) -> list[str]:
    """Return the jobs in failed/ that may be retried with this one, since they failed because it did, or one of them did.

    Each comes behind what it waits for. One of which another cause lies in failed/ is left out: it would fail again.
    """
    spool = Spool(layout)
    waiting: dict[str, list[str]] = {}
    for name in sorted(spool.names(State.FAILED)):
        for wanted in _names(spool, name):
            waiting.setdefault(wanted, []).append(name)
    found: dict[str, None] = {}
    left = [job_id]
    while left:
        for name in waiting.pop(left.pop(), []):
            found[name] = None
            left.append(name)
    found.pop(job_id, None)
    return that_may_go(layout, [job_id], list(found))


def that_may_go(layout: Layout, retried: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return those of `names`, which failed for others, that would not fail again at once: no cause of theirs lies in failed/.

    What is `retried` with them is no cause. Each comes behind what it waits for.
    """
    spool, goes = Spool(layout), set(retried)
    causes = {
        name: {cause for cause in _names(spool, name) if cause not in goes and _lies_failed(spool, cause)}
        for name in names
    }
    held_by: dict[str, list[str]] = {}
    for name, held in causes.items():
        for cause in held:
            held_by.setdefault(cause, []).append(name)
    found = [name for name in names if not causes[name]]
    for name in found:  # it grows meanwhile
        for other in held_by.get(name, []):
            causes[other].discard(name)
            if not causes[other]:
                found.append(other)
    return found


def without_after(layout: Layout, job_id: str, key: bytes | None) -> Freed:
    """Take `after` out of a job that waits, or that failed for others, and let it wait in pending/ for its start alone.

    A job in pending/ is moved to failed/ first, where it can be mended; it is signed anew with `key`, if there is one. Killed
    in between, it lies there, with the reason, and can be retried in the same way. JobFormatError when it cannot be read.
    """
    spool, name = Spool(layout), job_id
    if spool.exists(State.PENDING, job_id):
        if not _waits(spool, job_id, key):
            return Freed(problem="waits for no other job")
        where, now = f"pending/{job_id}.json", clock.SYSTEM.wall()
        moved = spool.refuse(job_id, State.PENDING, Outcome.DEPENDENCY_FAILED, _TAKEN_OUT, where, now)
        if moved is None:
            return Freed(problem="was moved by somebody else just now")
        name = moved
    elif not spool.exists(State.FAILED, job_id):
        return Freed(problem="neither in pending/ nor in failed/")
    try:
        _take_out(spool, name, job_id, key)
        return (
            Freed(name)
            if retrying.put_back(spool, name, State.FAILED)
            else Freed(problem="was moved by somebody else just now")
        )
    except FileNotFoundError:
        return Freed(problem="was moved by somebody else just now")
    except DuplicateJobError:
        return Freed(problem="another job of that id waits in pending/ already")


def _take_out(spool: Spool, name: str, job_id: str, key: bytes | None) -> None:
    raw = _read(spool, State.FAILED, name, job_id, key)
    if raw.pop("after", None) is not None:
        spool.mend(name, jsontext.encode(raw) if key is None else signing.sign(key, name, raw))


def _waits(spool: Spool, job_id: str, key: bytes | None) -> bool:
    try:
        checked = document.check(_read(spool, State.PENDING, job_id, job_id, key))
    except FileNotFoundError:
        return False  # Race: it was claimed, or a person took it away.
    return checked.after is not None and not checked.attempts


def _read(spool: Spool, state: State, name: str, job_id: str, key: bytes | None) -> dict[str, Any]:
    """The document, whose signature is that of `job_id`; JobFormatError when it cannot be read, or is not signed."""
    data = spool.read(state, name).data
    raw = jsontext.decode(data)
    problem = None if key is None else signing.problem(key, job_id, raw, data)
    if problem:
        raise JobFormatError(signing.FIELD, problem)
    return raw


def _lies_failed(spool: Spool, job_id: str) -> bool:
    return standing(spool, job_id).stands is Stands.FAILED


def _names(spool: Spool, name: str) -> list[str]:
    """What a job in failed/ waited for when it failed for that; none when it failed by itself."""
    reason = reason_files.read(spool.layout, name)
    if reason is None or reason.get("outcome") != Outcome.DEPENDENCY_FAILED:
        return []
    try:
        checked, _ = document.parse(spool.read(State.FAILED, name).data)
    except (FileNotFoundError, JobFormatError):
        return []  # Race: somebody moved it just now; or a person changed it
    return document.dependencies(checked).jobs
