"""No process to be had for jobs: trouble of ours. Nothing is claimed or counted, it is said, and it goes on by itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from tests.daemon.harness import is_alive, until

EXECUTORS = ["spawn", *(["fork"] if sys.platform != "win32" else [])]
needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
HALF_AN_UPGRADE = "raise ImportError('half an upgrade')\n"
REFUSES = """
import errno, os
real = os.fork
def fork():
    if os.path.exists({flag!r}):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return real()
os.fork = fork
"""


@pytest.fixture
def lib(tmp_path):
    """A folder that comes before ours on the import path of jobs' processes, and of none else."""
    folder = tmp_path / "lib"
    folder.mkdir()
    return folder


@pytest.fixture
def home(make, lib, request):
    """An installation with this executor, whose jobs' processes look into `lib` first."""
    return make(executor=getattr(request, "param", "fork"), environment={"PYTHONPATH": str(lib)}, stop_grace=1)


def status(home):
    return json.loads((home.spool / "status.json").read_text("utf-8"))


def template_of(daemon):
    """The process that forks jobs; there is one for each child of the dispatcher that serves."""
    (template,) = psutil.Process(daemon.process.pid).children()
    return template


def break_it(lib):
    (lib / "spoolrunner.py").write_text(HALF_AN_UPGRADE)


def mend_it(lib):
    (lib / "spoolrunner.py").unlink()


@pytest.mark.parametrize("home", EXECUTORS, indirect=True)
def test_an_installation_that_is_broken_at_the_start(home, lib):
    """No job is claimed, `trouble` says why, and when it is mended the jobs run, each once."""
    break_it(lib)
    jobs = ["one", "two", "three"]
    for job_id in jobs:
        home.drop(job_id, method="noop")
    daemon = home.start()
    daemon.expect("trouble", "half an upgrade")
    until(lambda: status(home)["state"] == "blocked")
    assert any("half an upgrade" in sentence for sentence in status(home)["trouble"])
    assert [home.where(job_id) for job_id in jobs] == [["pending"]] * 3
    mend_it(lib)
    daemon.expect("going on")
    until(lambda: all(home.where(job_id) == ["done"] for job_id in jobs))
    assert [home.outcomes("done", job_id) for job_id in jobs] == [["succeeded"]] * 3
    until(lambda: status(home)["state"] == "running" and not any("upgrade" in text for text in status(home)["trouble"]))
    assert daemon.stop() == 0
    assert not [line for line in daemon.lines if " released " in line]


@needs_fork
def test_an_installation_that_breaks_in_mid_life(home, lib):
    """A template that has to be replaced, and cannot be, costs no job anything; a job that runs meanwhile is recorded."""
    daemon = home.start().ready()
    home.drop("before", method="wait_for", params=["gate"])
    daemon.expect("started", "id=before ")
    break_it(lib)
    os.kill(template_of(daemon).pid, signal.SIGKILL)
    # Processes that the template had forked ahead may still start one job each.
    after = [f"after-{number}" for number in range(5)]
    for name in after:
        home.drop(name, method="noop")
    daemon.expect("trouble", "half an upgrade")
    (home.folder / "gate").touch()
    until(lambda: home.where("before") == ["done"])
    assert ["pending"] in [home.where(name) for name in after]
    mend_it(lib)
    until(lambda: all(home.where(name) == ["done"] for name in after))
    assert all(home.outcomes("done", name) == ["succeeded"] for name in after)
    assert daemon.stop() == 0


@pytest.mark.parametrize("home", EXECUTORS, indirect=True)
def test_a_stop_while_no_job_can_be_started(home, lib):
    """It works at once."""
    break_it(lib)
    home.drop("x", method="noop")
    daemon = home.start()
    daemon.expect("trouble", "half an upgrade")
    assert daemon.stop() == 0
    assert home.where("x") == ["pending"]


