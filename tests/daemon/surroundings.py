"""Surroundings that a machine may have for a dispatcher: mounts, limits of the kernel, a clock that is set."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

IS_ROOT = sys.platform == "linux" and os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="mounts and limits of the kernel need root on Linux")


@contextlib.contextmanager
def mounted(*arguments: str | Path, at: Path) -> Iterator[None]:
    """A mount for the time of the block, made with those arguments of mount(8); a test that cannot have it is skipped."""
    tried = subprocess.run(["mount", *map(str, arguments), str(at)], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"mounting is not possible here: {tried.stderr.strip()}")
    try:
        yield
    finally:
        unmount(at)


def unmount(path: Path) -> None:
    """Take a mount away though files in it are open; nothing when it is gone."""
    if os.path.ismount(path) or str(path) in Path("/proc/self/mounts").read_text():
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def kernel_limit(name: str, value: int) -> Iterator[None]:
    """A limit of /proc/sys for the time of the block. It holds for the whole machine, so one test at a time may change one."""
    import fcntl  # this module is imported, and its tests are skipped, on Windows too

    path = Path("/proc/sys") / name
    with open(Path(tempfile.gettempdir()) / "spoolrunner-tests-kernel-limits", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        before = path.read_text()
        try:
            path.write_text(str(value))
        except OSError as error:
            pytest.skip(f"{path} cannot be changed here: {error}")
        try:
            yield
        finally:
            path.write_text(before)


def without_file_events() -> list[str]:
    """A command prefix: in a user namespace of its own a program is given no inotify instance."""
    prefix = ["unshare", "--user", "--map-root-user"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no user namespace to be had")
    return [*prefix, "sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh"]


def with_open_files(count: int) -> list[str]:
    """A command prefix: a program and what it starts may have so many files open."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed (package util-linux)")
    return ["prlimit", f"--nofile={count}"]


SET_CLOCK = """
import time
true_time = time.time
def time_as_it_was_set():
    with open({path!r}) as stream:
        return true_time() + float(stream.read())
time.time = time_as_it_was_set
"""


class WallClock:
    """A wall clock that can be set while Python programs run by it; intervals and the times of files stay true."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set_ahead(0)
        patch = folder / "clock-patch"
        patch.mkdir()
        (patch / "sitecustomize.py").write_text(SET_CLOCK.format(path=str(self._file)))
        others = os.environ.get("PYTHONPATH")
        self.prefix = ["env", f"PYTHONPATH={os.pathsep.join(filter(None, [str(patch), others]))}"]

    def set_ahead(self, seconds: int) -> None:
        """From now on it is so many seconds ahead of the true time."""
        new = self._file.with_name("clock.new")
        new.write_text(str(seconds))
        new.replace(self._file)
