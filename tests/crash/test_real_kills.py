"""Real processes, killed by SIGKILL at the n-th call of one kind: what the simulated ones stand for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from spoolrunner import enqueue
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout
from tests.crash.findings import Findings
from tests.crash.scenarios import EVERY_CRASH_POINT
from tests.crash.site import JOB, ROOT, Site, calls, renew
from tests.tally import Tally

TEMPLATE_CALLS = ("clone", "wait4", "read", "write", "setsid", "poll", "openat")
"""The calls at which the template is killed: they are those by which it starts and watches over processes."""
TEMPLATE_SAMPLE = 40
AT_ITS_OUTCOME_LINE = 0
OPERATIONS_OF_A_JOB = 60
"""More than a job's process makes; those that are not reached are not counted."""

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: nothing kills at a call"
)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = str(tmp_path_factory.mktemp("site"))
    return renew(Site(folder, Layout(f"{folder}/spool"), f"{folder}/starts", f"{folder}/exits"))


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
    come_to_its_end(site)


def come_to_its_end(site: Site) -> None:
    """The next dispatcher, whose processes are left alone, runs what is left to run."""
    attempted = os.path.exists(site.starts)
    site.configure()
    site.drain()
    if not os.path.exists(site.layout.job(State.DONE, "a")):
        # Both attempts that the limit allows were killed; what counts is that each was counted and no more were made.
        assert os.path.exists(site.layout.job(State.FAILED, "a")), "the job is nowhere"
        assert site.outcomes(State.FAILED) == ["crashed", "crashed"]
        return
    site.judge(killed=int(attempted))


def attempts_started(site: Site) -> list[str]:
    """The numbers of the attempts that reached the job."""
    with open(site.starts, encoding="ascii") as stream:
        return [line.split()[1] for line in stream]


@pytest.mark.parametrize(("call", "at"), [("renameat2", 1), ("renameat2", 2)])
def test_a_real_dispatcher_killed_at_a_move_leaves_the_job_to_the_next(site: Site, call: str, at: int) -> None:
    """A dispatcher that SIGKILL ends at its claim or its last move loses nothing, and the job starts exactly once."""
    kill_dispatcher(site, call, at)


# By its first write it says that it has come to our program.
@pytest.mark.parametrize("at", [2, 6], ids=["its start marker", "its outcome line"])
def test_a_real_runner_killed_at_a_line_of_its_lock_file_is_counted(site: Site, at: int) -> None:
    """A runner that SIGKILL ends before its start marker is no start, and one that it ends before its outcome line is one."""
    kill_runner(site, "write", at)
    assert attempts_started(site) == (["1"] if at == 2 else ["1", "2"])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_real_dispatcher_killed_at_every_call_leaves_the_job_to_the_next(site: Site, tally: Tally) -> None:
    """A dispatcher that SIGKILL ends at any of its file calls loses nothing, and the job starts exactly once."""
    log = os.path.join(site.folder, "trace")
    site.drain(site.strace(log, None))
    counted = calls(log)
    assert sum(counted.values()) >= 12
    findings = Findings()
    for call, times in counted.items():
        for at in range(1, times + 1):
            with findings.trial(f"{call} {at}"):
                kill_dispatcher(site, call, at)
    findings.tell(tally, EVERY_CRASH_POINT)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_real_runner_killed_at_every_call_is_counted(site: Site, tally: Tally) -> None:
    """A runner that SIGKILL ends at any of its file calls is counted, and is not started more often than allowed."""
    log = os.path.join(site.folder, "trace")
    site.wrap_first_python([*site.strace(log, None), sys.executable])
    site.drain()
    counted = calls(log)
    assert sum(counted.values()) >= 6
    findings = Findings()
    for call, times in counted.items():
        for at in range(1, times + 1):
            with findings.trial(f"{call} {at}"):
                kill_runner(site, call, at)
    findings.tell(tally, EVERY_CRASH_POINT)


def kill_job_of_template(site: Site, at: int) -> bool:
    """Kill the process that the template forks for a job at its n-th operation; whether it made so many."""
    renew(site)
    shim = os.path.join(ROOT, "tests", "crash", "dies_at.py")
    site.wrap_first_python([sys.executable, shim, str(at), site.exits], executor="fork")
    site.drain()
    killed = os.path.exists(site.exits)
    come_to_its_end(site)
    return killed


