"""A spool whose files are copied, or whose file system is mounted again, with real dispatchers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spoolrunner.spool import dispatcher_lock, traces
from tests.crash import power_disk
from tests.daemon.harness import COMMAND, Installation, is_alive, until
from tests.daemon.surroundings import mounted, needs_root, unmount

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and archives of POSIX")


def copy_tree(source: Path, target: Path) -> None:
    """As `cp -a`: names, bytes, and times to the nanosecond."""
    shutil.copytree(source, target)


def tar(source: Path, target: Path) -> None:
    """As tar: times to the second."""
    target.mkdir()
    packed = subprocess.run(
        ["tar", "--format=ustar", "-C", str(source), "-cf", "-", "."], capture_output=True, check=True
    )
    subprocess.run(["tar", "-C", str(target), "-xf", "-"], input=packed.stdout, check=True)


def rsync(source: Path, target: Path) -> None:
    """As `rsync -a`."""
    subprocess.run(["rsync", "-a", f"{source}/", f"{target}/"], check=True)


@pytest.mark.parametrize("copy", [copy_tree, tar, rsync], ids=lambda copy: copy.__name__)
def test_a_start_is_counted_in_a_copy(make, tmp_path, copy):
    """A job that died with everybody before the spool was copied has its start counted in the copy, where inodes are others."""
    if copy is not copy_tree and shutil.which(copy.__name__) is None:
        pytest.skip(f"not installed: {copy.__name__}")
    home = make(max_retries=1)
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    daemon.kill()
    marker = traces.peek(str(home.spool / "locks" / "one.lock")).marker
    assert marker is not None
    os.kill(marker.pid, signal.SIGKILL)
    until(lambda: not is_alive(marker.pid))
    there = tmp_path / "there"
    there.mkdir()
    other = Installation(there, max_retries=1, retry_interval=0)
    shutil.rmtree(other.spool)
    copy(home.spool, other.spool)
    (there / "go").touch()
    other.cli("run", "--drain")
    assert other.outcomes("done", "one") == ["crashed", "succeeded"]
    assert home.where("one") == ["running"]


@needs_root
def test_a_file_system_that_is_mounted_again_is_taken_anew(make, tmp_path):
    """A dispatcher outlives the failure of its file system: mounted again that is locked anew, served, and held."""
    reason = power_disk.obstacle()
    if reason:
        pytest.skip(reason)
    home = make()
    image = tmp_path / "image"
    with open(image, "wb") as stream:
        stream.truncate(power_disk.KINDS["ext4"].size)
    subprocess.run([*power_disk.KINDS["ext4"].make, str(image)], check=True)
    shutil.rmtree(home.spool)
    home.spool.mkdir()
    with mounted("-o", "loop", image, at=home.spool):
        home.cli("init")
        daemon = home.start().ready()
        home.drop("one", method="noop")
        daemon.expect("completed", "id=one ")
        before = dispatcher_lock.holder(str(home.spool / "dispatcher.lock"))
        subprocess.run(["xfs_io", "-x", "-c", "shutdown", str(home.spool)], check=True)
        daemon.expect("trouble", "claiming nothing")
        unmount(home.spool)
        # The dispatcher has files of the dead one open, and so its device: as a lost disk does, it comes back as another.
        again = shutil.copyfile(image, tmp_path / "again")
        with mounted("-o", "loop", again, at=home.spool):
            daemon.expect("going on")
            home.drop("two", method="noop")
            daemon.expect("completed", "id=two ")
            after = dispatcher_lock.holder(str(home.spool / "dispatcher.lock"))
            assert after["mount"] != before["mount"]
            assert subprocess.run([*COMMAND, "run"], cwd=home.folder, capture_output=True, check=False).returncode == 75
            assert daemon.stop() == 0
