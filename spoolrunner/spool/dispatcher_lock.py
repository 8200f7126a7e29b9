"""The lock of the one dispatcher of a spool, `dispatcher.lock`, and what it says about its holder.

Byte 0 belongs to the lock, which is the one that filelock takes. From byte 1 on the file names the holder as a JSON object.
Not for a job's process, which takes the locks of `spool.locks` alone.
"""

from __future__ import annotations

import os
from typing import Any

import orjson

from spoolrunner.protocol import jsontext
from spoolrunner.spool import locks
from spoolrunner.spool.locks import JobLock
from spoolrunner.system.heldfiles import open_plain, read_plain

VOUCHED = ("boot", "mount", "place")
"""This start of the machine, this mounting of the file system, and the inode of locks/: one of them changes whenever something
may have been lost, or was copied."""
_HOLDER_BYTES = 512
_MAX_READ = 4096


class DispatcherLock:
    """The lock at `path`, which one dispatcher holds at a time."""

    def __init__(self, path: str) -> None:
        self.vouched: dict[str, str] = {}
        """What the last holder that vouched for the markers has noted with that; known once the lock is taken."""
        self._me: dict[str, Any] = {}
        self._path = path
        self._lock: JobLock | None = None

    def acquire(self, me: dict[str, Any], patience: float = 0.0) -> bool:
        """Take the lock and write `me` into its file; return False when another process holds it for `patience` seconds."""
        from filelock import lock_descriptor  # 50 ms that only a dispatcher pays, and nobody who asks for its holder

        self._lock = locks.acquire(
            self._path, patience, try_lock=lambda descriptor: lock_descriptor(descriptor, blocking=False)
        )
        if self._lock is None:
            return False
        previous = holder(self._path)
        self.vouched = {key: str(previous[key]) for key in VOUCHED if previous.get(key)}
        self._me = {**me, **self.vouched}
        self._write(self._me)
        return True

    def is_in_place(self) -> bool:
        """Return whether we hold the lock, and the file that we locked is still the one at the path."""
        return self._lock is not None and self._lock.is_in_place()

    def is_removed(self) -> bool:
        """Return whether the file that we locked has no name any more; False when it was moved, or covered by a mount."""
        return self._lock is None or os.fstat(self._lock.descriptor).st_nlink == 0

    def forsake(self) -> None:
        """Close our file when it is no longer the one at the path; `acquire` then takes the one that is."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def vouch(self, words: dict[str, str]) -> None:
        """Write for later holders: all that a power cut before now left in running/ has been looked at.

        `words`, by the keys in VOUCHED, tell when that stops being true. This must not be written earlier: if a holder died
        while it recovers, the next one would trust markers that the power cut took.
        """
        self._me = {**{key: value for key, value in self._me.items() if key not in VOUCHED}, **words}
        self._write(self._me)

    def release(self) -> None:
        """Give the lock up, and take our name out of the file; what was vouched for stays in it."""
        if self.is_in_place():
            self._write({key: self._me[key] for key in VOUCHED if key in self._me})
        self.forsake()

    def _write(self, me: dict[str, Any]) -> None:
        descriptor = open_plain(self._path, os.O_RDWR)
        try:
            os.lseek(descriptor, 1, os.SEEK_SET)
            os.write(descriptor, jsontext.encode_told(me).ljust(_HOLDER_BYTES) + b"\n")
        finally:
            os.close(descriptor)


def named(held: dict[str, Any]) -> str:
    """Return who holds the lock, in words, by what `holder` returned: it may have written nothing about itself yet."""
    if "pid" not in held:
        return "another process"
    return f"pid {held['pid']} on {held.get('host', 'an unknown host')} since {held.get('since', 'an unknown time')}"


def is_held(path: str) -> bool:
    """Return whether a process holds the dispatcher's lock at `path`, wherever that lives: in a container, on another host.

    It is tried by a lock that is shared with all who look, for a moment; a dispatcher that is just starting tries again.
    """
    try:
        descriptor = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not locks.try_shared(descriptor)
    finally:
        os.close(descriptor)


def holder(path: str) -> dict[str, Any]:
    """Return what the last holder of the dispatcher's lock at `path` wrote about itself; {} when it gave the lock up.

    Whether that still holds it is for `is_held`.
    """
    try:
        data = read_plain(path, _MAX_READ) or b""
        found = orjson.loads(data[1:].strip(b" \n\0") or b"{}")
    except orjson.JSONDecodeError:
        return {}  # being written this moment
    return found if isinstance(found, dict) else {}