def test_a_forked_job_killed_at_its_outcome_line_is_counted(site: Site) -> None:
    """A process that the template forked for a job, and that SIGKILL ends before it leaves its outcome, is counted."""
    assert kill_job_of_template(site, AT_ITS_OUTCOME_LINE)
    assert attempts_started(site) == ["1", "2"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_forked_job_killed_at_every_operation_is_counted(site: Site, tally: Tally) -> None:
    """A process that the template forked for a job is counted wherever it is killed, and started no more than allowed."""
    findings = Findings()
    for at in range(1, OPERATIONS_OF_A_JOB):
        with findings.trial(f"operation {at}"):
            if not kill_job_of_template(site, at):
                break
    assert findings.tried >= 9
    findings.tell(tally, EVERY_CRASH_POINT)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_template_killed_at_its_calls_loses_no_job(site: Site, tally: Tally) -> None:
    """A template that SIGKILL ends at any of a sample of its calls is replaced, and the job is run within its limit."""
    log = os.path.join(site.folder, "trace")
    site.wrap_first_python([*site.strace(log, None, TEMPLATE_CALLS), sys.executable], executor="fork")
    site.drain()
    points = [(call, at) for call, times in calls(log, TEMPLATE_CALLS).items() for at in range(1, times + 1)]
    assert len(points) > TEMPLATE_SAMPLE
    findings = Findings()
    for call, at in points[:: len(points) // TEMPLATE_SAMPLE]:
        with findings.trial(f"{call} {at}"):
            renew(site)
            inject = f"{call}:signal=SIGKILL:when={at}"
            site.wrap_first_python([*site.strace(os.devnull, inject, TEMPLATE_CALLS), sys.executable], executor="fork")
            site.drain()
            come_to_its_end(site)
    findings.tell(tally, EVERY_CRASH_POINT)


def make_failed(site: Site) -> None:
    """The job lies in failed/, as a person moved it there."""
    renew(site)
    os.rename(site.layout.job(State.PENDING, "a"), site.layout.job(State.FAILED, "a"))


def make_nothing(site: Site) -> None:
    """There is no job yet."""
    renew(site)
    os.unlink(site.layout.job(State.PENDING, "a"))


def one_job(site: Site) -> None:
    """There is one job, whole, in one place; run it."""
    places = [state for state in State if os.path.exists(site.layout.job(state, "a"))]
    assert places in ([State.PENDING], [State.FAILED]), places
    if places == [State.FAILED]:
        os.rename(site.layout.job(State.FAILED, "a"), site.layout.job(State.PENDING, "a"))
    site.drain()
    site.judge(killed=0)


def none_or_one_job(site: Site) -> None:
    """There is one job, whole, or none; publish it if there is none, and run it."""
    if not os.path.exists(site.layout.job(State.PENDING, "a")):
        enqueue(JOB, "append", [site.starts], id="a", config=os.path.join(site.folder, "config.json"))
    one_job(site)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("prepare", "words", "judge"),
    [
        (make_nothing, ("enqueue", JOB, "append", "STARTS", "--id", "a"), none_or_one_job),
        (make_failed, ("retry", "a"), one_job),
    ],
    ids=["enqueue", "retry"],
)
def test_a_real_command_killed_at_every_call_leaves_the_job_whole(site, tally, prepare, words, judge) -> None:
    """`spoolrunner enqueue` and `retry`, ended by SIGKILL at any call, leave the job whole, in one place, or unpublished."""
    given = tuple(site.starts if word == "STARTS" else word for word in words)
    log = os.path.join(site.folder, "trace")
    prepare(site)
    assert site.command(*given)[0] == 0  # once without a look, which writes the bytecode of what was changed
    prepare(site)
    assert site.command(*given, prefix=site.strace(log, None))[0] == 0
    findings = Findings()
    for call, times in calls(log).items():
        for at in range(1, times + 1):
            with findings.trial(f"{words[0]}: {call} {at}"):
                prepare(site)
                status, _ = site.command(*given, prefix=site.strace(os.devnull, f"{call}:signal=SIGKILL:when={at}"))
                assert status == -9
                judge(site)
    findings.tell(tally, EVERY_CRASH_POINT)


@pytest.mark.skipif(shutil.which("mv") is None, reason="there is no mv")
def test_a_real_mv_killed_at_its_rename_moves_nothing(site: Site) -> None:
    """`mv -n` from failed/ to pending/, ended by SIGKILL at its rename, leaves the job where it was."""
    make_failed(site)
    move = ["mv", "-n", site.layout.job(State.FAILED, "a"), site.layout.job(State.PENDING, "a")]
    done = subprocess.run([*site.strace(os.devnull, "renameat2:signal=SIGKILL:when=1"), *move], check=False)
    assert done.returncode == -9
    one_job(site)
