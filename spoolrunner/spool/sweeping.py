"""What writers that died have left in tmp/, and what rehearsals did: it is removed when it is a day old."""

from __future__ import annotations

import os
import shutil

from spoolrunner.spool import arrival
from spoolrunner.spool.paths import REHEARSAL, Layout
from spoolrunner.system import durable
from spoolrunner.system.owners import is_ours

LEFTOVER_AGE = 86400.0
"""Seconds after which a file in tmp/ that nobody changed is a leftover of a writer that died."""


def sweep_tmp(layout: Layout, now: float) -> int:
    """Remove the files in tmp/ that nobody changed for a day, and what rehearsals left there; returns how many.

    OSError, at the end, if one stays.
    """
    removed, refused = 0, None
    with os.scandir(layout.tmp) as entries:
        for entry in entries:
            try:
                removed += _swept(entry, now - LEFTOVER_AGE)
            except FileNotFoundError:
                continue  # Race: its writer finished just now.
            except OSError as error:
                refused = refused or error  # the others go all the same
    if refused is not None:
        raise refused
    return removed


def _swept(entry: os.DirEntry[str], before: float) -> bool:
    """Remove what lies in tmp/ since before that moment, if it is a leftover of ours; whether it was."""
    if not arrival.came_before(entry.path, before):
        return False
    if not entry.is_dir(follow_symlinks=False):
        return durable.unlink(entry.path)
    if entry.name.startswith(REHEARSAL) and is_ours(entry.stat(follow_symlinks=False)):
        shutil.rmtree(entry.path)
        return True
    return False
