"""How attempts end from outside, by every executor: stops of all processes, kills, and what is left of their trees."""

from __future__ import annotations

import signal
import sys

import psutil
import pytest

from tests.daemon.harness import is_alive, until
from tests.daemon.surroundings import needs_root

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
    if number == signal.SIGHUP:  # by itself it asks to read config.json again
        daemon.signal(signal.SIGTERM)
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


def child_of(home, job_id="one") -> int:
    """The child that a job says it has left."""
    until(lambda: (home.folder / f"child-{job_id}").exists() and (home.folder / f"child-{job_id}").read_text())
    return int((home.folder / f"child-{job_id}").read_text())


@pytest.mark.parametrize("end", ["returns", "raises", "is killed"])
@pytest.mark.parametrize("ignores", [False, True], ids=["obeys", "ignores SIGTERM"])
def test_nothing_is_left_of_an_attempt(make, executor, end, ignores):
    """Whatever way a job ends, its child is gone when the attempt is over, though it led a session of its own."""
    home = make(executor=executor, max_retries=0)
    daemon = home.start().ready()
    home.drop("one", method="leaves_a_child", params=[end, ignores])
    daemon.expect("ending", "id=one ", "what it left is ended")
    daemon.expect("completed" if end == "returns" else "failed", "id=one ")
    assert not is_alive(child_of(home))


def test_no_retry_beside_the_children_of_a_killed_attempt(make, executor):
    """They have ended when the retry starts."""
    home = make(executor=executor)
    daemon = home.start().ready()
    home.drop("one", method="leaves_a_child", params=["is killed", True])
    daemon.expect("completed", "id=one ")
    assert home.document("done", "one")["result"] is False
    assert home.outcomes("done", "one") == ["crashed", "succeeded"]


def test_no_retry_beside_what_a_dead_dispatcher_cannot_tell_of(make, executor):
    """A job and its dispatcher were killed: the next dispatcher ends the children of that attempt before it is tried again."""
    home = make(executor=executor)
    daemon = home.start().ready()
    home.drop("one", method="leaves_a_child", params=["goes on", True])
    child = child_of(home)
    others = [process for process in family(daemon) if process.pid != child]
    for process in others:
        process.kill()
    daemon.wait()
    assert is_alive(child)
    daemon = home.start().ready()
    daemon.expect("completed", "id=one ")
    assert home.document("done", "one")["result"] is False
    assert not is_alive(child)


def test_what_may_stay_is_touched_by_nobody(make, executor):
    """With "leave" the child stays: through a retry of its job, another job of the id that leaves nothing, and a stop."""
    home = make(
        executor=executor,
        leftovers="leave",
        allowed_jobs={"jobs": {"leaves_a_child": {}, "noop": {"leftovers": "end"}}},
    )
    daemon = home.start().ready()
    home.drop("one", method="leaves_a_child")
    daemon.expect("completed", "id=one ")
    child = child_of(home)
    try:
        (home.spool / "done" / "one.json").unlink()
        home.drop("one", method="noop")
        daemon.expect("completed", "id=one ")
        home.drop("two", method="leaves_a_child", params=["is killed"])
        daemon.expect("completed", "id=two ")
        assert home.document("done", "two")["result"] is True
        assert daemon.stop() == 0
        assert is_alive(child)
        assert is_alive(child_of(home, "two"))
    finally:
        for left in (child, child_of(home, "two")):
            psutil.Process(left).kill()


def is_zombie(process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@needs_root
def test_a_dispatcher_that_is_the_first_process(make, executor):
    """As PID 1 it collects the processes whose parents have ended, and stops as anywhere else."""
    if sys.platform != "linux":
        pytest.skip("namespaces of pids are of Linux")
    home = make(executor=executor, leftovers="leave")
    daemon = home.start(prefix=("unshare", "--pid", "--fork", "--mount-proc")).ready()
    (first,) = psutil.Process(daemon.process.pid).children()
    for number in range(5):
        home.drop(f"job-{number}", method="leaves_orphans")
        daemon.expect("completed", f"id=job-{number} ")
    until(lambda: len(home.notes()) == 10)
    until(lambda: not any(is_zombie(process) for process in first.children(recursive=True)))
    first.terminate()
    assert daemon.wait() == 0


PRINTS = """
import atexit, os, signal, sys, threading

print("printed by the import")


def note(text):
    with open("notes.txt", "a") as stream:
        stream.write(text + "\\n")


def waits(handles, status=3):
    if handles:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))
    atexit.register(note, "exit handler")
    try:
        note("waits")
        threading.Event().wait(60)
    finally:
        note("finally")


def ends():
    atexit.register(note, "exit handler")
    try:
        return "ended"
    finally:
        note("finally")
"""
ENDS = {"timeout": "timed_out", "cancel": "cancelled", "stop": "interrupted"}


@pytest.fixture
def printing(make):
    """An installation with the module above, by an executor."""

    def install(executor, **changes):
        home = make(executor=executor, max_retries=0, allowed_jobs={"prints": ["waits", "ends"]}, **changes)
        (home.folder / "prints.py").write_text(PRINTS)
        return home

    return install


def end_it(home, daemon, how):
    """Let the job `one`, which waits, be ended in that way, and come to its record."""
    until(lambda: home.notes() == ["waits"])
    if how == "cancel":
        (home.spool / "control" / "cancel-one").touch()
    if how == "stop":
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGTERM)
        daemon.wait()
    until(
        lambda: home.where("one") in (["failed"], ["pending"], ["done"]) and home.document(home.where("one")[0], "one")
    )


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("handles", [False, True], ids=["without a handler", "with a handler"])
def test_what_an_end_does_to_a_job(printing, executor, how, handles):
    """A job that installs no handler is gone at the signal; one that exits by its handler runs `finally` and exit handlers."""
    home = printing(executor, **({"timeout": 0.5} if how == "timeout" else {}), stop_grace=0.1, kill_grace=10)
    daemon = home.start().ready()
    home.drop("one", job="prints", method="waits", params=[handles])
    end_it(home, daemon, how)
    assert home.outcomes("pending" if how == "stop" else "failed", "one") == [ENDS[how]]
    assert home.notes() == ["waits", *(["finally", "exit handler"] if handles else [])]
    assert "printed by the import" in (home.spool / "logs" / "jobs" / "one.log").read_text()


@pytest.mark.parametrize(("how", "outcome"), [("timeout", "succeeded"), ("cancel", "cancelled"), ("stop", "succeeded")])
def test_a_handler_that_exits_well(printing, executor, how, outcome):
    """A job that exits with 0 when it is asked to end says that it is done; a cancel is a cancel."""
    home = printing(executor, **({"timeout": 0.5} if how == "timeout" else {}), stop_grace=0.1, kill_grace=10)
    daemon = home.start().ready()
    home.drop("one", job="prints", method="waits", params=[True, 0])
    end_it(home, daemon, how)
    assert home.outcomes("failed" if how == "cancel" else "done", "one") == [outcome]


@pytest.mark.parametrize("name", ["fork", "spawn", "inline"])
def test_what_an_end_by_itself_does(printing, name):
    """`finally` and exit handlers run, and what the import prints goes to the job's log, by every executor."""
    if name == "fork" and sys.platform != "linux":
        pytest.skip("fork is for Linux")
    home = printing(name)
    home.drop("one", job="prints", method="ends")
    home.cli("run", "--drain")
    assert home.document("done", "one")["result"] == "ended"
    assert home.notes() == ["finally", "exit handler"]
    assert "printed by the import" in (home.spool / "logs" / "jobs" / "one.log").read_text()
