"""Who is who: copies of an installation, and dispatchers in other namespaces of pids, with real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import psutil
import pytest

from tests.daemon.harness import COMMAND, Daemon, is_alive, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for as Linux shows them")
in_a_namespace = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"),
    reason="only root on Linux makes namespaces of pids",
)
INSIDE = ("unshare", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", '"$@"; exec sleep 1000', "sh")
"""A namespace whose first process outlives the dispatcher in it."""


def running(home, job_id):
    """What the last start marker of a job says."""
    lines = (home.spool / "locks" / f"{job_id}.lock").read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line.startswith(b'{"kind":"start"')][-1]


def status(folder):
    done = subprocess.run(
        [*COMMAND, "status", "--json", "--no-dispatcher-ok"], cwd=folder, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def dispatcher_below(daemon):
    """The process of the dispatcher that was started behind other programs."""
    below = psutil.Process(daemon.process.pid).children(recursive=True)
    return next(process for process in below if process.cmdline()[1:4] == [*COMMAND[1:], "run"])


@pytest.mark.parametrize("executor", ["fork", "spawn"])
@pytest.mark.parametrize("job", ["wait_for", "closes_everything"])
def test_a_copy_touches_no_process_of_its_original(make, tmp_path, executor, job):
    """A copy, whose markers name live processes of the original, neither adopts nor ends them, and lives its own life."""
    home = make(executor=executor, kill_grace=0.2, stop_grace=0.2)
    go = home.folder / "go"
    home.drop("x", method=job, params=[str(go)] if job == "wait_for" else [])
    daemon = home.start().ready()
    daemon.expect("x", "started")
    until(home.notes)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(home.folder / "spool"), str(tmp_path / "spool-copy")], check=True)
    copy.mkdir()
    (tmp_path / "spool-copy").rename(copy / "spool")
    for name in ("config.json", "jobs.py"):
        shutil.copy(home.folder / name, copy / name)

    assert status(copy)["dispatcher"] is None, "it is the original's dispatcher that lives"
    pid = running(home, "x")["pid"]
    other = Daemon(copy)
    try:
        other.expect("x", "started")  # of the copy itself: nothing there runs
        assert is_alive(pid)
        subprocess.run([*COMMAND, "cancel", "x"], cwd=copy, capture_output=True, check=True)
        other.expect("x", "cancelled")
        subprocess.run([*COMMAND, "stop"], cwd=copy, capture_output=True, check=True)
        other.wait()
    finally:
        other.kill()
    assert is_alive(pid)
    assert daemon.process.poll() is None
    go.touch()
    assert home.where("x") in (["running"], ["done"])
    daemon.expect("x", "completed")


@in_a_namespace
def test_commands_from_outside_of_the_namespace(make):
    """Whether a dispatcher serves the spool is said by its lock: in its container it has a pid that means another here."""
    home = make()
    daemon = home.start(prefix=INSIDE[:5]).ready()
    found = status(home.folder)["dispatcher"]
    assert (found["state"], found["pid"] < 10) == ("running", True)
    assert found["namespace"] != os.readlink("/proc/self/ns/pid").strip("pid:[]")
    home.drop("x", method="wait_for", params=[str(home.folder / "never")])
    daemon.expect("x", "started")
    assert "x: cancelled" in home.cli("cancel", "x")
    assert "stopped" in home.cli("stop")
    daemon.wait()
    assert status(home.folder)["dispatcher"] is None


@in_a_namespace
@pytest.mark.parametrize("job", ["wait_for", "closes_everything"])
def test_what_lives_in_a_namespace_is_neither_ended_nor_run_again(make, job):
    """A job of a dispatcher that was killed lives on in its container; the next one, outside, waits for it, and says so."""
    home = make(timeout=1, kill_grace=0.1)
    go = home.folder / "go"
    home.drop("x", method=job, params=[str(go)] if job == "wait_for" else [])
    inside = home.start(prefix=INSIDE).ready()
    inside.expect("x", "started")
    until(home.notes)
    dispatcher_below(inside).kill()
    until(lambda: status(home.folder)["dispatcher"] is None)

    outside = home.start().ready()
    said = outside.expect("x: attempt 1 runs on", "another namespace")
    assert os.uname().nodename in said
    until(lambda: any("x: attempt 1 runs on" in text for text in status(home.folder)["trouble"]))
    (home.spool / "control" / "cancel-x").touch()
    home.drop("y", method="wait_for", params=[str(home.folder / "never")], max_retries=0)
    outside.expect("y", "timed_out")  # as long as that x would have been ended too
    assert home.where("x") == ["running"]
    assert running(home, "x")["attempt"] == 1
    go.touch()
    until(lambda: home.where("x") == ["done"])
    assert len(home.document("done", "x")["attempts"]) == 1
    until(lambda: not status(home.folder)["trouble"] or "x: attempt" not in str(status(home.folder)["trouble"]))
    inside.process.kill()


@in_a_namespace
def test_what_lives_above_a_namespace_is_neither_ended_nor_run_again(make):
    """As above, the other way round: from within a container nothing is seen of the processes outside."""
    home = make(timeout=1, kill_grace=0.1)
    go = home.folder / "go"
    home.drop("x", method="wait_for", params=[str(go)])
    outside = home.start().ready()
    outside.expect("x", "started")
    until(home.notes)
    pid = running(home, "x")["pid"]
    outside.kill()
    inside = home.start(prefix=INSIDE[:5]).ready()
    inside.expect("x: attempt 1 runs on", "another namespace")
    home.drop("y", method="wait_for", params=[str(home.folder / "never")], max_retries=0)
    inside.expect("y", "timed_out")
    assert is_alive(pid)
    go.touch()
    until(lambda: home.where("x") == ["done"])
    assert len(home.document("done", "x")["attempts"]) == 1
    home.cli("stop")
