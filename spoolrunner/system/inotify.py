"""Which files were moved, replaced or removed, as Linux reports it; other systems, and one that has no more to give, have none.

    watch = open_watch()
    number = watch.add(path)
    watch.wait(5.0)         # [number] when something happened to that file, whatever its name is by then

Watchdog, which the dispatcher uses, watches folders by two threads, and its import takes 60 ms. A program that waits for a job
watches its file, so that nothing else wakes it, and pays 5 ms.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_ATTRIB, _DELETE_SELF, _MOVE_SELF, _DONT_FOLLOW = 0x4, 0x400, 0x800, 0x02000000
"""Masks of linux/inotify.h. The first comes when another file takes the name, even while somebody has the old one open."""
_HAPPENED = _ATTRIB | _DELETE_SELF | _MOVE_SELF | _DONT_FOLLOW
_HEADER, _OVERFLOW = 16, -1
"""Bytes of an event without its name, and the number that an event has when the kernel dropped others."""
_CHUNK = 65536


class FileWatch:
    """Files that are watched in this process. What waits may be one thread at a time; `add` and `remove` may be any."""

    def __init__(self, descriptor: int, libc: Any) -> None:
        self._descriptor = descriptor
        self._libc = libc

    def add(self, path: str) -> int | None:
        """Watch the file that lies at `path` now; return the number of its inode's watch, None when it cannot be watched.

        It cannot when it is gone, when we may not read it, and when the user has no watches left.
        """
        number: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), _HAPPENED)
        return None if number < 0 else number

    def remove(self, number: int) -> None:
        """Watch that file no more; nothing is done where the file is gone, and its watch with it."""
        self._libc.inotify_rm_watch(self._descriptor, number)

    def wait(self, seconds: float | None) -> list[int] | None:
        """Wait until something happens, at most that long; return the numbers of the files, None when some were dropped."""
        if sys.platform == "win32":
            return []  # nothing is watched there
        import select

        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(None if seconds is None else max(0.0, seconds) * 1000):
            return []
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return []
        numbers, position = [], 0
        while position < len(data):
            numbers.append(int.from_bytes(data[position : position + 4], sys.byteorder, signed=True))
            position += _HEADER + int.from_bytes(data[position + 12 : position + 16], sys.byteorder)
        return None if _OVERFLOW in numbers else numbers

    def close(self) -> None:
        """End all watches."""
        os.close(self._descriptor)


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
