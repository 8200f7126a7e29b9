"""Changing a job that waits: its file is written anew and exchanged with the one in pending/, in one step of the system.

That fails when the job has been claimed, so nothing is lost and nothing doubled. What the exchange took out is looked at: if it
is not the file that was read, since somebody has put another one there in that moment, it is exchanged back. The job's lock is
held meanwhile, so that a job which was claimed in that moment cannot come to its end, and what was put there by mistake
cannot begin.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import Event, State, transition
from spoolrunner.spool import locks
from spoolrunner.spool.folders import Spool, lay
from spoolrunner.spool.jobfile import Found, Stamp, read, stamp
from spoolrunner.spool.lock_files import drop_lock
from spoolrunner.spool.missing import folder_of
from spoolrunner.system import durable

LOCK_PATIENCE = 0.5
"""Seconds for which the lock of a job that does not run is tried; who holds it then needs milliseconds."""


class Edited(StrEnum):
    """What came of an edit."""

    DONE = "done"
    GONE = "it does not wait any more"
    RUNS = "it runs, or another job of this id does"
    CHANGED = "its file was changed by somebody else meanwhile"


@dataclass(slots=True)
class _Staged:
    """The file in tmp/. It may be removed as long as it is ours or what ours has replaced, and not when nobody knows."""

    path: str
    may_go: bool = True


def exchange(spool: Spool, job_id: str, known: Found, data: bytes, *, keeps_mtime: bool = False) -> Edited:
    """Put `data` in the place of pending/ID.json, which was `known` when it was read; return what came of it.

    `keeps_mtime`: the new file has the time of change of the old one, from which its `delay` counts. NotImplementedError where
    the system cannot exchange files, OSError when the disk refuses; the job is as it was then, or as edited.
    """
    transition(State.PENDING, Event.EDIT)  # the file stays where it is: this row has no other target
    staged = _Staged(spool.layout.stage())
    try:
        _write(spool, staged.path, data, known.mtime_ns if keeps_mtime else None)
    except FileNotFoundError as error:
        raise folder_of(spool.layout.tmp) or error from None
    try:
        edited = _under_lock(spool, job_id, known, staged)
        if edited is Edited.DONE and spool.fsync:
            durable.sync_folder(spool.layout.pending)  # before the old file goes: one of both is there for good
    finally:
        if staged.may_go:
            durable.unlink(staged.path)
    return edited


def _write(spool: Spool, path: str, data: bytes, mtime_ns: int | None) -> None:
    durable.write_new(path, data, spool.fsync and mtime_ns is None, durable.mode_in(spool.layout.tmp))
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))  # a name of ours, which nobody can guess
        if spool.fsync:
            durable.sync(path)


def _under_lock(spool: Spool, job_id: str, known: Found, staged: _Staged) -> Edited:
    if spool.exists(State.RUNNING, job_id):
        return Edited.RUNS
    lock = locks.acquire(spool.layout.lock(job_id), LOCK_PATIENCE)
    if lock is None:
        return Edited.RUNS
    try:
        return _exchange(spool, job_id, known, staged)
    finally:
        try:
            drop_lock(spool, lock, job_id)
        finally:
            lock.close()


def _exchange(spool: Spool, job_id: str, known: Found, staged: _Staged) -> Edited:
    if spool.exists(State.RUNNING, job_id):
        return Edited.RUNS
    there, ours = spool.stamp(State.PENDING, job_id), stamp(staged.path)
    if there != known.stamp:
        return Edited.GONE if there is None else Edited.CHANGED
    try:
        staged.may_go = False
        durable.exchange(staged.path, spool.layout.job(State.PENDING, job_id))
    except (OSError, NotImplementedError) as error:
        staged.may_go = stamp(staged.path) == ours
        if not isinstance(error, FileNotFoundError):
            raise
        return Edited.GONE  # Race: it was claimed just now, or a person took it away.
    try:
        staged.may_go = stamp(staged.path) == known.stamp
        if staged.may_go:
            return Edited.DONE
        _undo(spool, job_id, staged.path, ours, known)
    except OSError as error:
        what = (
            f"{error.strerror or error}; what an edit has taken out of pending/{job_id}.json may lie in {staged.path}"
        )
        raise OSError(error.errno, what) from error
    staged.may_go = True
    if spool.fsync:
        durable.sync_folder(spool.layout.pending)
    return Edited.CHANGED


def _undo(spool: Spool, job_id: str, staged: str, ours: Stamp | None, known: Found) -> None:
    """Give what was taken out by mistake the place that ours has now.

    Ours may have been claimed in that moment. It cannot have begun, since we hold the lock, and what is put in its place is
    released by the dispatcher, which compares what it claimed. When a person has taken ours away, another job gets a free name
    in pending/; what is the same job, as somebody saved it just before, goes with ours.
    """
    for state in (State.PENDING, State.RUNNING):
        if spool.stamp(state, job_id) == ours:
            with suppress(FileNotFoundError):  # Race: it was claimed just now.
                durable.exchange(staged, spool.layout.job(state, job_id))
            if stamp(staged) == ours:
                return
    if not _is_same_job(staged, known):
        lay(spool.layout, staged, State.PENDING, job_id)


def _is_same_job(path: str, known: Found) -> bool:
    """Whether the file there is of the same publication, by the key that only one has."""
    try:
        there, raw = jsontext.decode(read(path).data), jsontext.decode(known.data)
    except JobFormatError:
        return False
    return "key" in raw and raw["key"] == there.get("key") and raw.get("created_at") == there.get("created_at")
