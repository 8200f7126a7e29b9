"""What is swept: what writers that died, and rehearsals, have left in tmp/ for a day; and steps of jobs that are nowhere."""

from __future__ import annotations

import os
import shutil

from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival, step_files
from spoolrunner.spool.ids import numbered
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


def sweep_steps(layout: Layout, before: float) -> int:
    """Remove the steps of jobs that are nowhere, as `remove_steps_if_left` does, and return how many.

    OSError, at the end, if one stays.
    """
    removed, refused = 0, None
    for name in step_files.names(layout):
        try:
            removed += remove_steps_if_left(layout, name, before)
        except OSError as error:
            refused = refused or error  # the others go all the same
    if refused is not None:
        raise refused
    return removed


def remove_steps_if_left(layout: Layout, name: str, before: float) -> bool:
    """Remove steps/`name`.jsonl if it was last written `before` (seconds since 1970) and its job is nowhere; whether it was."""
    path = layout.step_file(name)
    # The job may lie under a neighbouring name, see `step_files.find`.
    ids = (name, name.partition("~")[0], numbered(name))
    return not _is_anywhere(layout, *ids) and arrival.came_before(path, before) and durable.unlink(path)


def _is_anywhere(layout: Layout, *ids: str) -> bool:
    """Whether there is a job of any of these ids. Looked for twice, since a person may move it behind our back."""
    paths = [layout.job(state, job_id) for state in (*State, *State) for job_id in ids]
    return any(_exists(path) for path in paths)


def _exists(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


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
