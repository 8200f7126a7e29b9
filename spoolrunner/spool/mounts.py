"""The file system under a spool: its type, and what that type cannot promise."""

from __future__ import annotations

import os

from spoolrunner.spool.paths import Layout

UNJOURNALED = ("exfat", "ext2", "hfs", "minix", "msdos", "vfat")
"""What keeps no account of its changes of names, so that half of one may be there after a power cut."""
UNNUMBERED = ("exfat", "fuse.mergerfs", "msdos", "vfat")
"""Where the number of a file is made up when it is opened or mounted, and may be another one later."""


REMOTE = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "lustre", "gfs2", "ocfs2")
"""How the types begin of what other hosts may change too: of their changes this one's kernel reports nothing."""


def is_remote(path: str) -> bool:
    """Return whether `path` lies on a file system that other hosts may change."""
    return file_system(path).startswith(REMOTE)


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
    """Return a sentence for each thing that is legal but weakens the promise: what the file system does not keep or hold."""
    found = []
    kind = file_system(layout.root)
    if kind in ("tmpfs", "ramfs"):
        found.append(f"the spool lies on {kind}: a power cut or restart of the machine loses every job")
    if kind.startswith(REMOTE):
        found.append(f"the spool lies on {kind}: locks and renames are only as good as that mount")
    if kind in UNJOURNALED:
        found.append(
            f"the spool lies on {kind}, which has no journal: a power cut may leave a job in two folders, or in none"
        )
    if kind in UNNUMBERED:
        found.append(
            f"the spool lies on {kind}, which gives files other inode numbers later: "
            "a start whose dispatcher died may not be counted"
        )
    return found
