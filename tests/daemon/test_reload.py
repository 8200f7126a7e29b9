"""config.json is read again by a dispatcher that runs: asked for by a signal or a file, or because the file changed."""

from __future__ import annotations

import json
import os
import signal
import sys

import psutil
import pytest

from tests.daemon.harness import COMMAND, DEADLINE, until

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")


def change(home, **keys):
    """Write other values of these keys into config.json, as an editor does that replaces the file."""
    path = home.folder / "config.json"
    staged = home.folder / "config.json.new"
    staged.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    os.replace(staged, path)


def ask(home, daemon, way):
    """Ask for it in one of the ways; a changed file asks by itself."""
    if way == "signal":
        daemon.signal(signal.SIGHUP)
    elif way == "request":
        (home.spool / "control" / "reload").touch()


WAYS = [pytest.param("signal", marks=posix), "request", "change"]


@pytest.mark.parametrize("way", WAYS)
def test_a_new_configuration_comes_into_force(make, way):
    """What waits and comes is judged by it, the template is renewed, what runs keeps its policy, and nothing is restarted."""
    home = make(environment={"COLOUR": "none"}, timeout="1h")
    daemon = home.start().ready()
    home.drop("before", method="environment")
    daemon.expect("completed", "id=before ")
    home.drop("runs", method="wait_for", params=["go"])
    daemon.expect("started", "id=runs ")
    home.drop("waits", method="fail", delay="1h")
    change(home, allowed_jobs={"jobs": ["environment", "echo"]}, environment={"COLOUR": "red"}, timeout="2s")
    ask(home, daemon, way)
    daemon.expect("dispatcher", "was read again; changed: allowed_jobs, environment, timeout")
    daemon.expect("refused", "id=waits ", "fail")
    home.drop("after", method="environment")
    daemon.expect("completed", "id=after ")
    colours = [home.document("done", name)["result"]["COLOUR"] for name in ("before", "after")]
    assert colours == ["none", "red"]

    def status():
        return json.loads((home.spool / "status.json").read_text())

    until(lambda: [(job["id"], job["timeout"]) for job in status()["running"]] == [("runs", 3600.0)])
    assert status()["pid"] == daemon.process.pid
    assert not (home.spool / "control" / "reload").exists()
    (home.folder / "go").touch()
    daemon.expect("completed", "id=runs ")
    assert len(home.document("done", "runs")["attempts"]) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_one_is_refused_with_every_reason(home, way):
    """The old one stays in force, and log and status say why, until the file is mended: then that is so by itself."""
    daemon = home.start().ready()
    good = json.loads((home.folder / "config.json").read_text())
    change(home, allowed_jobs={"jobs": "echo"}, concurency=2, executor="inline", timeout="soon")
    ask(home, daemon, way)
    line = daemon.expect("trouble", "is not taken over")
    for key in ("concurency: unknown key", "timeout: ", "allowed_jobs.jobs: "):
        assert key in line
    until(lambda: "is not taken over, what was read before stays in force" in home.cli("status"))
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    change(home, **{**dict.fromkeys(["concurency", "executor", "timeout"]), **good})
    (home.folder / "config.json").write_text(json.dumps({**good, "timeout": "5m"}))
    daemon.expect("was read again; changed: timeout")
    until(lambda: "is not taken over" not in home.cli("status"))


def test_what_needs_a_restart_is_named(home):
    """Spool, executor, syncs and key are what a dispatcher is built on: a file with others is refused, and names them."""
    daemon = home.start().ready()
    change(home, spool="other", executor="inline", fsync=False, timeout="5m")
    ask(home, daemon, "request")
    line = daemon.expect("trouble", "is not taken over")
    for key in ("spool", "executor", "fsync"):
        assert f"{key}: is another now, which needs a restart" in line
    assert not (home.folder / "other").exists()


def test_a_job_of_a_newer_configuration_is_not_refused(home):
    """Who adds a job to config.json and enqueues one need not wait: the file is read before that is refused as not allowed."""
    daemon = home.start().ready()
    home.drop("a", method="noop")
    daemon.expect("completed", "id=a")
    (home.folder / "other.py").write_text("def run():\n    return 5\n")
    settings = json.loads((home.folder / "config.json").read_text())
    change(home, allowed_jobs={**settings["allowed_jobs"], "other": ["run"]})
    home.drop("b", job="other", method="run")
    daemon.expect("completed", "id=b ")
    change(home, allowed_jobs=5)
    home.drop("c", job="another", method="run")
    daemon.expect("refused", "id=c ", "config.json was changed, but is not in force")


