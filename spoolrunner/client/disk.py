"""The disk of a spool: how much of it is free, and what in the spool fills it.

room(layout).free
for part in filling(layout, seconds=0.3): part.folder, part.size
"""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock

_PARTS = ("logs/jobs", "logs", "failed", "pending", "running", "done")
"""The folders that are looked at, in this order: the largest is most often what jobs printed."""
_STEP = 256
"""Files between two looks at the clock."""


class Room(NamedTuple):
    """The size of the file system of a spool, and what is free of it, in bytes."""

    size: int
    free: int


class Part(NamedTuple):
    """What the files of one folder take, in bytes, how many they are, and the largest of them.

    `is_whole` is False when the time was up before all were looked at.
    """

    folder: str
    size: int
    files: int
    largest: str
    largest_size: int
    is_whole: bool


def room(layout: Layout) -> Room:
    """Return how large and how full the file system is; OSError when the spool is gone."""
    found = shutil.disk_usage(layout.root)
    return Room(found.total, found.free)


def filling(layout: Layout, seconds: float) -> list[Part]:
    """Return what the folders of the spool take, the largest first, looking for so many seconds at most."""
    end = clock.SYSTEM.monotonic() + seconds
    found = [_part(layout, folder, end) for folder in _PARTS]
    return sorted((part for part in found if part.files), key=lambda part: -part.size)


def _part(layout: Layout, folder: str, end: float) -> Part:
    size, files, largest, largest_size = 0, 0, "", 0
    try:
        with os.scandir(os.path.join(layout.root, *folder.split("/"))) as entries:
            for entry in entries:
                if files % _STEP == _STEP - 1 and clock.SYSTEM.monotonic() > end:
                    return Part(folder, size, files, largest, largest_size, is_whole=False)
                taken = _taken(entry)
                if taken is None:
                    continue
                size, files = size + taken, files + 1
                if taken > largest_size:
                    largest, largest_size = entry.name, taken
    except OSError:  # it is gone, or may not be read: then nothing is known of it
        return Part(folder, size, files, largest, largest_size, is_whole=False)
    return Part(folder, size, files, largest, largest_size, is_whole=True)


def _taken(entry: os.DirEntry[str]) -> int | None:
    """The bytes that a file takes on the disk, which may be fewer than are in it; None for a folder, or a file that is gone."""
    if entry.is_dir(follow_symlinks=False):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    blocks: int = getattr(status, "st_blocks", status.st_size // 512)
    return blocks * 512