@pytest.mark.parametrize("home", EXECUTORS, indirect=True)
def test_a_drain_that_cannot_start_a_job_ends_with_1(home, lib):
    """`run --drain` tries a few times, leaves the job where it is, and says by its exit code that it was not run."""
    break_it(lib)
    home.drop("x", method="noop")
    home.cli("run", "--drain", code=1)
    assert home.where("x") == ["pending"]
    assert home.document("pending", "x").get("attempts") is None
    mend_it(lib)
    home.cli("run", "--drain")
    assert home.where("x") == ["done"]


@needs_fork
def test_forks_that_are_refused_for_a_while(home, lib, tmp_path):
    """A limit of processes that is reached in mid-life: no attempt is counted, it is said, and it goes on by itself."""
    flag = tmp_path / "no-forks"
    (lib / "sitecustomize.py").write_text(REFUSES.format(flag=str(flag)))
    daemon = home.start().ready()
    home.drop("before", method="noop")
    until(lambda: home.where("before") == ["done"])
    flag.touch()
    jobs = [f"job{number}" for number in range(20)]
    for job_id in jobs:
        home.drop(job_id, method="noop")
    daemon.expect("trouble", "no process can be forked")
    until(lambda: status(home)["state"] == "blocked")
    flag.unlink()
    daemon.expect("going on")
    until(lambda: all(home.where(job_id) == ["done"] for job_id in jobs))
    assert {tuple(home.outcomes("done", job_id)) for job_id in jobs} == {("succeeded",)}
    assert daemon.stop() == 0


@pytest.fixture
def user():
    """A command prefix: a user of this test alone, who may read and write all, and whom limits hold."""
    number = 100_000 + os.getpid()
    rights = "+dac_override,+dac_read_search,+fowner"
    prefix = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    prefix += [f"--inh-caps={rights}", f"--ambient-caps={rights}"]
    programs = ("setpriv", "prlimit")
    if sys.platform != "linux" or os.geteuid() or not all(shutil.which(program) for program in programs):
        pytest.skip("needs root on Linux, with setpriv and prlimit")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("not allowed here: setpriv")
    return prefix


@pytest.mark.parametrize("home", EXECUTORS, indirect=True)
@pytest.mark.parametrize("limit", [2, 3])
def test_a_limit_of_processes(home, user, limit):
    """With too few threads and processes to be had a dispatcher starts, waits and says why, and goes on when there are more."""
    jobs = [f"job{number}" for number in range(6)]
    for job_id in jobs:
        home.drop(job_id, method="noop")
    daemon = home.start(prefix=[*user, "prlimit", f"--nproc={limit}:"])
    until(lambda: (home.spool / "status.json").exists() and status(home)["state"] == "blocked")
    assert any("temporarily unavailable" in sentence or "thread" in sentence for sentence in status(home)["trouble"])
    assert all(home.where(job_id) in (["pending"], ["running"], ["done"]) for job_id in jobs)
    held = psutil.Process(daemon.process.pid)
    for process in [held, *held.children()]:
        subprocess.run([*user, "prlimit", f"--pid={process.pid}", "--nproc=4000:"], check=True)
    until(lambda: all(home.where(job_id) == ["done"] for job_id in jobs))
    assert {tuple(home.outcomes("done", job_id)) for job_id in jobs} == {("succeeded",)}
    assert daemon.stop() == 0


@needs_fork
@pytest.mark.parametrize("is_forked", [True, False])
def test_a_stop_with_a_template_that_was_stopped(home, is_forked):
    """It hangs neither when the job is started without it nor later: the template is killed, and the job interrupted."""
    daemon = home.start().ready()
    home.drop("first", method="noop")
    until(lambda: home.where("first") == ["done"])
    template = template_of(daemon)
    if not is_forked:
        template.suspend()
    home.drop("x", method="wait_for", params=["gate"])
    daemon.expect("started", "id=x ")
    if is_forked:
        until(lambda: (home.spool / "locks" / "x.lock").exists() and (home.spool / "logs" / "jobs" / "x.log").exists())
        template.suspend()
    assert daemon.stop() == 0
    assert not is_alive(template.pid)
    assert home.where("x") == ["pending"]
    assert home.outcomes("pending", "x") == ["interrupted"]
