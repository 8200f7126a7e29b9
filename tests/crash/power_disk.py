"""A file system in an image on a loop device whose power can be cut: what was not synced is gone, a mount replays the log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from unittest import mock

from spoolrunner.system import durable
from tests.crash.real_jobs import MOUNTED

MEBIBYTE = 1 << 20
PATIENCE = 20.0
"""Seconds after which a mount or unmount that is refused as busy is given up."""
_BUSY = 32
"""The exit status of mount and umount when the system call failed: mount(8)."""


@dataclass(frozen=True)
class Kind:
    """A kind of file system: the program that makes one, and the bytes of the smallest image that holds the load."""

    name: str
    make: tuple[str, ...]
    size: int


KINDS = {
    "ext4": Kind("ext4", ("mkfs.ext4", "-q", "-F"), 128 * MEBIBYTE),
    "xfs": Kind("xfs", ("mkfs.xfs", "-q", "-f"), 320 * MEBIBYTE),  # it makes none of less than 300
}
PROGRAMS = ("mkfs.ext4", "mkfs.xfs", "xfs_io", "mount", "umount", "losetup", "unshare")


def obstacle() -> str:
    """Why no power can be cut here, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "loop devices and mounts need root on Linux"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (packages e2fsprogs, xfsprogs, mount, util-linux)"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "losetup", "--find"], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    return f"no namespace or no loop device to be had: {tried.stderr.strip()}" if tried.returncode else ""


NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Whatever becomes of the program that cuts the power, the kernel ends its processes and takes its mounts away with it."""


def memory_folder() -> str:
    """A folder for images: in memory, where there is room."""
    memory = "/dev/shm"
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1024 * MEBIBYTE
    return memory if roomy else tempfile.gettempdir()


class Disk:
    """A file system of that kind in `folder`, mounted at `mount_point` while it has power."""

    def __init__(self, kind: Kind, folder: str) -> None:
        self.mount_point = os.path.join(folder, MOUNTED)
        self._image = os.path.join(folder, "image")
        os.mkdir(self.mount_point)
        with open(self._image, "wb") as stream:
            stream.truncate(kind.size)
        run(*kind.make, self._image)
        self.power_on()

    def power_on(self) -> None:
        """Mount it; after a cut this replays the log."""
        run("mount", "-o", "loop", self._image, self.mount_point)

    def cut(self) -> None:
        """From now on nothing reaches the disk, and the log is not flushed either: what a power cut leaves."""
        run("xfs_io", "-x", "-c", "shutdown", self.mount_point)

    def has_power(self) -> bool:
        """Whether a file can be made on it."""
        try:
            with open(os.path.join(self.mount_point, "probe"), "wb"):
                return True
        except OSError:
            return False

    def remove(self) -> None:
        """Take the dead file system away; nobody may have a file of it open any more."""
        run("umount", self.mount_point)


def cut_before_sync(kind: str, folder: str) -> str:
    """What the sync of a folder answers when the power is cut between a rename into it and its fsync."""
    disk = Disk(KINDS[kind], folder)
    names = os.path.join(disk.mount_point, "names")
    os.mkdir(names)
    durable.write_new(os.path.join(disk.mount_point, "new"), b"data", fsync=True)
    os.rename(os.path.join(disk.mount_point, "new"), os.path.join(names, "new"))

    def cut_and_sync(descriptor: int) -> None:
        disk.cut()
        os.fsync(descriptor)

    try:
        with mock.patch.object(durable, "_sync", cut_and_sync):
            durable.sync_folder(names)
    except OSError as error:
        return f"refused: {error}"
    finally:
        disk.remove()
    return "accepted"


def run(*command: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if ended.returncode == 0:
            return
        if ended.returncode != _BUSY or time.monotonic() >= deadline:
            raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr.strip()}")


if __name__ == "__main__":
    print(cut_before_sync(*sys.argv[1:]))