def test_schedules_are_followed_as_the_file_says(home):
    """A schedule that a reload brings is run from its next slot on, and one that it takes away no more."""
    daemon = home.start().ready()
    change(home, schedules={"tick": {"every": "1s", "job": "jobs", "method": "noop"}})
    ask(home, daemon, "request")
    daemon.expect("was read again; changed: schedules")
    for _ in range(2):
        daemon.expect("completed", "id=tick.")
    change(home, schedules={})
    ask(home, daemon, "request")
    daemon.expect("was read again; changed: schedules")
    until(lambda: not list((home.spool / "schedules").iterdir()))


def test_what_is_preloaded_is_renewed(make):
    """A module that the new configuration preloads is imported by the new template, and its jobs are forked from that."""
    if sys.platform != "linux":
        pytest.skip("fork is for Linux")
    home = make(executor="fork")
    daemon = home.start().ready()
    template = psutil.Process(daemon.process.pid).children()
    change(home, preload=["jobs"])
    ask(home, daemon, "signal")
    daemon.expect("was read again; changed: preload")
    daemon.expect("jobs was preloaded")
    until(lambda: not any(process.is_running() for process in template))

    def is_preloaded(numbers=iter(range(1000))):  # noqa: B008 -- each try has its own number
        name = f"x{next(numbers)}"
        home.drop(name, method="was_preloaded")
        daemon.expect("completed", f"id={name} ")
        return home.document("done", name)["result"]

    until(is_preloaded)


def test_a_job_of_the_interpreter_that_is_no_more(home):
    """A configuration by which no process can be started is refused: jobs go on to be started by the old one."""
    daemon = home.start().ready()
    change(home, python_binary="no-such-python")
    ask(home, daemon, "request")
    daemon.expect("trouble", "is not taken over", "no-such-python")
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")


@posix
def test_a_terminal_that_closes_stops_the_dispatcher_that_leads_it(home):
    """SIGHUP is a stop for the leader of a terminal's session, as `ssh -t host spoolrunner run` makes it."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.folder)
        os.execv(COMMAND[0], [*COMMAND, "run"])
    printed = b""
    while b"started" not in printed:
        printed += os.read(terminal, 1000)
    os.close(terminal)
    ended = []
    until(lambda: ended.append(os.waitpid(pid, os.WNOHANG)) or ended[-1][0], DEADLINE)
    assert os.waitstatus_to_exitcode(ended[-1][1]) == 0
    assert json.loads((home.spool / "status.json").read_text())["state"] == "stopped"


def test_other_limits(make):
    """A limit that is raised lets those go that wait for it; one that is lowered, or new, counts what runs."""
    allowed = {"jobs": ["wait_for", "noop"]}
    home = make(allowed_jobs=allowed, limits={"mail": {"concurrency": 1}}, concurrency=6)
    daemon = home.start().ready()
    for name in ("m1", "m2"):
        home.drop(name, method="wait_for", params=[f"go-{name}"], group="mail")
    daemon.expect("started", "id=m")
    until(lambda: sorted(home.where("m1") + home.where("m2")) == ["pending", "running"])
    change(home, limits={"mail": {"concurrency": 2}})
    daemon.expect("was read again; changed: limits")
    until(lambda: home.where("m1") == home.where("m2") == ["running"])
    change(home, limits={"mail": {"concurrency": 1}, "news": {"concurrency": 1}})
    daemon.expect("was read again; changed: limits")
    home.drop("m3", method="noop", group="mail")
    home.drop("n1", method="wait_for", params=["go-n1"], group="news")
    daemon.expect("started", "id=n1 ")
    home.drop("n2", method="noop", group="news")
    (home.folder / "go-m1").touch()
    daemon.expect("completed", "id=m1 ")
    home.drop("free", method="noop")
    daemon.expect("completed", "id=free ")
    assert home.where("m3") == home.where("n2") == ["pending"]
    (home.folder / "go-m2").touch()
    daemon.expect("completed", "id=m3 ")
    (home.folder / "go-n1").touch()
    daemon.expect("completed", "id=n2 ")


def test_a_method_that_gets_a_group(make):
    """What waits is in the group that its method has now; what runs stays in the one that it started in."""
    home = make(allowed_jobs={"jobs": {"wait_for": {}, "noop": {}}}, limits={"mail": {"concurrency": 1}}, concurrency=6)
    daemon = home.start().ready()
    home.drop("runs", method="wait_for", params=["go-1"])
    daemon.expect("started", "id=runs ")
    change(home, allowed_jobs={"jobs": {"wait_for": {"group": "mail"}, "noop": {"group": "mail"}}})
    daemon.expect("was read again; changed: allowed_jobs")
    home.drop("first", method="wait_for", params=["go-2"])
    daemon.expect("started", "id=first ")
    home.drop("second", method="noop")
    until(lambda: "group mail" in home.cli("why", "second"))
    (home.folder / "go-1").touch()
    daemon.expect("completed", "id=runs ")
    assert home.where("second") == ["pending"]
    (home.folder / "go-2").touch()
    daemon.expect("completed", "id=second ")
