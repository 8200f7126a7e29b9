"""What differs between systems and must make no difference: names, lengths of paths, files that others hold open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from tests.daemon.harness import Installation, until

windows = pytest.mark.skipif(sys.platform != "win32", reason="only Windows refuses to move a file that is open")
# Opens a file as most programs do, until its standard input ends.
HOLD = "import sys; held = open(sys.argv[1], 'rb'); print('held', flush=True); sys.stdin.read()"
ENQUEUE = """
import sys, spoolrunner
for number in range(10):
    spoolrunner.enqueue("jobs", "noop", id=f"{sys.argv[1]}-{number}")
"""


class Holder:
    """Another program that has a file open."""

    def __init__(self, path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        """It closes the file and ends."""
        self._process.communicate()


def check_a_job_runs(home: Installation) -> None:
    """One job is enqueued, run and shown by the commands."""
    job_id = home.cli("enqueue", "jobs", "echo", "grün 漢").strip()
    home.cli("run", "--drain", "--quiet")
    assert home.where(job_id) == ["done"]
    assert home.document("done", job_id)["result"] == "grün 漢"
    assert "echo grün 漢" in home.cli("logs", job_id)


@pytest.mark.parametrize("name", ["with space", "Aufträge 漢字", "it's (100%) & more"])
def test_a_folder_of_any_name(tmp_path, name):
    """Jobs run from a folder whatever its name is; their output and results are kept."""
    folder = tmp_path / name
    folder.mkdir()
    check_a_job_runs(Installation(folder))


def test_a_spool_whose_path_is_long(tmp_path):
    """Jobs run in a spool whose path alone is longer than what Windows takes without further ado."""
    inside = "/".join(["a-long-name-" * 4] * 6)
    home = Installation(tmp_path, spool=inside)
    home.spool = Path(Layout(str(tmp_path / inside)).root)
    home.cli("init")
    check_a_job_runs(home)


def test_ids_that_differ_in_case_alone(home):
    """Two ids that differ in case alone are one id where the file system says so: the second job waits for the first."""
    is_one = Spool(Layout(str(home.spool))).same("ONE") == "one"
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    home.drop("ONE", method="noop")
    home.drop("mark", method="noop")
    until(lambda: home.where("mark") == ["done"])
    if is_one:
        assert home.notes() == ["begin waited", "noop"]
        home.cli("cancel", "--no-wait", "OnE")
        daemon.expect("outcome=cancelled")
    else:
        daemon.expect("completed", "id=ONE ")
        (home.folder / "go").touch()
    until(lambda: Counter(home.notes())["noop"] == 2)
    assert daemon.stop() == 0
    assert json.loads(home.cli("status", "--json", "--no-dispatcher-ok"))["counts"]["running"] == 0


def test_several_programs_enqueue_at_once(home):
    """What four programs enqueue at the same time, while a dispatcher runs, is all there, and each job runs once."""
    daemon = home.start().ready()
    programs = [subprocess.Popen([sys.executable, "-c", ENQUEUE, name], cwd=home.folder) for name in "abcd"]
    assert [program.wait(60) for program in programs] == [0] * 4
    until(lambda: len(list((home.spool / "done").iterdir())) == 40)
    assert home.notes() == ["noop"] * 40
    assert daemon.stop() == 0


@windows
def test_a_waiting_file_that_another_program_holds(home):
    """A job whose file is held open is put off, the others run meanwhile, and it runs once when it is let go."""
    home.cli("pause")
    daemon = home.start()
    daemon.expect("paused")
    home.drop("one", method="echo", params=[1], priority=9)
    holder = Holder(home.spool / "pending" / "one.json")
    home.cli("resume")
    daemon.expect("trouble", "another program has it open")
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    assert home.where("one") == ["pending"]
    holder.let_go()
    daemon.expect("completed", "id=one ")
    assert home.outcomes("done", "one") == ["succeeded"]


@windows
def test_a_running_file_that_another_program_holds(home):
    """A job whose file is held open when it ends is recorded when it is let go, and has run once; the others run meanwhile."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    holder = Holder(home.spool / "running" / "one.json")
    (home.folder / "go").touch()
    log = home.spool / "logs" / "jobs" / "one.log"
    until(lambda: "the record cannot be written" in log.read_text("utf-8"))
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    holder.let_go()
    daemon.expect("completed", "id=one ")
    assert home.outcomes("done", "one") == ["succeeded"]
    assert Counter(home.notes())["begin waited"] == 1


@windows
def test_a_crashed_job_whose_file_another_program_holds(home):
    """A job that died while its file was held open is recorded as crashed when it is let go, and tried again."""
    daemon = home.start().ready()
    home.drop("one", method="leave", params=[3], max_retries=0)
    home.drop("two", method="wait_for", params=["go"])
    daemon.expect("failed", "id=one ")
    until(lambda: "begin waited" in home.notes())
    holder = Holder(home.spool / "running" / "two.json")
    home.cli("cancel", "--no-wait", "two")
    daemon.expect("trouble", "another program has it open")
    home.drop("three", method="noop")
    daemon.expect("completed", "id=three ")
    assert home.where("two") == ["running"]
    holder.let_go()
    daemon.expect("outcome=cancelled")
    assert home.outcomes("failed", "two") == ["cancelled"]


@windows
def test_files_around_a_job_that_another_program_holds(home):
    """A held log, or lock file, keeps no job from its end; what could not be removed is told of or swept later."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    holders = [Holder(home.spool / "logs" / "jobs" / "one.log"), Holder(home.spool / "locks" / "one.lock")]
    (home.folder / "go").touch()
    daemon.expect("completed", "id=one ")
    for holder in holders:
        holder.let_go()
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one~2 ")


@pytest.mark.skipif(sys.platform != "linux", reason="file names of other systems are Unicode")
@pytest.mark.parametrize("executor", ["fork", "spawn"])
def test_a_folder_whose_name_is_no_utf_8(tmp_path, executor):
    """An installation in such a folder works as in any other, and every command prints the path with an escape."""
    folder = tmp_path / os.fsdecode(b"b\xfccher")
    folder.mkdir()
    home = Installation(folder, executor=executor, allowed_jobs={"jobs": ["echo"]})
    try:
        job_id = home.cli("enqueue", "jobs", "echo", "x").strip()
        home.cli("run", "--drain")
        assert home.where(job_id) == ["done"]
        for words in (
            ["check"],
            ["list"],
            ["show", job_id],
            ["logs", job_id],
            ["status", "--no-dispatcher-ok"],
            ["retry", job_id],
            ["pause"],
        ):
            home.cli(*words)
        assert "b\\udcfccher" in home.cli("status", "--no-dispatcher-ok")
    finally:
        home.close()
