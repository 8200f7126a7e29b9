"""What a power cut leaves of a simulated spool: what was synced, and of the rest as much or as little as a disk may keep.

The model is that of a file system with a journal, as ext4 and XFS are. Changes of names are kept in their order; the sync of a
folder keeps all up to the last change in that folder. The sync of a file keeps its bytes, and no name. Where a folder stands
`alone`, as on btrfs, its sync keeps what came into it, and does not keep that this went out of another folder.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from spoolrunner.spool.paths import Layout

Names = dict[str, int]
"""Path, from the root of the spool -> inode."""


class Remains(NamedTuple):
    """Which of the changes that were not synced are kept: those of names, and how much of new bytes (0, a half or 1).

    `alone`: of names it is what each folder had when it was synced.
    """

    names: bool
    data: float
    alone: bool = False

    def __str__(self) -> str:
        names = "all" if self.names else "synced folders'" if self.alone else "synced"
        return f"{names} names, {self.data:g} of unsynced bytes"


REMAINS = (
    Remains(False, 0.0),
    Remains(False, 1.0),
    Remains(True, 0.0),
    Remains(True, 0.5),
    Remains(False, 0.0, alone=True),
    Remains(False, 1.0, alone=True),
)
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
        self._kept = self._alone = names
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

        self._alone = self._with_folder(path)

    def _with_folder(self, path: str) -> Names:
        """What the folders had when each was synced, that one just now. A file that left it is kept where it went to."""
        now, folder = self._look(), os.path.relpath(path, self._root)
        here = {name: inode for name, inode in now.items() if os.path.dirname(name) == folder}
        others = {name: inode for name, inode in self._alone.items() if os.path.dirname(name) != folder}
        left = set(self._alone.values()) - set(here.values()) - set(others.values())
        return others | {name: inode for name, inode in now.items() if inode in left} | here

    def synced_everything(self) -> None:
        """The whole file system was synced."""
        self._kept, self._later = self._look(), []
        self._alone = self._kept
        self._synced = {inode: self._content(inode) for inode in self._held}

    def cut(self, remains: Remains) -> dict[int, int]:
        """Make the spool what a cut leaves of it; returns the inodes of the files as they are now -> what they were."""
        names = self._look() if remains.names else self._alone if remains.alone else self._kept
        left = {path: (inode, self._left_of(inode, remains.data)) for path, inode in names.items()}
        times = {inode: os.fstat(self._held[inode]).st_mtime_ns for inode in names.values()}
        for path in self._look():
            os.unlink(os.path.join(self._root, path))
        inodes: dict[int, int] = {}
        places: dict[int, str] = {}
        for path, (inode, data) in left.items():
            there = os.path.join(self._root, path)
            if inode in places:
                os.link(places[inode], there)
                continue
            places[inode] = there
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
