"""The name of one mounting of a file system: from the mount to the unmount, whatever mounts are made of it meanwhile.

A file system that was unmounted after an error, or whose device was lost, comes back without what was not synced, though the
machine was never restarted. A device number or the number of a mount does not show that: both are given out again.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

_HERE, _UNIQUE_ID, _MASK_AT, _ID_AT = -100, 0x4000, 0, 144
"""AT_FDCWD and STATX_MNT_ID_UNIQUE of linux/fcntl.h and linux/stat.h; where stx_mask and stx_mnt_id stand in struct statx."""


class _Mount(NamedTuple):
    """A row of /proc/self/mountinfo."""

    device: str
    kind: str
    source: str


def name_of_mounting(path: str) -> str:
    """Return a word that is another one after each mount of the file system `path` lies on; empty where none can be had.

    It holds for one boot of the machine.
    """
    if sys.platform != "linux":
        return ""
    try:
        return _by_kernel_object(path) or _by_unique_id(path)
    except OSError:
        return ""  # without /proc, or without the path: nothing is known


def _by_kernel_object(path: str) -> str:
    """Return the number of the folder that the kernel makes in /sys for each file system it mounts, and never numbers so again.

    It is the same for all bind mounts of a file system, as containers have them.
    """
    mount = _mount(path)
    if mount is None:
        return ""
    home = f"/sys/fs/{mount.kind}"
    if mount.kind == "btrfs":
        device = os.path.basename(os.path.realpath(mount.source))
        names = [name for name in _listed(home) if device in _listed(f"{home}/{name}/devices")]
    else:
        names = [os.path.basename(os.path.realpath(f"/sys/dev/block/{mount.device}"))]
    for name in names:
        try:
            return f"{mount.kind}-{name}-{os.stat(f'{home}/{name}').st_ino}"
        except FileNotFoundError:
            continue
    return ""


def _mount(path: str) -> _Mount | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as stream:
            number = next((line.split()[1] for line in stream if line.startswith("mnt_id:")), "")
    finally:
        os.close(descriptor)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            left, _, right = line.partition(" - ")
            if left.split()[0] == number:
                return _Mount(left.split()[2], *right.split()[:2])
    return None


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _by_unique_id(path: str) -> str:
    """Return the number of the mount that no other one is ever given (Linux 6.8)."""
    import ctypes

    statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)
    found = ctypes.create_string_buffer(256)
    if statx is None or statx(_HERE, os.fsencode(path), 0, _UNIQUE_ID, found) != 0:
        return ""
    mask = int.from_bytes(found.raw[_MASK_AT : _MASK_AT + 4], sys.byteorder)
    number = int.from_bytes(found.raw[_ID_AT : _ID_AT + 8], sys.byteorder)
    return f"mount-{number}" if mask & _UNIQUE_ID else ""
