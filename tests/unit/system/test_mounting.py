"""The name of one mounting of a file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from spoolrunner.system import mounting
from spoolrunner.system.machine import Machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux names its mounts")
MOUNT_TWICE = """
import subprocess, sys
from spoolrunner.system import mounting
kind, folder, *options = sys.argv[1:]
for _ in range(2):
    subprocess.run(["mount", *options, folder], check=True)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["umount", folder], check=True)
    print(mounting.name_of_mounting(folder))
    subprocess.run(["umount", folder], check=True)
"""
MADE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}


@linux
def test_the_name_is_the_same_while_it_is_mounted(tmp_path) -> None:
    """Every path of a file system has the same name, each time it is asked for."""
    name = mounting.name_of_mounting(str(tmp_path))
    (tmp_path / "in").mkdir()
    assert name
    assert mounting.name_of_mounting(str(tmp_path / "in")) == name == Machine().mounting(str(tmp_path))


def test_what_cannot_be_known(tmp_path) -> None:
    """A path that is not there, or a system that names no mounts, has no name, and nobody trusts that."""
    assert not mounting.name_of_mounting(str(tmp_path / "missing"))


@linux
def test_without_the_kernels_objects(tmp_path, monkeypatch) -> None:
    """Where /sys shows nothing of the file system, as of one in memory, the unique number of the mount is taken, if any."""
    monkeypatch.setattr(mounting, "_by_kernel_object", lambda path: "")
    name = mounting.name_of_mounting(str(tmp_path))
    assert name == mounting.name_of_mounting(str(tmp_path))
    assert not name or name.startswith("mount-")


@linux
@pytest.mark.parametrize("kind", ["tmpfs", *MADE])
def test_another_mounting_has_another_name(kind, tmp_path) -> None:
    """The same disk, unmounted and mounted again at the same place, has another name; a bind mount of it has the same kind."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounts need root")
    folder = tmp_path / "mounted"
    folder.mkdir()
    options = ("-t", "tmpfs", "none")
    if kind in MADE:
        if shutil.which(MADE[kind][0]) is None:
            pytest.skip(f"not installed: {MADE[kind][0]}")
        image = tmp_path / "image"
        with open(image, "wb") as stream:
            stream.truncate(320 << 20)
        subprocess.run([*MADE[kind], image], check=True, capture_output=True)
        options = ("-o", "loop", str(image))
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", MOUNT_TWICE, kind, str(folder), *options],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    if done.returncode and "loop" in done.stderr:
        pytest.skip(f"no loop device to be had: {done.stderr.strip()}")
    names = done.stdout.splitlines()
    assert len(set(names)) == 2, done
    if kind in MADE:
        assert all(name.startswith(f"{kind}-") for name in names)
