"""What an operator does to a running spool, by command and by hand: each way has the same effect."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from spoolrunner.system.times import parse_time
from tests.daemon.harness import COMMAND, is_alive, until

posix_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
# As Ctrl-C comes on Windows: to a thread of the system's, while the main thread waits.
INTERRUPTED = """
import os, signal, sys, threading
from spoolrunner.cli import main

def interrupt():
    while True:
        while not os.path.exists("ctrl-c"):
            threading.Event().wait(0.01)
        os.remove("ctrl-c")
        signal.raise_signal(signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
sys.exit(main(sys.argv[4:]))
"""
BY_HAND_OR_BY_COMMAND = pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "by command"])


@BY_HAND_OR_BY_COMMAND
def test_pause_and_resume(home, by_hand):
    """While control/pause exists nothing starts; when it goes, waiting jobs start."""
    daemon = home.start().ready()
    pause = home.spool / "control" / "pause"
    pause.touch() if by_hand else home.cli("pause")
    daemon.expect("dispatcher", "paused")
    home.drop("one", method="noop")
    home.drop("mark", '{"no": "job"}')
    daemon.expect("refused", "id=mark ")
    assert home.where("one") == ["pending"]
    pause.unlink() if by_hand else home.cli("resume")
    daemon.expect("completed", "id=one ")


@BY_HAND_OR_BY_COMMAND
def test_a_waiting_job_is_cancelled(home, by_hand):
    """A cancelled waiting job lies in failed/ with its bytes and the reason, and the request is gone."""
    daemon = home.start().ready()
    home.drop("one", method="noop", delay="1h")
    request = home.spool / "control" / "cancel-one"
    request.touch() if by_hand else home.cli("cancel", "one")
    daemon.expect("refused", "id=one ", "outcome=cancelled")
    assert home.where("one") == ["failed"]
    assert home.reason("one")["outcome"] == "cancelled"
    assert not request.exists()


def test_a_running_job_is_cancelled_with_its_whole_tree(home):
    """Cancelling a running job asks, terminates, and kills everything it started."""
    daemon = home.start().ready()
    home.drop("one", method="parent", params=[True])
    until(lambda: any(note.startswith("child") for note in home.notes()))
    request = home.spool / "control" / "cancel-one"
    request.touch()
    daemon.expect("failed", "id=one ", "outcome=cancelled")
    (child,) = [int(note.split()[1]) for note in home.notes() if note.startswith("child")]
    assert home.outcomes("failed", "one") == ["cancelled"]
    assert not is_alive(child)
    assert not request.exists()


def test_an_adopted_job_is_cancelled_too(home):
    """A job whose dispatcher died is adopted by the next one, and its whole tree can still be cancelled."""
    first = home.start().ready()
    home.drop("one", method="parent", params=[True])
    until(lambda: any(note.startswith("child") for note in home.notes()))
    first.kill()
    second = home.start().ready()
    second.expect("adopted", "id=one ")
    home.cli("cancel", "one")
    second.expect("failed", "id=one ", "outcome=cancelled")
    (child,) = [int(note.split()[1]) for note in home.notes() if note.startswith("child")]
    assert not is_alive(child)


def test_a_job_can_see_that_it_is_cancelled(home):
    """A job that looks at cancel_requested and returns is recorded as cancelled, without being terminated."""
    daemon = home.start().ready()
    home.drop("one", method="cooperative")
    until(lambda: "cooperative" in home.notes())
    home.cli("cancel", "one")
    daemon.expect("failed", "id=one ", "outcome=cancelled")
    assert home.notes() == ["cooperative", "saw the cancel"]


def test_a_cancel_that_came_too_late_hits_no_later_job(home):
    """A request for an id that is nowhere is removed, so that a later job of that id runs."""
    daemon = home.start().ready()
    (home.spool / "control" / "cancel-one").touch()
    daemon.expect("no such job", "id=one ")
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    home.cli("cancel", "one", code=1)


@BY_HAND_OR_BY_COMMAND
@pytest.mark.parametrize("state", ["failed", "done"])
def test_a_retry_runs_the_job_again_with_a_fresh_budget(home, by_hand, state):
    """A job moved from failed/ or done/ back into pending/ runs again; its history stays."""
    daemon = home.start().ready()
    home.drop("one", method="fail" if state == "failed" else "noop", max_retries=0)
    daemon.expect("verdict=", "id=one ")
    if by_hand:
        (home.spool / state / "one.json").rename(home.spool / "pending" / "one.json")
    else:
        assert home.cli("retry", "one").startswith("mv ")
    daemon.expect("verdict=", "id=one ", "attempt=2/2")
    assert len(home.outcomes(state, "one")) == 2


def test_retry_all_leaves_the_rejected_ones(home):
    """`retry --all` moves what failed or expired, and leaves what would be rejected again."""
    home.drop("bad", '{"no": "job"}')  # refused at the first look
    home.drop("old", method="noop", expires_at="2020-01-01T00:00:00Z")
    home.drop("broken", method="fail", max_retries=0)
    daemon = home.start().ready()
    until(lambda: home.where("bad") == home.where("broken") == home.where("old") == ["failed"])
    assert home.reason("old")["outcome"] == "expired"
    home.cli("retry", "--all")
    daemon.expect("completed", "id=old ")
    assert home.where("bad") == ["failed"]


def test_a_waiting_file_may_be_edited(home):
    """A waiting job that a person edits runs as it stands then."""
    daemon = home.start().ready()
    home.drop("one", method="echo", params=["before"], delay="1h")
    path = home.spool / "pending" / "one.json"
    path.write_text(json.dumps({"job": "jobs", "method": "echo", "params": ["after"]}))
    daemon.expect("completed", "id=one ")
    assert home.document("done", "one")["result"] == "after"


def test_a_waiting_file_may_be_removed(home):
    """A job that a person removes is forgotten without an error."""
    daemon = home.start().ready()
    home.drop("one", method="echo", params=[1], delay=0.4)
    (home.spool / "pending" / "one.json").unlink()
    home.drop("two", method="echo", params=[2], delay=0.5)
    daemon.expect("completed", "id=two ")
    assert home.where("one") == []
    assert not [line for line in daemon.lines if "id=one " in line]


@posix_signals
def test_sigterm_waits_for_what_runs(home):
    """SIGTERM claims no more, lets the running job finish, and ends with 0."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    daemon.signal(signal.SIGTERM)
    daemon.expect("stopping")
    home.drop("two", method="noop")
    (home.folder / "go").touch()
    assert daemon.wait() == 0
    assert home.where("one") == ["done"]
    assert home.where("two") == ["pending"]


@posix_signals
def test_a_second_signal_does_not_wait(make):
    """A second signal interrupts what runs; an interrupted attempt goes back to pending and is not counted."""
    home = make(stop_grace="10m", max_retries=0)
    daemon = home.start().ready()
    home.drop("one", method="stubborn")
    until(lambda: "stubborn" in home.notes())
    daemon.signal(signal.SIGINT)
    daemon.expect("stopping")
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert home.where("one") == ["pending"]
    assert home.outcomes("pending", "one") == ["interrupted"]
    assert home.document("pending", "one")["retries"] == 0


def test_ctrl_c_reaches_a_dispatcher_that_waits(make):
    """Ctrl-C stops an idle dispatcher at once, though it is not its main thread that is interrupted; twice hurries it."""
    home = make(stop_grace="10m", max_retries=0)
    daemon = home.start(prefix=(sys.executable, "-c", INTERRUPTED)).ready()
    home.drop("one", method="stubborn")
    until(lambda: "stubborn" in home.notes())
    (home.folder / "ctrl-c").touch()
    daemon.expect("stopping", seconds=3)
    until(lambda: not (home.folder / "ctrl-c").exists())
    (home.folder / "ctrl-c").touch()
    assert daemon.wait() == 0
    assert home.outcomes("pending", "one") == ["interrupted"]


def test_stop_grace_ends_in_interruption(make):
    """What still runs after stop_grace is interrupted, and runs again with the next dispatcher."""
    home = make(stop_grace=0.2, max_retries=0)
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    home.cli("stop")
    assert daemon.wait() == 0
    assert home.outcomes("pending", "one") == ["interrupted"]
    (home.folder / "go").touch()
    home.cli("run", "--drain")
    assert home.outcomes("done", "one") == ["interrupted", "succeeded"]


def test_stop_says_what_it_waits_for(make):
    """The jobs that run are named, and after which time they are interrupted."""
    home = make(stop_grace=0.5, max_retries=0)
    daemon = home.start().ready()
    home.drop("slow", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    done = subprocess.run([*COMMAND, "stop"], cwd=home.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == "waiting for 1 job to end, which are interrupted after 0.5 s: slow\n"
    assert daemon.wait() == 0


def test_stop_may_leave_the_jobs_running(home):
    """`stop --leave-running` ends the dispatcher at once; the next one adopts the job, which runs once."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    home.cli("stop", "--leave-running")
    assert daemon.wait() == 0
    second = home.start().ready()
    second.expect("adopted", "id=one ")
    (home.folder / "go").touch()
    second.expect("completed", "id=one ")
    assert home.notes() == ["begin waited", "end waited"]


def test_a_timeout_reaches_an_adopted_job(home):
    """The timeout of a job counts from its own start, whichever dispatcher watches over it."""
    first = home.start().ready()
    home.drop("one", method="wait_for", params=["never"], timeout=1, max_retries=0)
    until(lambda: "begin waited" in home.notes())
    first.kill()
    second = home.start().ready()
    second.expect("failed", "id=one ", "outcome=timed_out")


def test_only_one_dispatcher_serves_a_spool(home):
    """A second dispatcher ends with 75 and names the first; --standby waits, and takes over when it is killed."""
    first = home.start().ready()
    second = home.start()
    assert f"pid {first.process.pid} " in second.expect("is served by")
    assert second.wait() == 75
    standby = home.start("--standby")
    first.kill()
    standby.ready()
    home.drop("one", method="noop")
    standby.expect("completed", "id=one ")


def test_a_stop_that_was_left_lying_does_not_stop_the_next_dispatcher(home):
    """control/stop made while nothing ran is removed at the start, and said."""
    (home.spool / "control" / "stop").touch()
    daemon = home.start()
    daemon.expect("control/stop was left")
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    assert home.cli("stop").endswith("stopped\n")
    assert daemon.wait() == 0
    home.cli("stop", code=1)


def test_an_id_that_runs_makes_a_second_one_wait(home):
    """Two jobs of one id never run at the same time; the second one lies in done/ as ID~2."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go", "first"])
    until(lambda: "begin first" in home.notes())
    home.drop("one", method="wait_for", params=["go", "second"])
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    assert home.where("one") == ["pending", "running"]
    (home.folder / "go").touch()
    daemon.expect("completed", "id=one ")
    daemon.expect("completed", "id=one~2 ")
    assert [note for note in home.notes() if "one" not in note and note != "noop"] == [
        "begin first",
        "end first",
        "begin second",
        "end second",
    ]
    assert home.document("done", "one~2")["result"] == "second"


def test_due_jobs_start_by_priority(make):
    """Among the jobs that wait for a free place the highest priority starts first, and equals in order of arrival."""
    home = make(concurrency=1, priority_aging=60)
    (home.spool / "control" / "pause").touch()
    daemon = home.start()
    daemon.expect("paused")
    for job_id, priority in [("a", 0), ("b", -5), ("c", 7), ("d", 0)]:
        home.drop(job_id, method="echo", params=[job_id], priority=priority)
    status = home.spool / "status.json"
    until(lambda: status.exists() and json.loads(status.read_text())["due"] == 4)
    home.cli("resume")
    order = [daemon.expect("started").split("id=")[1][0] for _ in range(4)]
    assert order == ["c", "a", "d", "b"]


def test_a_method_may_have_a_concurrency_of_its_own(make):
    """A method's own concurrency holds its jobs back, and no others."""
    home = make(concurrency=3, allowed_jobs={"jobs": {"wait_for": {"concurrency": 1}, "noop": {}}})
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    daemon.expect("started", "id=one ")
    home.drop("two", method="wait_for", params=["go"])
    home.drop("three", method="noop")
    daemon.expect("completed", "id=three ")
    assert home.where("two") == ["pending"]
    (home.folder / "go").touch()
    daemon.expect("completed", "id=two ")


def test_a_delayed_job_waits_without_a_process(home):
    """A job with a delay starts when its time has come and not before."""
    daemon = home.start().ready()
    home.drop("one", method="echo", params=[1], delay="0.3s")
    written = os.stat(home.spool / "pending" / "one.json").st_mtime
    daemon.expect("completed", "id=one ")
    started = home.document("done", "one")["attempts"][0]["started_at"]
    assert parse_time(started) >= written + 0.3
    assert "delay" not in home.document("done", "one")


def test_what_expired_never_starts(home):
    """A job whose expires_at has passed goes to failed/ as expired; `retry` lifts that."""
    home.drop("one", method="noop", expires_at="2020-01-01T00:00:00Z")
    home.cli("run", "--drain")
    assert home.reason("one")["outcome"] == "expired"
    home.cli("retry", "one")
    home.cli("run", "--drain")
    assert home.where("one") == ["done"]


def test_a_dispatcher_that_cannot_start_processes_loses_nothing(make):
    """With a python_binary that is not there the job stays in pending/, and the trouble is said."""
    home = make(python_binary="no-such-python")
    home.drop("one", method="noop")
    daemon = home.start().ready()
    daemon.expect("trouble", "no-such-python")
    assert home.where("one") == ["pending"]
    assert "no-such-python" in home.cli("status")
    assert "cannot be used" in home.cli("check", "--json", code=1)


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_runner_that_never_reaches_its_first_line(make, tmp_path):
    """An interpreter that ends before it comes to us is trouble of ours: its job waits, and no attempt is counted."""
    fake = tmp_path / "python-that-ends"
    fake.write_text(f"""#!/bin/sh\ncase "$*" in *site.main*) exec '{sys.executable}' "$@";; esac\nexit 1\n""")
    fake.chmod(0o755)
    home = make(python_binary=str(fake), max_retries=0, executor="spawn")
    daemon = home.start().ready()
    home.drop("one", method="noop")
    daemon.expect("trouble", "trying again in 1 s", "cannot run the processes of jobs")
    assert home.where("one") == ["pending"]
    assert home.document("pending", "one").get("attempts") is None


def test_a_second_job_of_an_id_has_its_own_output(home):
    """`logs ID~2` prints what the second job of an id printed, and nothing of the first."""
    daemon = home.start()
    for day in ("monday", "tuesday", "wednesday"):
        home.drop("daily", method="echo", params=[day])
        daemon.expect("completed", "id=daily")
    daemon.stop()
    assert [home.cli("logs", name).splitlines()[1:] for name in ("daily", "daily~2", "daily~3")] == [
        ["echo monday"],
        ["echo tuesday"],
        ["echo wednesday"],
    ]
