"""A real dispatcher on ground that moves: files that refuse everything, folders that go, mounts that come."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.daemon.harness import until
from tests.daemon.surroundings import mounted, needs_root, unmount

posix = pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file in it stays")
FOLDERS = ["pending", "running", "done", "failed", "tmp", "locks", "control", "logs/jobs"]


@needs_root
@pytest.mark.parametrize("kind", ["a mount", "an immutable file", "a folder with a mount"])
def test_a_file_that_refuses_everything(home, kind) -> None:
    """What can be neither claimed nor moved is named in the status, jobs run beside it, and it goes when it can."""
    bad = home.spool / "pending" / "bad.json"
    if kind == "a folder with a mount":
        bad.mkdir()
    else:
        home.drop("bad", method="noop")
    if kind == "an immutable file":
        if subprocess.run(["chattr", "+i", bad], capture_output=True, check=False).returncode:
            pytest.skip("no immutable files here")
    else:
        subprocess.run(["mount", "--bind", bad, bad], check=True)
    try:
        daemon = home.start().ready()
        daemon.expect("trouble", "id=bad ", "put off")
        for number in range(5):
            home.drop(f"good{number}", method="noop")
            daemon.expect("completed", f"id=good{number} ")
        until(lambda: "bad: " in home.cli("status"))
    finally:
        subprocess.run(["chattr", "-i", bad], check=False, capture_output=True)
        unmount(bad)
    daemon.expect("refused" if kind == "a folder with a mount" else "completed", "id=bad ")
    assert not any("claiming nothing" in line for line in daemon.lines)
    assert daemon.stop() == 0


@posix
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_is_removed(home, folder) -> None:
    """It is named and made again, and jobs go where they belong, without a restart."""
    daemon = home.start().ready()
    home.drop("before", method="noop")
    daemon.expect("completed", "id=before ")
    shutil.rmtree(home.spool / folder)
    if folder in ("pending", "tmp", "control"):  # by which jobs come, or requests
        until((home.spool / folder).is_dir)
    home.drop("after", method="noop")
    daemon.expect("completed", "id=after ")
    assert home.where("after") == ["done"]
    if not any(f"{folder}: the folder was removed" in line for line in daemon.lines):
        daemon.expect(f"{folder}: the folder was removed")
    assert daemon.stop() == 0


@posix
@pytest.mark.parametrize("folder", ["done", "failed", "tmp", "control", "logs/jobs"])
def test_a_folder_that_is_removed_while_a_job_runs(home, folder) -> None:
    """The job that ends then goes where it belongs: it is neither lost nor run again."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["gate"])
    daemon.expect("started", "id=one ")
    until(lambda: home.notes() == ["begin waited"])
    shutil.rmtree(home.spool / folder)
    (home.folder / "gate").touch()
    daemon.expect("completed", "id=one ")
    assert (home.where("one"), home.outcomes("done", "one")) == (["done"], ["succeeded"])
    assert daemon.stop() == 0


@posix
@pytest.mark.parametrize("put_in_its_place", [False, True])
def test_a_spool_that_is_moved_while_a_job_runs(home, put_in_its_place) -> None:
    """Its record waits, as for a full disk, until the spool is back; another one that lies there meanwhile gets nothing."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["gate"])
    daemon.expect("started", "id=one ")
    until(lambda: home.notes() == ["begin waited"])
    aside = home.folder / "aside"
    home.spool.rename(aside)
    if put_in_its_place:
        for folder in ("", *FOLDERS):
            (home.spool / folder).mkdir(parents=True, exist_ok=True)
    (home.folder / "gate").touch()
    daemon.expect("trouble", "claiming nothing")
    until(lambda: b'"outcome"' in (aside / "locks" / "one.lock").read_bytes())
    if put_in_its_place:
        assert not any(files for _, _, files in os.walk(home.spool / "done"))
        shutil.rmtree(home.spool)
    aside.rename(home.spool)
    daemon.expect("completed", "id=one ")
    assert (home.where("one"), home.outcomes("done", "one")) == (["done"], ["succeeded"])
    assert daemon.stop() == 0


@needs_root
@pytest.mark.parametrize("folder", ["running", "done", "tmp"])
def test_a_folder_that_is_covered_while_a_job_runs(home, folder) -> None:
    """A mount over one folder gets no record; when it is taken away all goes on."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["gate"])
    daemon.expect("started", "id=one ")
    until(lambda: home.notes() == ["begin waited"])
    with mounted("-t", "tmpfs", "tmpfs", at=home.spool / folder):
        (home.folder / "gate").touch()
        daemon.expect("trouble", "claiming nothing")
        assert os.listdir(home.spool / folder) == []
    daemon.expect("completed", "id=one ")
    assert (home.where("one"), home.outcomes("done", "one")) == (["done"], ["succeeded"])
    assert daemon.stop() == 0


@needs_root
@pytest.mark.parametrize("folder", ["pending", "running", "done", "failed"])
def test_a_folder_on_a_mount_of_its_own(home, folder) -> None:
    """Two mounts of one device have one number, and a rename between them fails: it is tried, by check and at the start."""
    home.drop("one", method="noop")
    with mounted("--bind", home.spool / folder, at=home.spool / folder):
        assert (
            f"{folder}: lies on another"
            in subprocess.run(
                [sys.executable, "-m", "spoolrunner", "check"],
                cwd=home.folder,
                capture_output=True,
                text=True,
                check=False,
            ).stderr
        )
        daemon = home.start()
        daemon.expect(f"{folder}: lies on another")
        assert daemon.wait() != 0
    assert home.where("one") == ["pending"]
