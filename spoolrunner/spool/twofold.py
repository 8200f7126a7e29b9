"""One job under two names, as a power cut may leave it: the names that are no longer true are removed.

A file system that keeps a log of what was synced, as btrfs does, keeps for good what was moved into a folder that was synced,
and forgets that it was moved out of another. Then a claimed job waits as well, and one that is done waits or runs as well. Two
files are one job when they have one inode, or when one has replaced the other: each record says which file it took the place
of. A second job that was given the same id shows neither, and is left alone, however much it looks like the first.

To be called by a dispatcher that has just taken a spool of which nobody vouches, before it settles or claims anything.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.states import FINAL, Outcome, State
from spoolrunner.spool import locks, reason_files, record, traces
from spoolrunner.spool.folders import Spool, lay
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.system import durable

_user = getattr(os, "geteuid", None)
_TRUTH = (State.RUNNING, State.PENDING, State.DONE, State.FAILED)
"""Of two names of one inode the first is kept, as a rule. What runs is settled by its markers, and goes on from there. What
lies in done/ or failed/ and in pending/ was retried by hand, unless it was refused."""


class Name(NamedTuple):
    """Where a job file lies, and what it is: `attempts` is how many it has, `is_over` whether the last verdict is final."""

    state: State
    job_id: str
    device: int
    stamp: Stamp
    replaced: frozenset[Stamp]
    attempts: int
    is_over: bool

    def __str__(self) -> str:
        return f"{self.state}/{self.job_id}.json"


class SecondName(NamedTuple):
    """A name that was removed, and the one under which its job is."""

    removed: Name
    kept: Name


def remove_second_names(spool: Spool) -> list[SecondName]:
    """Remove each name that a power cut has left to a job beside its true one, for good; OSError when the disk refuses.

    Nothing is done where files have no owners that tell who wrote a record: NTFS keeps its renames whole.
    """
    if _user is None:
        return []
    found = []
    for family in _families(spool):
        names = [name for where in family if (name := _look(spool, *where)) is not None]
        found += [second for second in _second_names(spool, names) if _remove(spool, second.removed)]
    if spool.fsync:
        for folder in {spool.layout.folder(second.removed.state) for second in found}:
            durable.sync_folder(folder)
    return found


def _stem(job_id: str) -> str:
    """The id that a job was given before its name was taken: `ID` of `ID~2`."""
    base, tilde, number = job_id.rpartition("~")
    return base if tilde and number.isascii() and number.isdigit() else job_id


def _families(spool: Spool) -> Iterator[list[tuple[State, str]]]:
    """The files whose ids are one but for the numbers behind them, where there are several.

    Names are listed twice, so that of a million finished jobs none is remembered.
    """
    seen: set[str] = set()
    several: set[str] = set()
    for state in (State.RUNNING, State.PENDING, State.FAILED):
        for job_id in spool.names(state):
            stem = _stem(job_id)
            (several if stem in seen else seen).add(stem)
    for job_id in spool.names(State.DONE):
        stem = _stem(job_id)
        if stem in seen or stem != job_id:
            several.add(stem)
    families: dict[str, list[tuple[State, str]]] = {stem: [] for stem in several}
    for state in _TRUTH if several else ():
        for job_id in spool.names(state):
            if (family := families.get(_stem(job_id))) is not None:
                family.append((state, job_id))
    yield from (family for family in families.values() if len(family) > 1)


def _look(spool: Spool, state: State, job_id: str) -> Name | None:
    """What the file is. What it says that it has replaced is believed only of one that we have written."""
    try:
        status = os.stat(spool.layout.job(state, job_id), follow_symlinks=False)
    except FileNotFoundError:
        return None  # Race: a person took it away.
    if not stat.S_ISREG(status.st_mode):
        return None
    stamp = Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
    try:
        _, raw = document.parse(spool.read(state, job_id).data)
    except (FileNotFoundError, JobFormatError):
        raw = {}  # torn by the power cut, for one: it says nothing
    is_own = _user is not None and status.st_uid == _user()
    replaced = frozenset(Stamp(*made) for made in raw.get(record.REPLACES, []) if is_own)
    attempts = raw.get("attempts", [])
    is_over = bool(attempts) and attempts[-1]["verdict"] in FINAL
    return Name(state, job_id, status.st_dev, stamp, replaced, len(attempts), is_over)


def _second_names(spool: Spool, names: list[Name]) -> Iterator[SecondName]:
    """The names that are to go, each with the one for which it goes."""
    files: dict[tuple[int, int], list[Name]] = {}
    for name in sorted(names, key=lambda name: _TRUTH.index(name.state)):
        files.setdefault((name.device, name.stamp.inode), []).append(name)
    true = []
    for same in files.values():
        kept = _true_name(spool, same)
        true.append(kept)
        yield from (SecondName(name, kept) for name in same if name is not kept)
    for name in true:
        later = next((other for other in true if name.stamp in other.replaced), None)
        if later is not None:
            yield SecondName(name, later)


def _true_name(spool: Spool, same: list[Name]) -> Name:
    """Which of the names of one file is kept; they are in the order of `_TRUTH`."""
    first, *others = same
    is_doubtful = first.state is State.RUNNING and bool(others) and others[0].state is State.PENDING
    if is_doubtful and first.is_over and not _was_claimed(spool, first):
        first, *others = others  # it was over, moved, and retried by hand: nobody has claimed it since
    failed = next((name for name in others if name.state is State.FAILED), None)
    if first.state is State.PENDING and failed is not None and _is_cancelled(spool, failed.job_id):
        return failed
    return first


def _was_claimed(spool: Spool, name: Name) -> bool:
    """Whether a marker says that the next attempt of this file was claimed or begun. The claim of a retry by hand is synced."""
    marker = traces.peek(spool.layout.lock(name.job_id)).marker
    return marker is not None and marker.fits(name.attempts, name.stamp, wholly=True)


def _is_cancelled(spool: Spool, job_id: str) -> bool:
    """Whether it came to failed/ by a cancel: the request is gone, so in pending/ it would run."""
    try:
        reason = reason_files.read(spool.layout, job_id)
    except PermissionError:
        return False  # it is none of ours
    return reason is not None and reason.get("outcome") == Outcome.CANCELLED


def _remove(spool: Spool, name: Name) -> bool:
    """Remove the name; False when it is not to be removed now.

    It is moved away first and looked at there: a person may have put another file in its place since we looked.
    """
    path, staged = spool.layout.job(name.state, name.job_id), spool.layout.stage()
    lock = locks.acquire(spool.layout.lock(name.job_id)) if name.state is State.RUNNING else None
    if name.state is State.RUNNING and lock is None:
        return False  # a process has it
    try:
        durable.rename(path, staged)
        if os.stat(staged, follow_symlinks=False).st_ino == name.stamp.inode:
            return durable.unlink(staged)
        lay(spool.layout, staged, name.state, name.job_id)  # another file, which lay there by now
    except FileNotFoundError:
        return False  # Race: a person took it away.
    finally:
        if lock is not None:
            lock.close()
    return False
