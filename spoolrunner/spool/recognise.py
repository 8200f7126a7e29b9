"""How a folder on the disk is recognised as a spool: by the folders in it, which only `spoolrunner init` makes."""

from __future__ import annotations

import os
import stat

from spoolrunner.errors import SpoolLayoutError
from spoolrunner.spool.paths import FOLDERS, LATER_FOLDERS, Layout

_ENOUGH = 5
"""So many of the folders make a spool; a few of them may have been removed by hand, and it still is one."""
ADVICE = "is its disk mounted? `spoolrunner init` makes a spool where none was, and what is missing of one"
_TOP = [name for name in FOLDERS if os.sep not in name]


def is_spool(root: str) -> bool:
    """Return whether the folder at `root` is a spool, or was one of which a few folders are missing now."""
    return sum(os.path.isdir(os.path.join(root, name)) for name in _TOP) >= _ENOUGH


def is_inside(path: str) -> bool:
    """Return whether the file at `path`, or the one it is a link to, lies in a spool: in its root, or anywhere below it."""
    places = {os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))}
    return any(is_spool(folder) for place in places for folder in _up_from(place))


def refuse_links(layout: Layout) -> None:
    """Raise SpoolLayoutError when a folder of the spool is a link: what is done in it would be done elsewhere."""
    for name in (*FOLDERS, *LATER_FOLDERS):
        path = os.path.join(layout.root, name)
        if os.path.islink(path):
            raise SpoolLayoutError(f"{path}: must be a folder, not a link or a file")


def check_for_publishing(layout: Layout) -> None:
    """Raise SpoolLayoutError unless each folder is there that a job passes through, and none is a link.

    Where one is missing, the disk of the spool may not be mounted: what is made there then would not be seen later.
    """
    for name in _TOP:
        path = os.path.join(layout.root, name)
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            raise SpoolLayoutError(f"{path}: the folder is missing; {ADVICE}") from None
        if not stat.S_ISDIR(mode):
            raise SpoolLayoutError(f"{path}: must be a folder, not a link or a file")


def _up_from(folder: str) -> list[str]:
    found = [folder]
    while os.path.dirname(found[-1]) != found[-1]:
        found.append(os.path.dirname(found[-1]))
    return found
