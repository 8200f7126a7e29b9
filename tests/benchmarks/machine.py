"""The machine and the versions that the figures belong to."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from typing import NamedTuple

import psutil

import spoolrunner

PACKAGES = ("rq", "celery", "dramatiq", "huey", "redis")
DEBIAN = {"redis-server": "redis-server", "tsp": "task-spooler", "nq": "nq"}


class Mount(NamedTuple):
    """The file system that a folder is on."""

    point: str
    kind: str
    options: str


def describe(places: dict[str, str]) -> dict[str, str]:
    """What the reader must know of where the figures were taken; `places` are the folders where the files were."""
    return {
        "Processor": f"{os.cpu_count()} cores, {_processor()}",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{_distribution()}, kernel {platform.release()}",
        **{f"Files: {name}": file_system(folder) for name, folder in places.items()},
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Versions": versions(),
        "Date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Load before": f"{os.getloadavg()[0]:.1f} (a minute's average)",
    }


def versions() -> str:
    """The versions of all subjects that are installed."""
    found = [f"spoolrunner {spoolrunner.__version__}{_commit()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    for program, package in DEBIAN.items():
        if shutil.which(program):
            found.append(f"{package} {_say('dpkg-query', '-W', '-f', '${Version}', package) or 'of unknown version'}")
    return ", ".join(found)


def _commit() -> str:
    here = os.path.dirname(os.path.abspath(__file__))
    commit = _say("git", "-C", here, "rev-parse", "--short", "HEAD")
    return f" (commit {commit})" if commit else ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as stream:
            found = re.search(r"^model name\s*: (.*)$", stream.read(), re.MULTILINE)
    except FileNotFoundError:
        found = None
    return found[1] if found else platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def file_system(folder: str) -> str:
    """The file system of a folder in words: its kind, whether it has a journal, how it is mounted, and from what."""
    mount, device = mount_of(folder), _device(folder)
    if mount.kind.startswith("ext"):
        journal = "with a journal" if has_journal(folder) else "WITHOUT a journal"
        words = f"{mount.kind} {journal}, {mount.options}"
    else:
        words = f"{mount.kind}, {mount.options}"
    return f"{words}; a file in {_under(device)}, mounted by loop" if device.startswith("loop") else words


def mount_of(folder: str) -> Mount:
    """The mount that shows in this folder: of those whose path it begins with the longest, and of these the last."""
    path = os.path.realpath(folder) + "/"
    found = Mount("", "unknown", "")
    with open("/proc/self/mountinfo") as stream:
        for line in stream:
            left, _, right = line.partition(" - ")
            point, options = left.split()[4:6]
            if path.startswith(point.rstrip("/") + "/") and len(point) >= len(found.point):
                found = Mount(point, right.split()[0], options)
    return found


def has_journal(folder: str) -> bool:
    """Whether the ext4 of this folder has a journal: each that is in use has an entry DEVICE-INODE in /proc/fs/jbd2."""
    try:
        journals = os.listdir("/proc/fs/jbd2")
    except FileNotFoundError:
        return False
    return _device(folder) in {name.rpartition("-")[0] for name in journals}


def _device(folder: str) -> str:
    """The kernel's name of the block device of this folder; empty for a file system that has none."""
    number = os.stat(folder).st_dev
    link = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
    return os.path.basename(os.path.realpath(link)) if os.path.exists(link) else ""


def _under(device: str) -> str:
    """The file system that the file of this loop device is in."""
    try:
        with open(f"/sys/block/{device}/loop/backing_file") as stream:
            folder = os.path.dirname(stream.read().strip())
        mount = mount_of(folder)
        journal = " without a journal" if mount.kind.startswith("ext") and not has_journal(folder) else ""
    except OSError:
        return "a file system unknown"
    return f"{mount.kind}{journal}"


def _say(*words: str) -> str:
    """What a program prints; empty when it cannot be had."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
