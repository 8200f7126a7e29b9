"""The machine and the versions that the figures belong to."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata

import psutil

import spoolrunner

PACKAGES = ("rq", "celery", "dramatiq", "huey", "redis")
DEBIAN = {"redis-server": "redis-server", "tsp": "task-spooler", "nq": "nq"}


def describe(folder: str) -> dict[str, str]:
    """What the reader must know of where the figures were taken; `folder` is where the files were."""
    return {
        "Processor": f"{os.cpu_count()} cores, {_processor()}",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{_distribution()}, kernel {platform.release()}",
        "File system": _file_system(folder),
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


def _file_system(folder: str) -> str:
    path = os.path.realpath(folder) + "/"
    holding = [part for part in psutil.disk_partitions(all=True) if path.startswith(part.mountpoint.rstrip("/") + "/")]
    return max(holding, key=lambda part: len(part.mountpoint)).fstype if holding else "unknown"


def _say(*words: str) -> str:
    """What a program prints; empty when it cannot be had."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
