"""The dispatcher's own life: one serves at a time, and it outlives what machines and people do to it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from spoolrunner.spool import dispatcher_lock
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system.clock import format_time
from tests.daemon.harness import COMMAND, until
from tests.daemon.surroundings import (
    WallClock,
    kernel_limit,
    mounted,
    needs_root,
    unmount,
    with_open_files,
    without_file_events,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and limits of Linux")
STANDBYS = 3
HOUR, DAY = 3600, 86_400


def catches_sigterm(daemon) -> bool:
    """Whether it has come as far as its signal handlers, which is just before it tries for the spool."""
    with open(f"/proc/{daemon.process.pid}/status") as stream:
        caught = next(line.split()[1] for line in stream if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def holder(home) -> int | None:
    """The pid of the dispatcher that serves the spool, by its own word."""
    return dispatcher_lock.holder(str(home.spool / "dispatcher.lock")).get("pid")


def starts_in_log(home) -> int:
    """How many dispatchers have begun to serve the spool."""
    return (home.spool / "logs" / "background_jobs.log").read_text().count("started, version ")


def remove_spool(home) -> None:
    """Remove the spool, though a dispatcher is about to write into it."""
    home.spool.rename(home.folder / "gone")
    shutil.rmtree(home.folder / "gone")


def make_spool(home) -> None:
    """The folders of the spool, as `spoolrunner init` makes them."""
    Spool(Layout(str(home.spool))).make()


def test_standbys_take_over_one_at_a_time_and_within_a_second(home, tally):
    """Each time the dispatcher is killed exactly one of those that stand by takes over, most times within a second."""
    serving, standbys = home.start().ready(), [home.start("--standby") for _ in range(STANDBYS)]
    until(lambda: all(catches_sigterm(daemon) for daemon in standbys))
    waits = []
    for number in range(1, STANDBYS + 1):
        by_pid = {daemon.process.pid: daemon for daemon in standbys}
        began = time.monotonic()
        serving.kill()
        until(lambda by_pid=by_pid: holder(home) in by_pid)
        serving = by_pid[holder(home)].ready()
        waits.append(time.monotonic() - began)
        standbys.remove(serving)
        home.drop(f"job-{number}", method="noop")
        serving.expect("completed", f"id=job-{number} ")
        tally.add("takeovers", 1, double=starts_in_log(home) - 1 - number)
        assert starts_in_log(home) == 1 + number
    assert sorted(waits)[STANDBYS // 2] < 1.0, waits


def test_a_dispatcher_that_stands_still_keeps_its_spool(home):
    """A dispatcher that was stopped (SIGSTOP) is not dead: nobody serves its spool meanwhile, and it goes on."""
    daemon = home.start().ready()
    daemon.freeze()
    try:
        home.drop("one", method="noop")
        home.cli("run", "--drain", code=75)
        assert home.where("one") == ["pending"]
    finally:
        daemon.signal(signal.SIGCONT)
    daemon.expect("completed", "id=one ")


@needs_root
def test_dropped_events_cost_no_job(home, tally):
    """With a kernel queue of 16 events, which overflows, each of 60 jobs runs once, and a request to pause is seen."""
    with kernel_limit("fs/inotify/max_queued_events", 16):
        daemon = home.start().ready()
    ids = [f"job-{number:02}" for number in range(60)]
    daemon.freeze()
    for job_id in ids:
        home.drop(job_id, method="noop")
    (home.spool / "control" / "pause").touch()
    daemon.signal(signal.SIGCONT)
    log = home.spool / "logs" / "background_jobs.log"
    until(lambda: {"paused", "dropped"} <= set(re.findall("paused|dropped", log.read_text("utf-8"))))  # in either order
    (home.spool / "control" / "pause").unlink()
    until(lambda: len(os.listdir(home.spool / "done")) == len(ids))
    tally.add("dropped events", len(ids))
    assert home.notes() == ["noop"] * len(ids)


def test_without_file_events_jobs_and_requests_are_found(home):
    """When no inotify instance is to be had this is said, and new jobs and requests are found by looking."""
    daemon = home.start(prefix=without_file_events())
    daemon.expect("trouble", "no file events here")
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    (home.spool / "control" / "stop").touch()
    assert daemon.wait() == 0


@pytest.mark.long
def test_a_spool_that_was_removed_is_waited_for(home):
    """When the spool is removed the dispatcher says so and waits; when it is made again it serves it, as the only one."""
    daemon = home.start().ready()
    home.drop("before", method="noop")
    daemon.expect("completed", "id=before ")
    remove_spool(home)
    daemon.expect("trouble", "claiming nothing")
    make_spool(home)
    daemon.expect("going on")
    home.drop("after", method="noop")
    daemon.expect("completed", "id=after ")
    home.cli("run", "--drain", code=75)
    assert daemon.stop() == 0
    assert "id=after " in (home.spool / "logs" / "background_jobs.log").read_text()


def test_a_dispatcher_whose_spool_is_gone_can_be_stopped(home):
    """A dispatcher ends in an orderly way when it is told to, though its spool was removed."""
    daemon = home.start().ready()
    remove_spool(home)
    daemon.expect("trouble", "claiming nothing")
    assert daemon.stop() == 0
    assert not home.spool.exists()


def test_a_dispatcher_whose_spool_was_replaced_gives_way(home, tally):
    """A dispatcher that slept while its spool was made anew and taken by another serves it not a moment beside that one."""
    first = home.start().ready()
    first.freeze()
    remove_spool(home)
    make_spool(home)
    second = home.start().ready()
    second.freeze()
    try:
        home.drop("one", method="noop")
        first.signal(signal.SIGCONT)
        assert first.wait() == 75
        assert home.where("one") == ["pending"]
        assert holder(home) == second.process.pid
    finally:
        second.signal(signal.SIGCONT)
    second.expect("completed", "id=one ")
    tally.add("takeovers", 1, double=home.notes().count("noop") - 1)
    assert home.notes() == ["noop"]


@pytest.mark.long
@needs_root
def test_a_spool_that_was_unmounted_is_waited_for(home):
    """When the spool is unmounted nothing is made in its place; mounted again it is served, and the running job is recorded."""
    store = home.folder / "store"
    home.spool.rename(store)
    home.spool.mkdir()
    with mounted("--bind", store, at=home.spool):
        daemon = home.start().ready()
        home.drop("one", method="wait_for", params=["go"])
        until(lambda: "begin waited" in home.notes())
        unmount(home.spool)
        daemon.expect("trouble", "claiming nothing")
        (home.folder / "go").touch()
        until(lambda: "end waited" in home.notes())
        assert os.listdir(home.spool) == []
        with mounted("--bind", store, at=home.spool):
            daemon.expect("going on")
            home.drop("two", method="noop")
            daemon.expect("completed", "id=two ")
            until(lambda: home.where("one") == ["done"])
            assert home.outcomes("done", "one") == ["succeeded"]
            assert daemon.stop() == 0


@needs_root
def test_logs_on_a_read_only_mount_stop_nothing(home):
    """With a log folder that cannot be written jobs run on and the trouble is said; when it can be, the log goes on."""
    logs = home.spool / "logs"
    with mounted("--bind", logs, at=logs), mounted("-o", "remount,bind,ro", at=logs):
        daemon = home.start()
        daemon.expect("cannot be written")
        home.drop("one", method="echo", params=[1])
        until(lambda: home.where("one") == ["done"])
        assert "cannot be written" in home.cli("status")
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    assert "id=two " in (logs / "background_jobs.log").read_text()


@pytest.mark.parametrize("executor", ["fork", pytest.param("spawn", marks=pytest.mark.long)])
def test_sixty_four_open_files_are_enough(make, tally, executor):
    """With 64 open files each of a hundred jobs is run and counted, though more of them were allowed at a time than that."""
    home = make(concurrency=80, executor=executor)
    daemon = home.start(prefix=with_open_files(64)).ready()
    ids = [f"job-{number:03}" for number in range(100 if executor == "fork" else 20)]
    for job_id in ids:
        home.drop(job_id, method="wait_for", params=["go", job_id])
    until(lambda: len(home.notes()) >= len(ids) // 2)
    (home.folder / "go").touch()
    until(lambda: len(os.listdir(home.spool / "done")) == len(ids))
    begun = Counter(note.removeprefix("begin ") for note in home.notes() if note.startswith("begin "))
    counted = {job_id: len(home.outcomes("done", job_id)) for job_id in ids}
    tally.add("64 open files", len(ids), beyond=sum(begun[job_id] > counted[job_id] for job_id in ids))
    assert begun == counted == dict.fromkeys(ids, 1)
    assert daemon.stop() == 0


def test_a_clock_that_is_set_neither_loses_nor_hastens_jobs(home, tally):
    """While the clock jumps by an hour and a day, both ways, a running job runs on, new ones run, a delayed one once."""
    clock = WallClock(home.folder)
    daemon = home.start(prefix=clock.prefix).ready()
    home.drop("long", method="wait_for", params=["go", "long"], timeout="10m")
    until(lambda: "begin long" in home.notes())
    home.drop("later", method="echo", params=[1], next_run_at=format_time(time.time() + DAY / 2))
    for number, ahead in enumerate([HOUR, -HOUR, 0, DAY, -DAY, 0]):
        clock.set_ahead(ahead)
        home.drop(f"job-{number}", method="noop")
        daemon.expect("completed", f"id=job-{number} ")
        tally.add("clock jumps", 1)
        if ahead < DAY and number < 3:
            assert home.where("later") == ["pending"]
        elif ahead == DAY:
            until(lambda: home.where("later") == ["done"])
    (home.folder / "go").touch()
    daemon.expect("completed", "id=long ")
    assert home.outcomes("done", "later") == home.outcomes("done", "long") == ["succeeded"]
    assert Counter(home.notes()) == {"begin long": 1, "end long": 1, "noop": 6}


@pytest.mark.long
def test_an_adopted_job_is_not_ended_by_a_clock_that_was_set(home):
    """A job whose dispatcher died before the clock was set forward a day is adopted, and keeps the rest of its timeout."""
    clock = WallClock(home.folder)
    first = home.start(prefix=clock.prefix).ready()
    home.drop("one", method="wait_for", params=["go"], timeout="10m", max_retries=0)
    until(lambda: "begin waited" in home.notes())
    first.kill()
    clock.set_ahead(DAY)
    second = home.start(prefix=clock.prefix).ready()
    second.expect("adopted", "id=one ")
    home.drop("mark", method="noop")
    second.expect("completed", "id=mark ")
    (home.folder / "go").touch()
    second.expect("completed", "id=one ")
    assert home.outcomes("done", "one") == ["succeeded"]


def test_no_dispatcher_makes_a_spool(make):
    """Where no spool was, or its disk is not mounted, a dispatcher ends with the way out; `init` makes it."""
    home = make()
    shutil.rmtree(home.spool)
    home.spool.mkdir()
    for words in (["run", "--drain"], ["enqueue", "jobs", "noop"]):
        done = subprocess.run([*COMMAND, *words], cwd=home.folder, capture_output=True, text=True, check=False)
        assert (done.returncode, "is its disk mounted? `spoolrunner init`" in done.stderr) == (2, True)
        assert os.listdir(home.spool) == []
    home.cli("init")
    home.cli("enqueue", "jobs", "noop", "--id", "x")
    home.cli("run", "--drain")
    shutil.rmtree(home.spool / "control")
    home.cli("run", "--drain")
    assert (home.spool / "control").is_dir(), "dispatcher.lock shows that it is our spool"
    assert home.where("x") == ["done"]
