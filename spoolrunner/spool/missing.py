"""A folder of the spool that is missing, told apart from a file that is gone: the system has one error for both."""

from __future__ import annotations

import errno
import os


class FolderMissingError(OSError):
    """A folder of the spool is missing. No FileNotFoundError: whoever takes that for a file that is gone must not see it."""


def folder_of(*folders: str) -> FolderMissingError | None:
    """Return the error that names the first of these folders that is missing; None when all are there."""
    for folder in folders:
        try:
            os.lstat(folder)
        except FileNotFoundError:
            return FolderMissingError(errno.ENOENT, "the folder is missing", folder)
    return None
