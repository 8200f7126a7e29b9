"""Whether files can be renamed from every folder of a spool into every other one: this is tried.

Each move of a job is a rename. The numbers of the devices do not tell: two mounts of one device have the same, and a rename
from one into the other is refused all the same.
"""

from __future__ import annotations

import errno
import os

from spoolrunner.spool.paths import FOLDERS, Layout
from spoolrunner.system import durable


def try_renames(layout: Layout) -> None:
    """Rename a file from tmp/ into each other folder and back, so that every pair is known to be on one mount.

    OSError when that fails; with errno EXDEV, and a sentence about what to do, when a folder lies on another mount.
    """
    staged = layout.stage()
    name = f".{os.path.basename(staged)}.trial"  # a name that nobody takes for a job, a lock or a request
    durable.write_new(staged, b"", False)
    try:
        for folder in FOLDERS:
            if folder != "tmp":
                _there_and_back(staged, os.path.join(layout.root, folder), name)
    finally:
        durable.unlink(staged)


def _there_and_back(staged: str, folder: str, name: str) -> None:
    there = os.path.join(folder, name)
    try:
        durable.rename(staged, there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        what = (
            f"{folder}: lies on another file system, or another mount of it, than tmp/; files cannot be renamed into it"
        )
        raise OSError(errno.EXDEV, f"{what}: mount the whole spool, not its folders", folder) from None
    durable.rename(there, staged)
