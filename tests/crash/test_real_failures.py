"""Real processes of which a call fails: by strace at the n-th call, and on a real disk that is full or may not be written."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from spoolrunner.spool.paths import Layout
from tests.crash.failing import EVERY_FAILING_CALL
from tests.crash.findings import Findings
from tests.crash.site import Site, renew
from tests.daemon.harness import Installation, until
from tests.tally import Tally

CALLS = ("openat", "read", "write", "fsync", "rename", "renameat2", "unlink", "flock", "getdents64", "newfstatat")
ERRORS = ("ENOSPC", "EIO", "EMFILE", "EACCES", "EROFS", "EINTR")
SILENT = ("logs/jobs/", "flock(", "/control/cancel-", "newfstatat(", '/spool", O_RDONLY|O_CLOEXEC)')
"""Calls whose failure has another answer than to be said: see `failing.may_be_silent`.

The spool itself is opened to learn on which mounting it lies: where that is not known, no marker is believed.

By newfstatat the standard library and others only ask (os.makedirs, realpath, open); that ours are said, the simulated
world shows.
"""
TO_SYNC_A_FOLDER = "O_RDONLY|O_CLOEXEC|O_DIRECTORY"
"""The flags by which it is opened; whoever lists one opens it by others."""
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: no call fails")
needs_mount = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting needs root on Linux")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An installation with one job that waits."""
    folder = str(tmp_path)
    return renew(Site(folder, Layout(f"{folder}/spool"), f"{folder}/starts", f"{folder}/exits"))


