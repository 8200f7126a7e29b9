"""Where the files of the subjects lie: in memory, and on an ext4 with a journal that is made for the run.

Why not wherever the temporary folder is: an ext4 without a journal, as small virtual machines have it, steps at each create
over the inodes that were freed in the last minutes. There a drain is as fast as what was deleted before it allows.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from typing import Self

from tests.benchmarks import machine, measure

TMPFS, IMAGE, FOLDER = "tmpfs", "image", "folder"
SHM = "/dev/shm"
IMAGE_BYTES = 8 << 30
"""Sparse: what is not written takes no space. A million small files take half of it."""
FORMAT = ("-q", "-F", "-O", "has_journal", "-i", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0")
"""An inode for each 4 KiB, and all of them made ready at once, not in the background while we measure."""


class Places:
    """Name -> folder of each place that could be had, and the reason for each that could not; gone on exit."""

    def __init__(self, home: str, wanted: list[str]) -> None:
        self.folders: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self._home = home
        self._wanted = wanted
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            for name in self._wanted:
                self._make(name)
            if IMAGE in self.missing and FOLDER not in self.folders:
                self._make(FOLDER)  # in its stead
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def main(self) -> str:
        """Where everything is measured that is measured on one place only: not in memory, if there is another."""
        return next((name for name in (IMAGE, FOLDER) if name in self.folders), TMPFS)

    def _make(self, name: str) -> None:
        try:
            self.folders[name] = MAKERS[name](self._stack, self._home)
        except (OSError, subprocess.SubprocessError) as error:
            self.missing[name] = str(error)


def _memory(stack: contextlib.ExitStack, _home: str) -> str:
    if machine.mount_of(SHM).kind != "tmpfs":
        raise OSError(f"{SHM} is not a tmpfs")
    return stack.enter_context(tempfile.TemporaryDirectory(prefix="spoolrunner-benchmarks-", dir=SHM))


def _image(stack: contextlib.ExitStack, home: str) -> str:
    image, there = os.path.join(home, "ext4.image"), os.path.join(home, "ext4")
    stack.callback(_remove, image)
    with open(image, "wb") as stream:
        stream.truncate(IMAGE_BYTES)
    _run("mkfs.ext4", *FORMAT, image)
    os.mkdir(there)
    stack.callback(_unmount, there)
    _run("mount", "-t", "ext4", "-o", "loop", image, there)
    if not machine.has_journal(there):
        raise OSError("it was mounted without a journal")
    return there


def _folder(_stack: contextlib.ExitStack, home: str) -> str:
    return home


MAKERS: dict[str, Callable[[contextlib.ExitStack, str], str]] = {TMPFS: _memory, IMAGE: _image, FOLDER: _folder}


def _run(*words: str) -> None:
    """Run a program to its end; OSError with what it said if it fails, or if it is not there."""
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise OSError(f"the program {words[0]} is missing") from None
    if ended.returncode:
        raise OSError(f"{words[0]} failed: {' '.join(ended.stderr.split())}")


def _unmount(there: str) -> None:
    """Unmount; after a while even though somebody still stands in it, so that it is gone with him."""
    for _ in range(20):
        if not os.path.ismount(there):
            return
        with contextlib.suppress(OSError):
            _run("umount", there)
            return
        measure.pause(0.1)
    _run("umount", "--lazy", there)


def _remove(image: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(image)
