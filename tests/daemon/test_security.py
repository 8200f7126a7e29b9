"""docs/security.md with real processes: limits, environment, signatures, a spool that a group may write into."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from spoolrunner.client.job import Job
from spoolrunner.protocol import jsontext, signing
from spoolrunner.spool import traces
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from tests.daemon.harness import ALLOWED, COMMAND, Installation, until

KEY = bytes(range(32))
PAGE = (Path(__file__).parents[2] / "docs" / "job-file.md").read_text(encoding="utf-8")
SIGNERS = {"bash": ("bash", "sha256sum"), "php": ("php",)}
EXECUTORS = ["spawn", "fork"] if sys.platform == "linux" else ["spawn"]
as_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be two users")
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits that only Linux keeps")


@pytest.fixture
def guarded(make, tmp_path):
    """An installation that takes signed job files only."""
    (tmp_path / "key").write_text(KEY.hex())
    (tmp_path / "key").chmod(0o600)
    return make(signing_key="key")


def signed(job_id, **raw):
    return signing.sign(KEY, job_id, {"job": "jobs", **raw})


def drain(home):
    home.cli("run", "--drain", "--quiet")


@linux
@pytest.mark.parametrize("executor", EXECUTORS)
def test_limits_hold_a_job_and_are_recorded(make, executor):
    """A job beyond its memory, CPU time or files fails, is recorded as what it was, and others are not held to it."""
    policies = {
        "allocates": {"memory": "64M"},
        "spins": {"cpu_time": 1},
        "opens_files": {"open_files": 32},
        "privileges": {"no_new_privileges": True},
        "echo": {},
    }
    home = make(allowed_jobs={"jobs": policies}, executor=executor, max_retries=0)
    home.drop("big", method="allocates", params=[80])
    home.drop("small", method="allocates", params=[8])
    home.drop("long", method="spins")
    home.drop("wide", method="opens_files", params=[40])
    home.drop("humble", method="privileges")

    drain(home)

    assert home.document("failed", "big")["attempts"][0]["error"]["type"] == "MemoryError"
    assert home.document("done", "small")["result"] == 8 << 20
    assert home.document("failed", "long")["attempts"][0]["signal"] == signal.SIGXCPU
    assert "Too many open files" in home.document("failed", "wide")["attempts"][0]["error"]["message"]
    assert home.document("done", "humble")["result"] == "1"


@linux
def test_a_job_that_keeps_its_files_open_is_recorded(make):
    """A job that ends with every file open that it may have is recorded all the same."""
    home = make(open_files=32)
    home.drop("full", method="opens_files", params=[20])

    drain(home)

    assert home.outcomes("done", "full") == ["succeeded"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_environment_is_what_the_configuration_says(make, executor, monkeypatch):
    """A job gets the variables that are let through and those that are set, and no others but its mark and its config.json."""
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    home = make(
        inherit_environment=["PATH", "LC_*"],
        environment={"STAGE": "test", "PATH": os.environ["PATH"]},
        executor=executor,
    )
    home.drop("one", method="environment")

    drain(home)

    found = home.document("done", "one")["result"]
    assert found["STAGE"] == "test"
    assert found["LC_ALL"] == "C.UTF-8"
    assert "SECRET_TOKEN" not in found
    of_the_system = ("LC_", "SYSTEM", "WINE") if sys.platform == "win32" else ("LC_",)  # it gives them to every process
    added = {name for name in found if not name.upper().startswith(of_the_system)}
    assert added <= {"PATH", "STAGE", "SPOOLRUNNER_JOB", "SPOOLRUNNER_CONFIG"}
    assert found["SPOOLRUNNER_CONFIG"] == str(home.folder / "config.json")


def test_only_what_is_signed_runs(guarded):
    """With a key, a file without a signature, or with one of another id, is refused; what our own commands enqueue runs."""
    guarded.drop("unsigned", method="noop")
    guarded.drop("moved", signed("another", method="noop"))
    guarded.drop("good", signed("good", method="echo", params=["hi"]))
    ours = guarded.cli("enqueue", "jobs", "echo", "there").strip()

    drain(guarded)

    assert "signature: missing" in guarded.reason("unsigned")["what"]
    assert "signature: does not fit" in guarded.reason("moved")["what"]
    assert guarded.document("done", "good")["result"] == "hi"
    assert guarded.document("done", ours)["result"] == "there"


def test_a_signed_job_stays_signed_through_retries_and_crashes(guarded):
    """Records are signed: after a failure, a crash, and a retry by hand a job runs again without being signed anew."""
    daemon = guarded.start().ready()
    guarded.drop("tries", signed("tries", method="fail_until", params=[2]))
    daemon.expect("completed", "id=tries ")
    guarded.drop("dies", signed("dies", method="die"))
    daemon.expect("failed", "id=dies ", "verdict=failed")

    assert guarded.outcomes("done", "tries") == ["failed", "succeeded"]
    until(lambda: guarded.where("dies") == ["failed"])
    (guarded.spool / "failed" / "dies.json").rename(guarded.spool / "pending" / "dies.json")
    daemon.expect("failed", "id=dies ", "verdict=failed")
    until(lambda: guarded.where("dies") == ["failed"])
    assert guarded.outcomes("failed", "dies") == ["crashed"] * 4


def test_what_was_changed_is_signed_only_by_name(guarded):
    """A mended file is refused until a person signs it by its name; `retry --all` signs nothing."""
    guarded.drop("typo", signed("typo", method="ech", params=["mended"]))
    drain(guarded)
    failed = guarded.spool / "failed" / "typo.json"
    failed.write_bytes(failed.read_bytes().replace(b'"ech"', b'"echo"'))

    guarded.cli("retry", "typo")
    drain(guarded)
    assert "does not fit" in guarded.reason("typo")["what"]
    guarded.cli("retry", "--all")
    assert guarded.where("typo") == ["failed"]
    guarded.cli("retry", "--all", "--sign", code=2)
    guarded.cli("retry", "--sign", "typo")
    drain(guarded)

    assert guarded.document("done", "typo")["result"] == "mended"


def test_what_is_signed_is_what_was_read(guarded):
    """A producer who kept another name of his refused file, and changes it after it was shown, gets nothing signed unread."""
    staged = guarded.spool / "tmp" / "staged"
    staged.write_text('{"job": "jobs", "method": "echo", "params": ["harmless"]}')
    kept = guarded.folder / "kept"
    os.link(staged, kept)
    staged.rename(guarded.spool / "pending" / "x.json")
    drain(guarded)
    assert "harmless" in guarded.cli("show", "x")
    kept.write_text('{"job": "jobs", "method": "echo", "params": ["changed"]}')
    guarded.cli("retry", "--sign", "x", code=2)
    assert guarded.where("x") == ["failed"]
    assert "changed" in guarded.cli("show", "x")
    kept.write_text('{"job": "jobs", "method": "echo", "params": ["changed once more"]}')
    guarded.cli("retry", "--sign", "x")
    drain(guarded)
    assert guarded.document("done", "x")["result"] == "changed"


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open there cannot be renamed")
def test_what_its_maker_writes_after_the_claim_is_not_signed(guarded):
    """A forger who kept his signed file open and changes it while it runs gets nothing signed, even if the job is killed."""
    staged = guarded.spool / "tmp" / "kept"
    data = signed("kept", method="wait_for", params=["never"])
    forged = data.replace(b'"never"', b'"other"')
    daemon = guarded.start().ready()
    with staged.open("w+b") as stream:
        stream.write(data)
        stream.flush()
        staged.rename(guarded.spool / "pending" / "kept.json")
        daemon.expect("started", "id=kept ")
        until(lambda: guarded.notes() == ["begin waited"])
        stream.seek(0)
        stream.write(forged)
        stream.flush()
        marker = traces.peek(str(guarded.spool / "locks" / "kept.lock")).marker
        assert marker is not None
        os.kill(marker.pid, signal.SIGKILL)

        daemon.expect("refused", "id=kept ", "signature")

    assert guarded.notes() == ["begin waited"]
    assert "signature: missing" in guarded.reason("kept")["what"]


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
def test_no_command_follows_a_link(home):
    """A link that a stranger left is never read through: not by a command, and not from Python."""
    outside = home.folder / "outside.json"
    outside.write_text('{"job": "jobs", "method": "noop", "meta": {"secret": "password"}}')
    (home.spool / "pending" / "link.json").symlink_to(outside)
    drain(home)
    assert home.where("link") == ["failed"]

    for words in (
        ["show", "link"],
        ["show", "link", "--json"],
        ["list", "failed", "--json"],
        ["status", "--no-dispatcher-ok"],
    ):
        assert "password" not in home.cli(*words)
    job = Job("link", str(home.spool))
    assert job.state == "failed"
    assert job.document is None
    assert "link" in job.problem


def test_a_job_called_config_is_a_job(make):
    """`config` is an id as any other, and its file is not taken for the configuration by who stands in its folder."""
    home = make()
    program = Path(home.folder) / "program"
    home.drop("config", b'{"allowed_jobs": {"a": ["b"]}, "python_binary": "./program"}')
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o700)
    drain(home)
    assert home.where("config") == ["failed"]
    failed = home.spool / "failed"
    shown = subprocess.run([*COMMAND, "check"], cwd=failed, capture_output=True, encoding="utf-8", check=False)
    assert str(home.folder / "config.json") in shown.stdout
    assert not (failed / "ran").exists()
    home.drop("config", method="echo", params=[1])
    drain(home)
    assert home.where("config") == ["done", "failed"]


def test_a_key_that_cannot_be_used(make, tmp_path):
    """A key file that is missing, or holds no key, is an error of the configuration that says what to do."""
    home = make(signing_key="key")
    for content in (None, "secret"):
        if content:
            (tmp_path / "key").write_text(content)
        ended = subprocess.run(
            [*COMMAND, "run", "--drain"], cwd=home.folder, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 2
        assert "signing_key" in ended.stderr


@pytest.mark.parametrize("tag", SIGNERS)
def test_the_page_tells_how_to_sign(guarded, tag):
    """The examples of docs/job-file.md make a file that runs, in each language."""
    if any(shutil.which(name) is None for name in SIGNERS[tag]):
        pytest.skip(f"not on this machine: {tag}")
    (code,) = re.findall(rf"^```{tag} signing\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (guarded.folder / "sign").write_text(code)
    env = {**os.environ, "KEY": str(guarded.folder / "key"), "ID": "theirs"}

    ended = subprocess.run([tag, "sign"], cwd=guarded.folder, env=env, capture_output=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert signing.problem(KEY, "theirs", jsontext.decode(ended.stdout), ended.stdout) is None


def as_stranger(folder, user, group, *attempts):
    """What each attempt (a function and its arguments) of another user comes to, in a process that stands in `folder`."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            for call, *given in attempts:
                try:
                    call(*given)
                    said = "done"
                except OSError as error:
                    said = type(error).__name__
                os.write(theirs, f"{said}\n".encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours, encoding="utf-8") as stream:
        found = stream.read().splitlines()
    os.waitpid(child, 0)
    return found


