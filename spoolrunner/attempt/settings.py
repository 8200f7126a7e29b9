"""The settings that every job's process gets at its start, the same for all jobs, and their form as bytes on the way there.

Light: every job's process imports it.
"""

from __future__ import annotations

import marshal


class Settings:
    """What the dispatcher gives to every process of a job. `root` is the spool, absolute; `boot` is that of `boot_id`.

    `python_path` goes to the front of the import path; `import_timeout` is in seconds.
    """

    __slots__ = ("boot", "fsync", "import_timeout", "max_log_bytes", "python_path", "root")

    def __init__(
        self, root: str, boot: str, fsync: bool, max_log_bytes: int, python_path: list[str], import_timeout: float
    ) -> None:
        self.root = root
        self.boot = boot
        self.fsync = fsync
        self.max_log_bytes = max_log_bytes
        self.python_path = python_path
        self.import_timeout = import_timeout

    def to_bytes(self) -> bytes:
        """Return the settings as bytes, to be sent to another process; the form is that of an assignment."""
        return marshal.dumps(tuple(getattr(self, name) for name in _ORDER), 2)

    @classmethod
    def from_bytes(cls, data: bytes) -> Settings:
        """Return the settings in the bytes that `to_bytes` made."""
        return cls(*marshal.loads(data))  # noqa: S302 -- our own dispatcher made them


_ORDER = ("root", "boot", "fsync", "max_log_bytes", "python_path", "import_timeout")
