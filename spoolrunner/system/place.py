"""Where a process lives: on which host, in which namespace of pids, and for which spool.

A pid means something in its own namespace alone, so whoever names a process names that too.
"""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

from spoolrunner.system import machine, processes


class Place(NamedTuple):
    """The host by name, the namespace of pids ("" where there is only one), and device and inode of the spool's locks/.

    A copy of a spool, or a snapshot of it, has another device or inode: the processes that its files name are not its own.
    """

    host: str
    namespace: str
    home: str

    def is_here(self, namespace: str, home: str) -> bool:
        """Return whether a process of that namespace and spool is of ours; an empty word, of an older version, says nothing."""
        return namespace in ("", self.namespace) and self.is_ours(home)

    def is_ours(self, home: str) -> bool:
        """Return whether a process of that spool is one of this spool."""
        return home in ("", self.home)


def place(locks: str) -> Place:
    """Return where this process lives, for the spool whose locks lie in that folder."""
    return Place(machine.host(), namespace(), processes.home(locks))


@cache
def namespace() -> str:
    """Return the name of the namespace of our pids; empty where the system has no such thing."""
    return namespace_of("self")


def namespace_of(pid: int | str) -> str:
    """Return the name of the namespace of a process as we see it; empty when it is gone, or not ours to look at."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid").removeprefix("pid:").strip("[]")
    except OSError:
        return ""


def pid_seen_from_here(pid: int, its_namespace: str) -> int | None:
    """Return by which pid we see the process that has `pid` in its own namespace; None when we see none.

    A namespace is seen from those above it: a host sees the processes of its containers.
    """
    if its_namespace in ("", namespace()):
        return pid
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return None
    return next((int(name) for name in names if namespace_of(name) == its_namespace and _own_pid(name) == pid), None)


def _own_pid(name: str) -> int | None:
    """Return the pid of a process in its own namespace: the last of those that the system tells."""
    try:
        status = processes.read_small(f"/proc/{name}/status")
    except OSError:
        return None  # gone
    _, _, rest = status.partition(b"\nNSpid:")
    found = rest.partition(b"\n")[0].split()
    return int(found[-1]) if found else None