def write(path, text):
    with open(path, "x", encoding="utf-8") as stream:
        stream.write(text)


@as_root
def test_a_group_may_enqueue_and_nothing_else(make):
    """With the modes of docs/security.md another user of the group can enqueue, and cannot see, change or end anything."""
    home = make(allowed_jobs=ALLOWED)
    group, stranger = 54321, 54322
    for name, mode in {".": 0o710, "pending": 0o3730, "tmp": 0o3730}.items():
        os.chown(home.spool / name, -1, group)
        (home.spool / name).chmod(mode)
    drain(home)
    Spool(Layout(str(home.spool))).publish("ours", b'{"job": "jobs", "method": "noop"}')
    theirs = '{"job": "jobs", "method": "echo", "params": ["theirs"]}'

    there = Spool(Layout("."))
    could = as_stranger(
        home.spool,
        stranger,
        group,
        (write, "tmp/mine", theirs),
        (os.rename, "tmp/mine", "pending/theirs.json"),
        (there.publish, "by-enqueue", theirs.encode()),
        (there.publish_many, {f"batch-{number}": theirs.encode() for number in range(10)}),
    )
    could_not = as_stranger(
        home.spool,
        stranger,
        group,
        (os.listdir, "pending"),
        (os.listdir, "done"),
        (os.unlink, "pending/ours.json"),
        (os.rename, "pending/theirs.json", "pending/ours.json"),
        (open, "pending/ours.json"),
        (write, "control/stop", ""),
        (open, "dispatcher.lock"),
        (open, "status.json"),
    )

    assert could == ["done"] * 4
    assert (home.spool / "pending" / "by-enqueue.json").stat().st_mode & 0o777 == 0o640
    assert (home.spool / "pending" / "by-enqueue.json").stat().st_gid == group
    assert could_not == ["PermissionError"] * 8
    drain(home)
    for job_id in ("theirs", "by-enqueue", "batch-9"):
        assert home.document("done", job_id)["result"] == "theirs"
    assert home.where("ours") == ["done"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_no_command_meets_more_than_plain_files(home, kind):
    """What lies at a name that we read or write is neither followed nor waited for, by no command, and by no dispatcher."""
    outside = home.folder / "outside"
    outside.write_text('{"outcome": "password", "fraction": 1, "text": "password"}')
    home.drop("failed", method="fail")
    home.drop("waits", method="echo", params=[1], delay="1h")
    drain(home)
    names = ["status.json", "failed/failed.reason", "locks/waits.progress", "logs/jobs/waits.log"]
    names += [f"control/{name}" for name in ("pause", "stop", "cancel-waits")]
    for name in names:
        (home.spool / name).unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(home.spool / name)
        else:
            (home.spool / name).symlink_to(outside)
    for words in (
        ["status", "--no-dispatcher-ok"],
        ["list"],
        ["show", "failed"],
        ["show", "waits", "--json"],
        ["prune"],
        ["pause"],
    ):
        assert "password" not in home.cli(*words)
    assert "password" not in home.cli("logs", "waits", code=1)
    home.cli("cancel", "waits")  # no dispatcher runs, so it is not waited for
    home.cli("resume")
    drain(home)
    assert home.where("waits") == ["failed"]
    assert outside.read_text().count("password") == 2


@pytest.fixture
def theirs():
    """An installation of another user, in a folder that he can reach."""
    uid = gid = 54321
    with tempfile.TemporaryDirectory() as folder:
        home = Installation(Path(folder), max_retries=0)
        (home.folder / "config.json").chmod(0o644)
        home.drop("waits", method="echo", params=[1])
        home.drop("failed", b"{}")
        (home.spool / "pending" / "failed.json").rename(home.spool / "failed" / "failed.json")
        for place in (home.folder, *home.folder.rglob("*")):
            os.chown(place, uid, gid)
        yield home
        home.close()


def owners_of(home):
    return {path.lstat().st_uid for path in home.spool.rglob("*")}


@as_root
def test_what_root_does_in_the_spool_of_a_user_is_the_users(theirs):
    """Root's commands act as the user of the spool: what they leave is his, so that his dispatcher can read it."""
    home = theirs
    for words in (
        ["pause"],
        ["resume"],
        ["pause"],
        ["retry", "failed"],
        ["enqueue", "jobs", "noop"],
        ["status", "--no-dispatcher-ok"],
    ):
        home.cli(*words)
    home.cli("cancel", "waits")
    home.cli("stop", code=1)
    assert owners_of(home) == {54321}
    assert sorted(os.listdir(home.spool / "control")) == ["cancel-waits", "pause"]


@as_root
def test_python_as_root_leaves_what_the_user_can_read(theirs):
    """The helper stays root, since other threads may need that, and gives away what it makes."""
    from_python = "from spoolrunner import enqueue; print(enqueue('jobs', 'noop', config='config.json').id)"
    done = subprocess.run(
        [sys.executable, "-c", from_python], cwd=theirs.folder, capture_output=True, text=True, check=True
    )
    assert theirs.where(done.stdout.strip()) == ["pending"]
    assert owners_of(theirs) == {54321}


@as_root
def test_root_is_led_nowhere_by_a_user(theirs):
    """A user who puts links into his spool leads root's commands to nothing that he could not reach himself."""
    home, control = theirs, theirs.spool / "control"
    with tempfile.TemporaryDirectory() as outside:
        precious = Path(outside) / "old.json"
        precious.write_text("kept")
        for name in ("pause", "stop", "cancel-waits"):
            (control / name).symlink_to(precious)
        home.cli("pause")
        home.cli("cancel", "waits")
        assert precious.read_text() == "kept"
        for name in ("done", "pending", "control", "failed"):
            (home.spool / name).rename(home.spool / "aside")
            (home.spool / name).symlink_to(outside)
            for words in (
                ["prune"],
                ["pause"],
                ["cancel", "old"],
                ["retry", "old"],
                ["enqueue", "jobs", "noop"],
                ["list"],
            ):
                home.cli(*words, code=2)
            (home.spool / name).unlink()
            (home.spool / "aside").rename(home.spool / name)
        assert os.listdir(outside) == ["old.json"]


@as_root
def test_programs_of_a_user_are_not_run_by_root(theirs):
    """What starts programs is refused to root where only a user says which."""
    (theirs.folder / "spoolrunner-demo").mkdir()
    os.chown(theirs.folder / "spoolrunner-demo", 54321, 54321)
    for words in (["run", "--drain"], ["check"], ["demo"]):
        done = subprocess.run([*COMMAND, *words], cwd=theirs.folder, capture_output=True, text=True, check=False)
        assert (words, done.returncode, "run as you" in done.stderr) == (words, 2, True)
