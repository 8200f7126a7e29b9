"""Which processes have a file of a spool open. Only those are found that carry the mark of that spool, or hold its own lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from spoolrunner.system import place, processes

if TYPE_CHECKING:
    import psutil


def holders(path: str, root: str) -> list[psutil.Process]:
    """Return the processes, other than this one, that have the file at `path` open and were started for the spool at `root`.

    A backup, or somebody who looks, has it open too; and what lives in another namespace of pids is for its own dispatcher.
    """
    import psutil

    home = processes.home(os.path.dirname(path))
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or not _has_open(process, path):
                continue
            value = process.environ().get(processes.MARK, "")
            if processes.is_marked_by(value, root, home) and place.namespace_of(process.pid) == place.namespace():
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone, or of another user
    return found


def holder_of_removed(path: str) -> int | None:
    """Return the pid of a process that has the removed file of `path` open; None without one, and where there is no /proc.

    It lives in our namespace of pids, and its file lay on the device of the folder of `path`: by its name alone it could be
    that of another spool, in a container.
    """
    removed = f"{os.path.realpath(path)} (deleted)"
    try:
        device = os.stat(os.path.dirname(path)).st_dev
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except FileNotFoundError:
        return None
    return next((pid for pid in pids if pid != os.getpid() and _holds_removed(pid, removed, device)), None)


def _has_open(process: psutil.Process, path: str) -> bool:
    if not os.path.isdir("/proc/self/fd"):
        return any(file.path == path for file in process.open_files())
    folder, wanted = f"/proc/{process.pid}/fd", os.stat(path)
    return any(_is_same(f"{folder}/{name}", wanted) for name in os.listdir(folder))


def _is_same(link: str, wanted: os.stat_result) -> bool:
    try:
        status = os.stat(link)
    except OSError:
        return False  # closed meanwhile
    return (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino)


def _holds_removed(pid: int, removed: str, device: int) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        for descriptor in os.listdir(folder):
            link = f"{folder}/{descriptor}"
            if os.readlink(link) == removed and os.stat(link).st_dev == device:
                return place.namespace_of(pid) == place.namespace()
    except OSError:
        return False  # gone, or of another user
    return False
