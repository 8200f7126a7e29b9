"""The folders that a dispatcher stands on: those it took are those at their paths, and none is missing.

A record belongs into the spool in which the lock of its job lies. A spool may be moved, replaced, unmounted or covered by a
mount while jobs run, and a folder of it may be removed: this notices it, makes a folder again, and keeps the rest waiting.
Never makes a spool: without our own dispatcher.lock in place nothing is made.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.errors import SpoolLayoutError
from spoolrunner.spool import one_mount
from spoolrunner.spool.paths import FOLDERS, Layout
from spoolrunner.system import durable
from spoolrunner.telling.trouble_events import FolderMade


class _Taken(NamedTuple):
    """A folder as it was when it was taken."""

    inode: int
    device: int
    mode: int
    group: int


class Ground:
    """The folders of a spool that `holder` holds. `runs` tells whether there are attempts that are not settled.

    `try_renames` raises OSError when files cannot be renamed between the folders.
    """

    def __init__(
        self,
        layout: Layout,
        holder: Holder,
        reporter: Reporter,
        runs: Callable[[], bool],
        try_renames: Callable[[Layout], None] = one_mount.try_renames,
    ) -> None:
        self._try_renames = try_renames
        self._layout = layout
        self._holder = holder
        self._reporter = reporter
        self._runs = runs
        self._paths = {name: os.path.join(layout.root, name) for name in FOLDERS}
        self._taken: dict[str, _Taken] = {}
        self._firm: list[tuple[str, int, int]] = []

    def take(self) -> None:
        """Note what the folders are now; SpoolLayoutError when files cannot be renamed from one into the other."""
        self._note()
        try:
            self._try_renames(self._layout)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise SpoolLayoutError(error.strerror) from None
            raise

    def check(self) -> None:
        """Raise OSError unless the spool at the path is the one that was taken, where the locks and what runs lie."""
        self._holder.check()
        for path, inode, device in self._firm:
            there = os.stat(path, follow_symlinks=False)
            if there.st_ino != inode or there.st_dev != device:
                raise OSError(f"{path}: another folder lies there than the one that was taken")

    def check_all(self) -> None:
        """Raise OSError unless every folder is there, and is the one that was taken."""
        self._holder.check()
        for name, path in self._paths.items():
            there = _look(path)
            if there is None:
                raise FileNotFoundError(errno.ENOENT, "the folder was removed", path)
            if not self._is_as_taken(name):
                raise OSError(f"{path}: another folder lies there than the one that was taken")

    @property
    def can_be_mended(self) -> bool:
        """Whether the spool is the one that was taken, and lacks a folder."""
        return self._holder.holds and any(_look(path) is None for path in self._paths.values())

    def restore(self) -> bool:
        """Make the folders again that are missing, and take those that lie there now; False when it is another spool.

        OSError while that is not to be done: attempts that run are recorded in the spool in which their locks lie.
        """
        if not self._holder.holds:
            is_same = self._is_as_taken("locks")
            if not is_same and self._runs() and not self._holder.is_removed:
                raise OSError(f"{self._layout.root}: the spool was moved or covered; what ran in it is recorded there")
            self._holder.begin_anew()
            if not is_same:
                self._note()
                return False
        for name, path in self._paths.items():
            there = _look(path)
            if there is None:
                self._make(name, path)
            elif not stat.S_ISDIR(there.mode):
                raise OSError(f"{path}: must be a folder, not a link or a file")
            elif name in _FIRM and self._runs() and not self._is_as_taken(name):
                raise OSError(f"{path}: another folder lies there; what ran is recorded when the one before is back")
        self._try_renames(self._layout)
        self._note()
        return True

    def _make(self, name: str, path: str) -> None:
        before = self._taken.get(name) or _Taken(0, 0, 0o700, os.stat(self._layout.root).st_gid)
        durable.make_folder_as_before(path, before.mode, before.group)
        self._reporter.report(FolderMade(path))

    def _is_as_taken(self, name: str) -> bool:
        there, before = _look(self._paths[name]), self._taken.get(name)
        return there is not None and before is not None and there[:2] == before[:2]

    def _note(self) -> None:
        found = {name: _look(path) for name, path in self._paths.items()}
        self._taken = {name: there for name, there in found.items() if there is not None}
        self._firm = [(self._paths[name], *self._taken[name][:2]) for name in _FIRM if name in self._taken]


_FIRM = ("locks", "running")
"""The folders that no other may take the place of while attempts run: by them it is known what became of an attempt."""


def _look(path: str) -> _Taken | None:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _Taken(there.st_ino, there.st_dev, there.st_mode, there.st_gid)
