"""The folders of jobs as an index holds them: the names first, then when each came; both taken in bit by bit.

Whoever holds the lock may look and change. What a file event hints at is looked at here, too: what lies there counts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from spoolrunner.client.arrived import Arrived
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import SUFFIX
from spoolrunner.spool.paths import Layout

_CHUNK = 256
"""Names that are taken in under one hold of the lock, which takes less than a millisecond."""


class Mark(NamedTuple):
    """What tells a folder from another, and from itself after a change: device, inode, time of change (mtime)."""

    device: int
    inode: int
    mtime_ns: int


class Folders:
    """The four folders of jobs. `lock` is to be held by whoever reads in `of`."""

    def __init__(self, layout: Layout) -> None:
        self.lock = threading.Lock()
        self.of = {state: Arrived() for state in State}
        self.uncounted, self.unordered = set(State), set(State)
        """The states of which not all names are known yet, and of which not all are in their order."""
        self._spool = Spool(layout)

    def mark(self, state: State) -> Mark | None:
        """Return what the folder is like now; None when it is missing."""
        try:
            status = os.stat(self._spool.layout.folder(state), follow_symlinks=False)
        except FileNotFoundError:
            return None
        return Mark(status.st_dev, status.st_ino, status.st_mtime_ns)

    def look(self, state: State, names: Iterable[str]) -> bool:
        """Look at what lies under these names and take that over; return whether any of it is new. Hold the lock for it.

        OSError when a file cannot be looked at, but for one that is gone.
        """
        folder, is_new = self.of[state], False
        path = self._spool.layout.folder(state) + os.sep
        for name in names:
            try:
                status = os.lstat(f"{path}{name}{SUFFIX}")
            except FileNotFoundError:
                is_new |= folder.remove(name)
            else:
                is_new |= folder.place(name, arrival.came_at_ns(status))
        return is_new

    def listing(self, states: Iterable[State]) -> Iterator[State]:
        """List these folders: yield the state behind every few names, without the lock. OSError when one cannot be read.

        A folder that is missing counts as empty.
        """
        unlooked: dict[State, list[str]] = {}
        for state in states:
            unlooked[state] = []
            yield from self._names(state, unlooked[state])
            self.uncounted.discard(state)
            yield state
        for state, names in sorted(unlooked.items(), key=lambda item: len(item[1])):
            while names:
                with self.lock:
                    self.look(state, names[-_CHUNK:])
                del names[-_CHUNK:]
                yield state
            self.unordered.discard(state)

    def _names(self, state: State, unlooked: list[str]) -> Iterator[State]:
        """Take in the names that are new. Those to be looked at then are put into `unlooked`: also the old, if some went."""
        folder = self.of[state]
        before, known = len(folder), 0
        try:
            names = self._spool.names(state)
            while chunk := list(islice(names, _CHUNK)):
                with self.lock:
                    found = [name for name in chunk if folder.add(name)]
                unlooked += found
                known += len(chunk) - len(found)
                yield state
        except FileNotFoundError:
            known = -1  # nothing lies where no folder is
        if known != before:
            with self.lock:
                unlooked[:] = folder.names()
            yield state
