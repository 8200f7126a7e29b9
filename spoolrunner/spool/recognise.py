"""How a folder on the disk is recognised as a spool: by the folders in it, which only `spoolrunner init` makes."""

from __future__ import annotations

import os

from spoolrunner.spool.paths import FOLDERS

_ENOUGH = 5
"""So many of the folders make a spool; a few of them may have been removed by hand, and it still is one."""
_TOP = [name for name in FOLDERS if os.sep not in name]


def is_spool(root: str) -> bool:
    """Return whether the folder at `root` is a spool, or was one of which a few folders are missing now."""
    return sum(os.path.isdir(os.path.join(root, name)) for name in _TOP) >= _ENOUGH


def is_inside(path: str) -> bool:
    """Return whether the file at `path`, or the one it is a link to, lies in a spool: in its root, or anywhere below it."""
    places = {os.path.dirname(os.path.abspath(path)), os.path.dirname(os.path.realpath(path))}
    return any(is_spool(folder) for place in places for folder in _up_from(place))


def _up_from(folder: str) -> list[str]:
    found = [folder]
    while os.path.dirname(found[-1]) != found[-1]:
        found.append(os.path.dirname(found[-1]))
    return found
