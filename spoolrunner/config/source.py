"""What was read of config.json, and whether the file holds something else by now."""

from __future__ import annotations

import os

from spoolrunner.config.lookup import FoundFile, read_file
from spoolrunner.errors import ConfigError


class Source:
    """The content of the file at `path` when it was read: `found`."""

    def __init__(self, path: str, found: FoundFile) -> None:
        self._path = path
        self._stamp = _stamp(found.status)
        self._digest = hash(found.data)

    def still_holds(self) -> bool | None:
        """Return whether the file holds what was read; None when it cannot be read now."""
        try:
            if _stamp(os.stat(self._path)) == self._stamp:
                return True
            found = read_file(self._path)
        except (OSError, ConfigError):
            return None
        if hash(found.data) != self._digest:
            return False
        self._stamp = _stamp(found.status)  # touched, or checked out once more
        return True


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_uid
