"""How attempts end from outside, by every executor: stops of all processes, kills, and what is left of their trees."""

from __future__ import annotations

import signal
import sys

import psutil
import pytest

from tests.daemon.harness import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions of POSIX")


@pytest.fixture(params=["fork", "spawn"])
def executor(request) -> str:
    if request.param == "fork" and sys.platform != "linux":
        pytest.skip("fork is for Linux")
    return request.param


def family(daemon) -> list[psutil.Process]:
    """The dispatcher and all of its processes, the deepest first: so a job's process gets a signal before the dispatcher."""
    dispatcher = psutil.Process(daemon.process.pid)
    return [*dispatcher.children(recursive=True)[::-1], dispatcher]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_to_all_processes_is_no_crash(make, executor, number):
    """As a service manager, a shutdown or a terminal sends it: the job was interrupted, and no retry is used."""
    home = make(executor=executor, max_retries=0, on_crash="fail")
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["never"])
    until(lambda: home.notes() == ["begin waited"])
    for process in family(daemon):
        process.send_signal(number)
    assert daemon.wait() == 0
    assert home.outcomes("pending", "one") == ["interrupted"]
    assert home.document("pending", "one")["retries"] == 0


def test_the_template_outlives_a_stop_of_all(make):
    """The template is not what ends first: it still tells how the jobs ended, and serves when no stop comes after all."""
    if sys.platform != "linux":
        pytest.skip("fork is for Linux")
    home = make(executor="fork", max_retries=0)
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["never"])
    until(lambda: home.notes() == ["begin waited"])
    for process in family(daemon)[:-1]:
        process.send_signal(signal.SIGTERM)
    daemon.expect("failed", "id=one ", "SIGTERM")
    assert home.document("failed", "one")["attempts"][0]["signal"] == signal.SIGTERM
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")


def test_a_handler_of_the_jobs_own(make, executor):
    """A job that exits by its own handler of SIGTERM when all are told to end was interrupted."""
    home = make(executor=executor, max_retries=0)
    daemon = home.start().ready()
    home.drop("one", method="exits_at_sigterm")
    until(lambda: home.notes() == ["waits for SIGTERM"])
    for process in family(daemon):
        process.terminate()
    assert daemon.wait() == 0
    assert home.outcomes("pending", "one") == ["interrupted"]


def test_sighup_that_was_ignored_at_the_start(make):
    """Under nohup a dispatcher goes on when its terminal hangs up; SIGTERM stops it as ever."""
    home = make()
    daemon = home.start(prefix=("nohup",)).ready()
    daemon.signal(signal.SIGHUP)
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    assert daemon.stop() == 0
