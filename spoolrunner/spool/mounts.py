"""The file system under a spool: its type, and what that type cannot promise."""

from __future__ import annotations

import os

from spoolrunner.spool.paths import Layout


def file_system(path: str) -> str:
    """Return the type of the file system `path` lies on (`ext4`, `nfs4`, `NTFS`), or "" where that cannot be found out."""
    import psutil

    try:
        path = os.path.join(os.path.realpath(path.removeprefix("\\\\?\\")), "")
    except OSError:
        return ""  # Windows, where that asks the file system
    mounts = [
        mount for mount in psutil.disk_partitions(all=True) if path.startswith(os.path.join(mount.mountpoint, ""))
    ]
    if not mounts:
        return ""
    holding = max(mounts, key=lambda mount: len(mount.mountpoint))
    return "smb" if "remote" in holding.opts.split(",") else holding.fstype  # as Windows has it


def warnings(layout: Layout) -> list[str]:
    """Return a sentence for each thing that is legal but weakens the promise: memory file systems and network mounts."""
    found = []
    kind = file_system(layout.root)
    if kind in ("tmpfs", "ramfs"):
        found.append(f"the spool lies on {kind}: a power cut or restart of the machine loses every job")
    if kind.startswith(("nfs", "cifs", "smb", "fuse", "9p", "afs")):
        found.append(f"the spool lies on {kind}: locks and renames are only as good as that mount")
    return found
