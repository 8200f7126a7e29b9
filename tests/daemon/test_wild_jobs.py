"""Jobs that do their worst, all at once under one dispatcher: each is settled and counted, and good jobs beside them run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from tests.daemon.harness import Installation, is_alive, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals, limits and sessions of Linux")

ALLOWED = {
    "wild": {
        "forks_a_daemon": {"leftovers": "leave"}, "closes_all_descriptors": {}, "prints_without_end": {},
        "allocates_without_end": {}, "ignores_every_signal": {}, "stops_itself": {}, "removes_its_lock": {},
        "removes_folders": {}, "tame": {},
    }
}  # fmt: skip
MAX_LOG_BYTES = 50_000
TIMEOUT = 0.8
WILD = {
    "daemon": {"method": "forks_a_daemon"},
    "daemon-stays": {"method": "forks_a_daemon", "params": [True], "timeout": TIMEOUT},
    "closed": {"method": "closes_all_descriptors"},
    "printer": {"method": "prints_without_end", "timeout": 2 * TIMEOUT},
    "hoarder": {"method": "allocates_without_end"},
    "deaf": {"method": "ignores_every_signal", "timeout": TIMEOUT},
    "stopped": {"method": "stops_itself", "timeout": TIMEOUT},
    "lockless": {"method": "removes_its_lock"},
}
GOOD = [f"good-{number}" for number in range(10)]


def install(folder: Path, **changes) -> Installation:
    """An installation whose jobs are the wild ones."""
    settings = {"allowed_jobs": ALLOWED, "concurrency": 10, "max_retries": 0, "kill_grace": 0.3}
    home = Installation(folder, **settings, max_log_bytes=MAX_LOG_BYTES, **changes)
    shutil.copy(Path(__file__).with_name("wild_jobs.py"), folder / "wild.py")
    return home


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """All wild jobs, started together; good ones are dropped behind them."""
    home = install(tmp_path_factory.mktemp("zoo"))
    home.cli(
        "run", "--drain"
    )  # a dispatcher trusts in markers only when one served before it since the machine started
    home.start().ready()
    for job_id, document in WILD.items():
        home.drop(job_id, job="wild", **document)
    for job_id in GOOD:
        home.drop(job_id, job="wild", method="tame")
    yield home
    home.close()
    for path in home.folder.glob("*.pid"):
        pid = int(path.read_text())
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def cage(tmp_path):
    """An installation for a job that harms the others."""
    home = install(tmp_path)
    yield home
    home.close()


def ended(home, job_id, state):
    """The outcome of a job's only attempt, when it has come to its end there."""
    until(lambda: home.where(job_id) == [state])
    (outcome,) = home.outcomes(state, job_id)
    return outcome


def notes(home):
    return (home.folder / "wild.txt").read_text().split("\n")[:-1]


def test_good_jobs_run_beside_wild_ones(zoo):
    """While jobs do their worst, the good ones behind them are run."""
    for job_id in GOOD:
        assert ended(zoo, job_id, "done") == "succeeded"


def test_a_daemon_that_may_stay_is_left_alone(zoo):
    """A job that may leave a daemon behind is done when its own process ends, and the daemon lives on."""
    assert ended(zoo, "daemon", "done") == "succeeded"
    until((zoo.folder / "daemon.pid").exists)
    assert is_alive(int((zoo.folder / "daemon.pid").read_text()))


def test_a_daemon_of_a_job_that_is_ended_ends_with_it(zoo):
    """The daemon of a job that outlives its timeout is found and ended, though it left parent and session, and may stay."""
    assert ended(zoo, "daemon-stays", "failed") == "timed_out"
    assert not is_alive(int((zoo.folder / "daemon-stays.pid").read_text()))


def test_a_job_without_any_descriptor_is_recorded(zoo):
    """A job that closed all its descriptors, standard input and output too, is recorded with its result."""
    assert ended(zoo, "closed", "done") == "succeeded"
    assert zoo.document("done", "closed")["result"] == "closed"


def test_output_without_end_is_held_to_the_limit(zoo):
    """A job that prints without end is ended by its timeout, and its log is no longer than the limit and a note."""
    assert ended(zoo, "printer", "failed") == "timed_out"
    log = zoo.spool / "logs" / "jobs" / "printer.log"
    until(lambda: log.stat().st_size <= MAX_LOG_BYTES + 200 and b"cut here" in log.read_bytes()[-200:])


def test_a_job_that_runs_out_of_memory_is_counted(zoo):
    """A job that allocates until it gets no more is recorded as failed, or as crashed if even that was too much for it."""
    until(lambda: zoo.where("hoarder") == ["failed"])
    (attempt,) = zoo.document("failed", "hoarder")["attempts"]
    assert attempt["outcome"] in ("failed", "crashed")
    if attempt["outcome"] == "failed":
        assert attempt["error"]["type"] == "MemoryError"


def test_a_job_that_ignores_every_signal_is_killed(zoo):
    """A job that ignores all it may ignore is killed after kill_grace."""
    assert ended(zoo, "deaf", "failed") == "timed_out"
    assert zoo.document("failed", "deaf")["attempts"][0]["signal"] == signal.SIGKILL


def test_a_job_that_stops_itself_is_ended_by_its_timeout(zoo):
    """A job that stopped itself, and would wait for ever, is ended like any other that outlives its timeout."""
    assert ended(zoo, "stopped", "failed") == "timed_out"


def test_a_job_that_removes_its_lock_runs_once(zoo):
    """A job that removed its own lock file lies where its record says, and is not run again."""
    assert ended(zoo, "lockless", "done") == "succeeded"
    for job_id in GOOD:  # the dispatcher has had its time to do it wrong
        until(lambda job_id=job_id: zoo.where(job_id) == ["done"])
    assert Counter(notes(zoo))["begin lockless"] == 1


def test_a_job_that_removed_its_lock_is_adopted(cage):
    """A job that removed its own lock is not started a second time beside itself by the next dispatcher, and ends in done/."""
    first = cage.start().ready()
    cage.drop("one", job="wild", method="removes_its_lock", params=["go"])
    until(lambda: (cage.folder / "wild.txt").exists() and "begin one" in notes(cage))
    first.kill()
    second = cage.start().ready()
    cage.drop("mark", job="wild", method="tame")
    second.expect("completed", "id=mark ")
    (cage.folder / "go").touch()
    until(lambda: cage.where("one") == ["done"])
    assert notes(cage) == ["begin one", "end one"]


def test_a_job_that_removes_the_folders_stops_the_work_until_they_are_back(cage):
    """A job that removes folders of the spool is told of; when they are made again everything goes on, and it is recorded."""
    daemon = cage.start().ready()
    cage.drop("one", job="wild", method="removes_folders", params=["tmp", "locks", "control", "logs", "pending"])
    daemon.expect("trouble", "claiming nothing")
    until((cage.folder / "wild.txt").exists)
    Spool(Layout(str(cage.spool))).make()
    daemon.expect("going on")
    cage.drop("two", job="wild", method="tame")
    daemon.expect("completed", "id=two ")
    until(lambda: cage.where("one") == ["done"])
    assert notes(cage) == ["removed"]
    assert daemon.stop() == 0
