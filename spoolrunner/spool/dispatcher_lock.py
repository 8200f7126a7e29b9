"""The lock of the one dispatcher of a spool, `dispatcher.lock`, and what it says about its holder.

Byte 0 belongs to the lock, which is the one that filelock takes. From byte 1 on the file names the holder as a JSON object.
Not for a job's process, which takes the locks of `spool.locks` alone.
"""

from __future__ import annotations

import os
from typing import Any

import orjson

from spoolrunner.spool import locks
from spoolrunner.spool.locks import JobLock
from spoolrunner.system.heldfiles import open_plain, read_plain

_HOLDER_BYTES = 512
_MAX_READ = 4096


class DispatcherLock:
    """The lock at `path`, which one dispatcher holds at a time."""

    def __init__(self, path: str) -> None:
        self.previous_boot = ""
        """The last boot of the machine in which a holder vouched for the markers; known once the lock is taken."""
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
        self.previous_boot = str(holder(self._path).get("boot", ""))
        self._me = {**me, "boot": self.previous_boot} if self.previous_boot else dict(me)
        self._write(self._me)
        return True

    def is_in_place(self) -> bool:
        """Return whether we hold the lock, and the file that we locked is still the one at the path."""
        return self._lock is not None and self._lock.is_in_place()

    def forsake(self) -> None:
        """Close our file when it is no longer the one at the path; `acquire` then takes the one that is."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def vouch(self, boot: str) -> None:
        """Write for later holders: all that a power cut before this boot left in running/ has been looked at.

        This must not be written earlier: if a holder died while it recovers, the next one would trust markers that the
        power cut took.
        """
        self._me["boot"] = boot
        self._write(self._me)

    def release(self) -> None:
        """Give the lock up, and take our name out of the file; the boot that was vouched for stays in it."""
        if self.is_in_place():
            self._write({"boot": self._me["boot"]} if "boot" in self._me else {})
        self.forsake()

    def _write(self, me: dict[str, Any]) -> None:
        descriptor = open_plain(self._path, os.O_RDWR)
        try:
            os.lseek(descriptor, 1, os.SEEK_SET)
            os.write(descriptor, orjson.dumps(me).ljust(_HOLDER_BYTES) + b"\n")
        finally:
            os.close(descriptor)


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