def calls_on_the_spool(log: str, root: str) -> list[tuple[str, int]]:
    """Each call of a trace that has to do with the spool, as (name, which of its name)."""
    counts: dict[str, int] = {}
    found = []
    with open(log, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            name = line.split("(", 1)[0]
            counts[name] = counts.get(name, 0) + 1
            if root in line and name in CALLS:
                found.append((name, counts[name]))
    return found


def injected(log: str) -> str:
    """The call that failed, as the trace tells it; empty if none did."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        return next((line for line in stream if "(INJECTED)" in line), "")


def logged(site: Site) -> str:
    """All that the dispatcher and the job wrote to their logs."""
    found = ""
    for path in (f"{site.layout.logs}/background_jobs.log", site.layout.log("a")):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                found += stream.read()
    return found


def fail_dispatcher(site: Site, call: str, at: int, error: str) -> bool:
    """Fail one call of a dispatcher's main thread: the job is run once, and it is said unless it may be silent.

    Returns whether there were as many such calls: how often it is woken, and reads of that, is a matter of time.
    """
    renew(site)
    log = os.path.join(site.folder, "trace")
    status, printed = site.command("run", "--drain", prefix=site.strace(log, f"{call}:error={error}:when={at}", CALLS))
    hit = injected(log)
    if not hit:
        return False
    said = printed + logged(site)
    if status != 0:
        assert printed.strip(), f"it ended with {status} and said nothing; {hit}"
    site.drain()
    site.judge(killed=0)
    may_be_silent = error == "EINTR" or any(part in hit for part in SILENT) or site.layout.root not in hit
    # The file may be one that its writer has not opened to us yet; for a folder that is to be synced, all disks are.
    if error == "EACCES" and ("/pending/" in hit or TO_SYNC_A_FOLDER in hit):
        may_be_silent = True
    assert may_be_silent or os.strerror(getattr(errno, error)) in said, f"nobody said it: {hit}{said}"
    return True


def fail_runner(site: Site, call: str, at: int, error: str) -> None:
    """Fail one call of a job's process: the job is run once."""
    renew(site)
    log = os.path.join(site.folder, "trace")
    site.wrap_first_python([*site.strace(log, f"{call}:error={error}:when={at}", CALLS), sys.executable])
    site.drain()
    assert injected(log), f"{call} {at} was not reached"
    site.drain()
    site.judge(killed=0)


@needs_strace
def test_a_real_dispatcher_gets_over_a_lock_that_fails(site: Site) -> None:
    """A dispatcher to whom the lock of a job is refused once says so, goes on, and runs the job once."""
    assert fail_dispatcher(site, "flock", 1, "EIO")


@needs_strace
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_real_dispatcher_gets_over_any_call_that_fails(site: Site, tally: Tally) -> None:
    """Whichever call on the spool fails once in a dispatcher's main thread, the job is run exactly once, and it is said."""
    log = os.path.join(site.folder, "trace")
    site.drain(site.strace(log, None, CALLS))
    points = calls_on_the_spool(log, site.layout.root)
    assert len(points) > 40
    findings, missed = Findings(), 0
    for turn, (call, at) in enumerate(points):
        error = ERRORS[turn % len(ERRORS)]
        with findings.trial(f"{error} at {call} {at}"):
            missed += not fail_dispatcher(site, call, at, error)
    findings.tell(tally, EVERY_FAILING_CALL)
    assert missed < len(points) // 20


@needs_strace
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_real_job_gets_over_any_call_that_fails(site: Site, tally: Tally) -> None:
    """Whichever call on the spool fails once in a job's process, the job is run exactly once."""
    log = os.path.join(site.folder, "trace")
    site.wrap_first_python([*site.strace(log, None, CALLS), sys.executable])
    site.drain()
    points = calls_on_the_spool(log, site.layout.root)
    assert len(points) > 10
    findings = Findings()
    for turn, (call, at) in enumerate(points):
        error = ERRORS[turn % len(ERRORS)]
        with findings.trial(f"{error} at {call} {at}"):
            fail_runner(site, call, at, error)
    findings.tell(tally, EVERY_FAILING_CALL)


def mount(*words: str) -> None:
    """`mount` with these words, or skip where that is not possible."""
    done = subprocess.run(["mount", *words], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"mounting is not possible here: {done.stderr.decode()}")


@pytest.fixture
def tiny(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 64 kB (and as many inodes as the parameter says), mounted where the spool will be."""
    folder = tmp_path / "spool"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size=64k,mode=700,nr_inodes={request.param}", "spool-test", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose dispatchers end with the test."""
    made = Installation(tmp_path)
    yield made
    made.close()


def until_full(take: Callable[[], object]) -> None:
    """Take more and more until the disk is full."""
    try:
        while True:
            take()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def fill(folder: Path) -> list[Path]:
    """Take every block and every inode; returns what is to be removed."""
    made = [folder / "tmp" / "filler"]

    def take_inode() -> None:
        path = folder / "tmp" / f"inode-{len(made)}"
        path.touch()
        made.append(path)

    with open(made[0], "wb", buffering=0) as stream:
        until_full(lambda: stream.write(b"x" * 4096))
    until_full(take_inode)
    return made


@needs_mount
@pytest.mark.parametrize("tiny", [200], indirect=True)
def test_a_disk_of_64_kb_that_is_full_is_told_of_and_got_over(tiny: Path, home: Installation) -> None:
    """On a full disk of 64 kB a dispatcher claims nothing and says why; with room again all jobs are run once, by itself."""
    daemon = home.start().ready()
    home.drop("before", method="noop")
    daemon.expect("completed", "id=before ")
    home.drop("one", method="noop", delay=1)
    home.drop("two", method="noop", delay=1)
    fillers = fill(tiny)
    daemon.expect("trouble", "No space left on device")
    assert [home.where(job_id) for job_id in ("one", "two")] == [["pending"], ["pending"]]
    for path in fillers:
        path.unlink()
    until(lambda: home.where("one") == home.where("two") == ["done"])
    until(lambda: told(home) == [] and home.outcomes("done", "one") == home.outcomes("done", "two") == ["succeeded"])
    assert daemon.stop() == 0


def told(home: Installation) -> list[str]:
    """The trouble that status.json tells of, but for that of every spool in memory."""
    trouble = orjson.loads((home.spool / "status.json").read_bytes())["trouble"]
    return [line for line in trouble if "the spool lies on tmpfs" not in line]


@needs_mount
def test_a_spool_that_becomes_read_only_is_told_of_and_got_over(tmp_path: Path, home: Installation) -> None:
    """While a spool may only be read, nothing is claimed, and a job at work keeps its outcome until it may be recorded."""
    daemon = home.start().ready()
    home.drop("working", method="wait_for", params=["go"])
    daemon.expect("started", "id=working ")
    until(home.notes)
    home.drop("later", method="noop", delay=1)
    spool = str(home.spool)
    mount("--bind", spool, spool)
    try:
        mount("-o", "remount,bind,ro", spool)
        (tmp_path / "go").touch()
        daemon.expect("trouble", "Read-only file system")
        assert home.where("later") == ["pending"]
        assert home.where("working") == ["running"]
    finally:
        subprocess.run(["umount", spool], check=True)
    until(lambda: home.where("working") == home.where("later") == ["done"])
    assert home.outcomes("done", "working") == home.outcomes("done", "later") == ["succeeded"]
    assert daemon.stop() == 0


@needs_mount
def test_a_dispatcher_does_not_begin_on_a_spool_that_may_only_be_read(home: Installation) -> None:
    """A dispatcher that is started on a read-only spool ends with exit status 1 and says why."""
    spool = str(home.spool)
    mount("--bind", spool, spool)
    try:
        mount("-o", "remount,bind,ro", spool)
        daemon = home.start()
        daemon.expect("Read-only file system")
        assert daemon.wait() == 1
    finally:
        subprocess.run(["umount", spool], check=True)
