"""What a power cut leaves of a simulated spool: what was synced, and of the rest as much or as little as a disk may keep.

The model is that of a file system with a journal, as ext4 and XFS are. Changes of names are kept in their order; the sync of a
folder keeps all up to the last change in that folder. The sync of a file keeps its bytes, and no name.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from spoolrunner.spool.paths import Layout

Names = dict[str, int]
"""Path, from the root of the spool -> inode."""


class Remains(NamedTuple):
    """Which of the changes that were not synced are kept: those of names, and how much of new bytes (0, a half or 1)."""

    names: bool
    data: float

    def __str__(self) -> str:
        return f"{'all' if self.names else 'synced'} names, {self.data:g} of unsynced bytes"


REMAINS = (Remains(False, 0.0), Remains(False, 1.0), Remains(True, 0.0), Remains(True, 0.5))
"""What a cut may leave. All names and all bytes are what a mere death leaves, too."""


class Disk:
    """Knows of each name and each byte in a spool whether it is synced. What is there at first is."""

    def __init__(self, layout: Layout) -> None:
        self._root = layout.root
        self._held: dict[int, int] = {}
        self._synced: dict[int, bytes] = {}
        names = self._look()
        for inode in names.values():
            self._synced[inode] = self._content(inode)
        self._kept = names
        self._later: list[tuple[set[str], Names]] = []

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def changed(self, *paths: str) -> None:
        """Names in the folders of these paths have changed."""
        self._later.append(({os.path.dirname(path) for path in paths}, self._look()))

    def synced_file(self, descriptor: int) -> None:
        """A file was synced."""
        inode = os.fstat(descriptor).st_ino
        if inode in self._held:
            self._synced[inode] = self._content(inode)

    def synced_folder(self, path: str) -> None:
        """A folder was synced."""
        touched = [index for index, (folders, _) in enumerate(self._later) if path in folders]
        if touched:
            self._kept = self._later[touched[-1]][1]
            del self._later[: touched[-1] + 1]

    def synced_everything(self) -> None:
        """The whole file system was synced."""
        self._kept, self._later = self._look(), []
        self._synced = {inode: self._content(inode) for inode in self._held}

    def cut(self, remains: Remains) -> dict[int, int]:
        """Make the spool what a cut leaves of it; returns the inodes of the files as they are now -> what they were."""
        names = self._look() if remains.names else self._kept
        left = {path: (inode, self._left_of(inode, remains.data)) for path, inode in names.items()}
        times = {inode: os.fstat(self._held[inode]).st_mtime_ns for inode in names.values()}
        for path in self._look():
            os.unlink(os.path.join(self._root, path))
        inodes = {}
        for path, (inode, data) in left.items():
            there = os.path.join(self._root, path)
            with open(there, "xb") as stream:
                stream.write(data)
            os.utime(there, ns=(times[inode], times[inode]))
            inodes[os.stat(there).st_ino] = inode
        return inodes

    def _left_of(self, inode: int, share: float) -> bytes:
        synced, written = self._synced.get(inode, b""), self._content(inode)
        if not written.startswith(synced):  # it was cut or written over: what was synced is all that can be told
            return synced
        return written[: len(synced) + int((len(written) - len(synced)) * share)]

    def _look(self) -> Names:
        found = {}
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = os.path.join(folder, name)
                inode = os.stat(path).st_ino
                found[os.path.relpath(path, self._root)] = inode
                if inode not in self._held:  # open, so that its bytes stay though its name may go
                    self._held[inode] = os.open(path, os.O_RDONLY)
        return found

    def _content(self, inode: int) -> bytes:
        descriptor = self._held[inode]
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
