"""When a file came to lie where it lies. Its time of change (mtime) is the word of whoever wrote it, and may be any."""

from __future__ import annotations

import os


def came_at(status: os.stat_result) -> float:
    """Return when the file came to its folder, in seconds since 1970.

    It is the time that the system itself sets at each write and rename (ctime). Windows has no such time: there it is when the
    file was made, by its producer or by the record of its last attempt.
    """
    return came_at_ns(status) / 1e9


def came_at_ns(status: os.stat_result) -> int:
    """Return the same in nanoseconds, to be compared with other times of files."""
    return status.st_ctime_ns


def came_before(path: str, moment: float) -> bool:
    """Return whether the file at `path`, which may be a link, came to its folder before that moment; False without one."""
    try:
        return came_at(os.lstat(path)) < moment
    except FileNotFoundError:
        return False
