"""This machine: its name, and the name of the time since it was started."""

from __future__ import annotations

import os
import sys

from spoolrunner.system import processes

_host = ""


def host() -> str:
    """Return the name of this machine."""
    global _host  # noqa: PLW0603 -- it is asked of the system once
    if not _host:
        if sys.platform != "win32":
            _host = os.uname().nodename
        else:
            import socket

            _host = socket.gethostname()
    return _host


def boot_id() -> str:
    """Return an id that changes with each start of the machine; empty where the system offers none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()[:8]
    except OSError:
        return ""


class Machine:
    """What a dispatcher asks of the machine about itself; a test may put another in its place."""

    def boot_id(self) -> str:
        """The name of the time since the machine was started, or an empty one."""
        return boot_id()

    def mounting(self, path: str) -> str:
        """The name of the time since the file system of `path` was mounted, or an empty one."""
        from spoolrunner.system.mounting import name_of_mounting  # what only a dispatcher needs

        return name_of_mounting(path)

    def started(self, pid: int, boot: str) -> str | None:
        """The start of the process as an opaque word, or None when it is gone."""
        return processes.started(pid, boot)
