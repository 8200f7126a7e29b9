"""Real processes, killed by SIGKILL at the n-th call of one kind: what the simulated ones stand for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import orjson
import pytest

from spoolrunner import enqueue, job
from spoolrunner.layout import Layout
from spoolrunner.states import State

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOB = "tests.crash.real_jobs"
DEADLINE = 30.0
CALLS = ("rename", "renameat2", "unlink", "fsync", "flock", "write", "ftruncate")
"""The calls at which a process may be killed."""

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: nothing kills at a call"
)


@dataclass
class Site:
    """An installation for real processes. To `starts` the job appends, to `exits` what watches over its process."""

    folder: str
    layout: Layout
    starts: str
    exits: str

    def configure(self, **settings: object) -> str:
        """Write config.json."""
        path = os.path.join(self.folder, "config.json")
        raw = {
            "allowed_jobs": {JOB: ["append"]}, "python_path": [ROOT], "retry_interval": 0, "max_retries": 1,
            "executor": "spawn", **settings
        }  # fmt: skip
        with open(path, "wb") as stream:
            stream.write(orjson.dumps(raw))
        return path

    def strace(self, log: str, inject: str | None) -> list[str]:
        """A prefix that traces a program into `log` and, with `inject`, kills it at a call."""
        command = [shutil.which("strace") or "strace", "-qq", "-o", log, "-e", f"trace={','.join(CALLS)}"]
        return command + (["-e", f"inject={inject}"] if inject else [])

    def drain(self, prefix: list[str] | None = None) -> int:
        """Run a dispatcher until nothing is due; its exit status."""
        command = [*(prefix or []), sys.executable, "-m", "spoolrunner", "--config", f"{self.folder}/config.json"]
        done = subprocess.run(
            [*command, "run", "--drain"], cwd=ROOT, capture_output=True, timeout=DEADLINE, check=False
        )
        return done.returncode

    def wrap_python(self, log: str, inject: str | None) -> None:
        """Make the processes of jobs be traced, and killed."""
        path = os.path.join(self.folder, "python")
        words = " ".join(f"'{word}'" for word in [*self.strace(log, inject), sys.executable])
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f'#!/bin/sh\n{words} "$@"\nstatus=$?\necho $status >> {self.exits}\nexit $status\n')
        os.chmod(path, 0o700)
        self.configure(python_binary=path)

    def judge(self, killed: int) -> None:
        """The promises, for one job that may be started `killed` times more than once."""
        places = [s for s in State if os.path.exists(self.layout.job(s, "a"))]
        assert places == [State.DONE], places
        with open(self.layout.job(State.DONE, "a"), "rb") as stream:
            _, raw = job.parse(stream.read())
        numbers = [made["number"] for made in raw["attempts"]]
        with open(self.starts, encoding="ascii") as stream:
            starts = [int(line.split()[1]) for line in stream]
        assert len(starts) == len(set(starts))
        assert set(starts) <= set(numbers)
        assert 1 <= len(starts) <= 1 + killed
        assert not os.listdir(self.layout.locks)
        assert not os.listdir(self.layout.control)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = str(tmp_path_factory.mktemp("site"))
    return renew(Site(folder, Layout(f"{folder}/spool"), f"{folder}/starts", f"{folder}/exits"))


def renew(site: Site) -> Site:
    """Begin again with an empty spool and one job in it."""
    for path in (site.layout.root, site.starts, site.exits):
        shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.unlink(path)
    path = site.configure()
    enqueue(JOB, "append", [site.starts], id="a", config=path)
    return site


def calls(log: str) -> Counter[str]:
    """How often each call was made, by a trace."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        names = [line.split("(", 1)[0] for line in stream]
    return Counter(name for name in names if name in CALLS)


def kill_dispatcher(site: Site, call: str, at: int) -> None:
    renew(site)
    status = site.drain(site.strace(os.devnull, f"{call}:signal=SIGKILL:when={at}"))
    assert status == -9, f"the dispatcher was not killed at {call} {at}: {status}"
    site.drain()
    site.drain()
    site.judge(killed=0)


def kill_runner(site: Site, call: str, at: int) -> None:
    renew(site)
    site.wrap_python(os.devnull, f"{call}:signal=SIGKILL:when={at}")
    site.drain()
    with open(site.exits, encoding="ascii") as stream:
        assert stream.readline() == "137\n", f"the runner was not killed at {call} {at}"
    attempted = os.path.exists(site.starts)
    site.configure()
    site.drain()
    if not os.path.exists(site.layout.job(State.DONE, "a")):
        # Both attempts that the limit allows were killed; what counts is that each was counted and no more were made.
        assert os.path.exists(site.layout.job(State.FAILED, "a")), "the job is nowhere"
        with open(site.layout.job(State.FAILED, "a"), "rb") as stream:
            _, raw = job.parse(stream.read())
        assert [made["outcome"] for made in raw["attempts"]] == ["crashed", "crashed"]
        return
    site.judge(killed=int(attempted))


@pytest.mark.parametrize(("call", "at"), [("renameat2", 1), ("renameat2", 2)])
def test_a_real_dispatcher_killed_at_a_move_leaves_the_job_to_the_next(site: Site, call: str, at: int) -> None:
    """A dispatcher that SIGKILL ends at its claim or its last move loses nothing, and the job starts exactly once."""
    kill_dispatcher(site, call, at)


@pytest.mark.parametrize(("call", "at"), [("rename", 1), ("fsync", 2)])
def test_a_real_runner_killed_at_its_record_is_counted(site: Site, call: str, at: int) -> None:
    """A runner that SIGKILL ends at the rename of its record, or just after it, is counted as one start."""
    kill_runner(site, call, at)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_real_dispatcher_killed_at_every_call_leaves_the_job_to_the_next(site: Site) -> None:
    """A dispatcher that SIGKILL ends at any of its file calls loses nothing, and the job starts exactly once."""
    log = os.path.join(site.folder, "trace")
    site.drain(site.strace(log, None))
    counted = calls(log)
    assert sum(counted.values()) >= 12
    for call, times in counted.items():
        for at in range(1, times + 1):
            kill_dispatcher(site, call, at)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_real_runner_killed_at_every_call_is_counted(site: Site) -> None:
    """A runner that SIGKILL ends at any of its file calls is counted, and is not started more often than allowed."""
    log = os.path.join(site.folder, "trace")
    site.wrap_python(log, None)
    site.drain()
    counted = calls(log)
    assert sum(counted.values()) >= 6
    for call, times in counted.items():
        for at in range(1, times + 1):
            kill_runner(site, call, at)
