"""The machine's own troubles: a full disk, a read-only mount, a lock that outlives its process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.daemon.harness import is_alive, until

needs_mount = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting needs root on Linux")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB, mounted where the spool will be."""
    folder = tmp_path / "spool"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not possible here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(path):
    """Write until the disk is full."""
    with open(path, "ab", buffering=0) as stream:
        while True:
            try:
                stream.write(b"x" * 1024)
            except OSError:
                return


@needs_mount
def test_a_full_disk_stops_claiming_loses_nothing_and_is_got_over(small_disk, make):
    """While the disk is full no job is started or lost; when there is room again all run without anyone's help."""
    home = make()
    daemon = home.start().ready()
    home.drop("before", method="noop")
    daemon.expect("completed", "id=before ")
    jobs = ["one", "two", "three"]
    for job_id in jobs:
        home.drop(job_id, method="noop", delay=1)
    fill(small_disk / "filler")
    daemon.expect("trouble")
    assert all(len(home.where(job_id)) == 1 for job_id in jobs)
    (small_disk / "filler").unlink()
    until(lambda: all(home.where(job_id) == ["done"] for job_id in jobs))
    for job_id in jobs:
        assert home.outcomes("done", job_id)[-1] == "succeeded"


@pytest.mark.skipif(sys.platform != "linux", reason="a fork below Python")
def test_a_lock_that_outlives_its_process_is_freed_by_killing_what_holds_it(home):
    """A job forked in C leaves a child that holds the job's lock: the child is ended, and the job is done."""
    daemon = home.start().ready()
    home.drop("one", method="forks_in_c")
    daemon.expect("completed", "id=one ")
    (child,) = [int(note.split()[1]) for note in home.notes()]
    assert not is_alive(child)
    assert home.outcomes("done", "one") == ["succeeded"]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may write anywhere")
def test_logs_that_cannot_be_written_stop_nothing(home):
    """With a log folder that cannot be written jobs run on, and the trouble is said."""
    (home.spool / "logs").chmod(0o500)
    daemon = home.start()
    home.drop("one", method="noop")
    until(lambda: home.where("one") == ["done"])
    daemon.stop()
    assert any("cannot be written" in line for line in daemon.lines)


def test_a_job_that_removes_its_own_file_is_recorded_all_the_same(home):
    """A job that unlinks running/ID.json loses nothing by it: its record makes the file anew, and it lies in done/."""
    daemon = home.start().ready()
    home.drop("one", method="removes_itself")
    daemon.expect("completed", "id=one ")
    assert home.where("one") == ["done"]


def test_a_job_that_removes_its_own_file_and_dies_is_told_of(home):
    """A job whose file in running/ is gone, and whose process left no record, is a line of trouble, not an end."""
    daemon = home.start().ready()
    home.drop("one", method="removes_itself", params=[True])
    daemon.expect("trouble", "id=one ")
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
