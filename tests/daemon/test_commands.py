"""Commands as jobs, by real dispatchers: docs/commands.md as it is printed, and what commands share with callables."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.daemon.harness import COMMAND, is_alive, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of POSIX")
PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
EXECUTORS = ["spawn", "inline"] if sys.platform == "darwin" else ["fork", "spawn"]
has_bubblewrap = pytest.mark.skipif(
    sys.platform == "linux" and shutil.which("bwrap") is None, reason="bwrap is not installed"
)
has_imagemagick = pytest.mark.skipif(shutil.which("identify") is None, reason="identify is not installed")


def blocks(tag: str) -> list[str]:
    """The code blocks of the page in that language."""
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def shell(*argv, **keys) -> dict:
    """A whitelist with the one command `shell.run`."""
    return {"allowed_jobs": {"shell": {"run": {"argv": list(argv), **keys}}}}


def script(text: str, **keys) -> dict:
    """The same, of a text that sh runs: the operator may choose a shell, with a fixed text, as any other program."""
    return shell("sh", "-c", text.replace("{", "{{").replace("}", "}}"), **keys)


@pytest.fixture(params=EXECUTORS)
def executor(request) -> str:
    return request.param


# -- the page


@pytest.fixture
def page(make):
    """An installation with the whitelist of the page, and a picture."""
    home = make(**json.loads(blocks("json")[0]))
    (home.folder / "thumbnails").mkdir()
    (home.folder / "pictures").mkdir()
    (home.folder / "pictures" / "left.tmp").write_text("x")
    (home.folder / "pictures" / "-n.txt").write_text("a name that begins with -")
    return home


def without_sandbox(home) -> None:
    """Take the sandbox out of the page's whitelist, for a machine that has none."""
    settings = json.loads((home.folder / "config.json").read_text())
    del settings["allowed_jobs"]["shell"]["thumbnail"]["sandbox"]
    (home.folder / "config.json").write_text(json.dumps(settings))


def as_a_shell(home, text: str) -> subprocess.CompletedProcess:
    """Run shell lines of the page as they are printed, where `spoolrunner` is a command."""
    (home.folder / "bin").mkdir(exist_ok=True)
    command = home.folder / "bin" / "spoolrunner"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{home.folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-ec", text], cwd=home.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@has_imagemagick
@has_bubblewrap
def test_the_page(page) -> None:
    """The three commands of the page do their work: a number, a thumbnail in its sandbox, a backup that can be read."""
    if sys.platform != "linux":
        without_sandbox(page)
    picture = page.folder / "pictures" / "a.png"
    subprocess.run(["convert", "-size", "200x100", "xc:red", str(picture)], check=True, timeout=60)
    enqueued = as_a_shell(page, blocks("sh")[0])
    assert (enqueued.returncode, enqueued.stderr) == (0, "")
    usage, thumbnail = enqueued.stdout.split()
    assert page.cli("check").endswith("3 of 3 allowed methods found\n")
    page.cli("run", "--drain")
    assert page.document("done", usage)["result"].endswith("\tpictures")
    assert page.outcomes("done", thumbnail) == ["succeeded"]
    size = subprocess.run(
        ["identify", "-format", "%wx%h", page.folder / "thumbnails" / "a.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert size.stdout == "64x32"
    assert page.outcomes("done", "backup-1") == ["succeeded"]
    with tarfile.open(page.folder / "pictures.tgz") as archive:
        assert sorted(archive.getnames()) == ["pictures", "pictures/-n.txt", "pictures/a.png"]


def test_the_python_of_the_page(page, monkeypatch) -> None:
    """The example waits for the result."""
    without_sandbox(page)
    daemon = page.start().ready()
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[0]],
        cwd=page.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.endswith("\tpictures\n")
    daemon.stop()


def test_a_backup_that_is_tried_with_bad_names(page) -> None:
    """Values that would be options of tar are refused by the command line and by the dispatcher, and nothing is run."""
    without_sandbox(page)
    evil = {"archive": "x.tgz", "folders": ["--checkpoint=1", "--checkpoint-action=exec=sh -c 'touch owned'"]}
    assert "begins with -" in page_error(page, evil)
    page.drop("evil", job="shell", method="backup", params=evil)
    page.drop(
        "odd",
        job="shell",
        method="backup",
        params={"archive": "$(touch owned).tgz", "folders": ["pictures; touch owned"]},
    )
    page.cli("run", "--drain")
    assert page.reason("evil")["what"].startswith("params: folders: '--checkpoint=1' begins with -")
    assert [*page.where("odd"), *page.outcomes(page.where("odd")[0], "odd")] == ["pending", "failed"]
    assert not (page.folder / "owned").exists()


def page_error(page, params) -> str:
    """What `spoolrunner enqueue` complains about."""
    words = [*COMMAND, "enqueue", "shell", "backup", "--json", json.dumps(params)]
    done = subprocess.run(words, cwd=page.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    return done.stderr


# -- as any job


def test_output_folder_and_environment(make, executor) -> None:
    """What it prints is in its log, it runs in the folder of config.json, and its environment is that of a job."""
    text = "echo out; echo err >&2; pwd; echo $FLAVOUR; echo $SPOOLRUNNER_CONFIG; cat; echo $0 $#"
    home = make(**script(text), environment={"FLAVOUR": "vanilla"}, executor=executor)
    home.drop("x", job="shell", method="run")
    home.cli("run", "--drain")
    assert home.outcomes("done", "x") == ["succeeded"]
    header, *lines = (home.spool / "logs" / "jobs" / "x.log").read_text().splitlines()
    assert header.startswith("--- attempt 1")
    folder = str(home.folder)
    assert lines == ["out", "err", folder, "vanilla", f"{folder}/config.json", "sh 0"]
    assert home.document("done", "x")["attempts"][0]["exit_status"] == 0


@pytest.mark.parametrize(
    ("text", "outcomes", "error", "status"),
    [
        ("exit 3", ["failed", "failed"], "sh ended with status 3", 3),
        ("exit 75", ["failed", "failed"], "sh ended with status 75, which asks to be tried again later", 75),
        ("kill -SEGV $$", ["failed", "failed"], "sh was ended by SIGSEGV", None),
        ("kill -TERM $$", ["failed", "failed"], "sh was ended by SIGTERM", None),
    ],
)
def test_how_it_ends(make, text, outcomes, error, status) -> None:
    """A failing end is retried as an exception is, and uses the retries."""
    home = make(**script(text))
    home.drop("x", job="shell", method="run")
    home.start()
    until(lambda: home.where("x") == ["failed"])
    attempts = home.document("failed", "x")["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == outcomes
    kind = "spoolrunner.Retry" if status == 75 else "ProgramError"
    assert attempts[0]["error"] == {"type": kind, "message": error}
    assert attempts[0].get("exit_status") == status


def test_it_succeeds_at_last(make, executor) -> None:
    """A command that asks to be tried again is, and its result is that of the last try."""
    home = make(
        **script("echo x >> tries; test $(wc -l < tries) -gt 1 || exit 75; wc -l < tries", result="json"),
        executor=executor,
    )
    home.drop("x", job="shell", method="run")
    home.start().expect("completed", "x")
    until(lambda: home.where("x") == ["done"])
    assert home.outcomes("done", "x") == ["failed", "succeeded"]
    assert home.document("done", "x")["result"] == 2


def test_json_that_is_none(make) -> None:
    """The job is done, and its attempt says why there is no result; null is none without a word."""
    home = make(**shell("printf", "%s", "{text}", result="json"))
    texts = {"a": "{", "b": "", "c": "NaN", "d": str(2**64), "e": "[" * 64 + "]" * 64, "f": "null", "g": "[5]"}
    for job_id, text in texts.items():
        home.drop(job_id, job="shell", method="run", params={"text": text})
    home.cli("run", "--drain")
    assert {job_id: home.outcomes("done", job_id) for job_id in texts} == {key: ["succeeded"] for key in texts}
    dropped = {job_id: home.document("done", job_id)["attempts"][0].get("result_dropped", "") for job_id in texts}
    assert all(dropped[job_id].startswith("result: not valid UTF-8 JSON: ") for job_id in "abc")
    assert "beyond 64 bits" in dropped["d"]
    assert dropped["e"] == "result: nested deeper than 64 levels"
    assert dropped["f"] == dropped["g"] == ""
    assert home.document("done", "g")["result"] == [5]


def test_a_missing_program(make, executor) -> None:
    """It is rejected with the PATH that was searched, which is that of the job, and not tried again."""
    home = make(**shell("no-such-program"), executor=executor, environment={"PATH": "/one:/two"})
    home.drop("x", job="shell", method="run")
    home.cli("run", "--drain")
    (attempt,) = home.document("failed", "x")["attempts"]
    assert attempt["outcome"] == "rejected"
    assert attempt["error"]["message"] == "there is no program 'no-such-program' in PATH (/one:/two)"


STUBBORN = 'trap "echo asked >> notes.txt" TERM; sleep 1000 & echo $$ $! >> pids; while :; do wait; done'


def pids(home) -> list[int]:
    """Of the shell and its sleep, when both are there."""
    path = home.folder / "pids"
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return [int(pid) for pid in path.read_text().split()]


def test_a_timeout(make, executor) -> None:
    """The program and what it has started are asked to end, then killed; the attempt timed out."""
    home = make(**script(STUBBORN, timeout="1s", max_retries=0), executor=executor)
    home.drop("x", job="shell", method="run")
    daemon = home.start()
    started = pids(home)
    daemon.expect("timed_out", "x")
    until(lambda: home.where("x") == ["failed"])
    assert home.outcomes("failed", "x") == ["timed_out"]
    assert "asked" in home.notes()
    assert not any(is_alive(pid) for pid in started)


def test_a_cancel(make, executor) -> None:
    """As above, by request."""
    home = make(**script(STUBBORN), executor=executor)
    home.drop("x", job="shell", method="run")
    home.start()
    started = pids(home)
    home.cli("cancel", "x")
    until(lambda: home.where("x") == ["failed"])
    assert home.outcomes("failed", "x") == ["cancelled"]
    assert not any(is_alive(pid) for pid in started)


def test_an_exit_after_it_was_asked_to_end_is_no_success(make, executor) -> None:
    """A program that ends with 0 when it is told to end has not done its work."""
    home = make(
        **script("trap 'exit 0' TERM; echo $$ $$ > pids; sleep 1000 & wait", timeout="1s", max_retries=0),
        executor=executor,
    )
    home.drop("x", job="shell", method="run")
    home.start().expect("timed_out", "x")
    until(lambda: home.where("x") == ["failed"])
    assert home.outcomes("failed", "x") == ["timed_out"]


def test_its_process_is_killed(make, executor) -> None:
    """A retry does not start beside the program of a process that was killed: that is ended first."""
    home = make(**script("echo $$ >> pids; test $(wc -l < pids) -gt 1 && exit 0; sleep 1000"), executor=executor)
    home.drop("x", job="shell", method="run")
    daemon = home.start()
    daemon.expect("started", "x")
    (program,) = pids(home)
    runner = int(json.loads((home.spool / "locks" / "x.lock").read_text().split("\n")[1])["pid"])
    os.kill(runner, signal.SIGKILL)
    daemon.expect("completed", "x")
    assert not is_alive(program)
    until(lambda: home.where("x") == ["done"])
    assert home.outcomes("done", "x") == ["crashed", "succeeded"]


def test_a_dispatcher_that_dies(make, executor) -> None:
    """The program runs on, and the next dispatcher records what it came to."""
    home = make(
        **script("echo $$ >> pids; while test ! -e go; do sleep 0.05; done; echo '[1]'", result="json"),
        executor=executor,
    )
    home.drop("x", job="shell", method="run")
    first = home.start()
    pids(home)
    first.kill()
    second = home.start()
    second.expect("adopted", "x")
    (home.folder / "go").touch()
    second.expect("completed", "x")
    until(lambda: home.where("x") == ["done"])
    document = home.document("done", "x")
    assert (document["result"], len(document["attempts"])) == ([1], 1)


def test_a_stop_of_all_processes(make, executor) -> None:
    """A signal that ends all at once interrupts the attempt, and uses no retry."""
    home = make(**script("echo $$ >> pids; sleep 1000", max_retries=0), executor=executor)
    home.drop("x", job="shell", method="run")
    daemon = home.start()
    (program,) = pids(home)
    os.kill(program, signal.SIGTERM)
    assert daemon.stop() == 0
    assert home.where("x") == ["pending"]
    assert home.outcomes("pending", "x") == ["interrupted"]


def test_what_it_leaves(make, executor) -> None:
    """What a program has left behind is ended before its attempt is over, though it holds the output that is the result."""
    home = make(**script("sleep 1000 & echo $! >> pids; echo '5'", result="json"), executor=executor)
    home.drop("x", job="shell", method="run")
    home.start().expect("completed", "x")
    until(lambda: home.where("x") == ["done"])
    assert home.document("done", "x")["result"] == 5
    assert not any(is_alive(pid) for pid in pids(home))


def test_limits(make) -> None:
    """They hold for the program."""
    home = make(**script("ulimit -n; ulimit -t", result="text", open_files=64, cpu_time=7))
    home.drop("x", job="shell", method="run")
    home.cli("run", "--drain")
    assert home.document("done", "x")["result"] == "64\n7"


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
@has_bubblewrap
def test_a_sandbox_that_is_ended(make, executor) -> None:
    """Nothing of it is left, though its processes have numbers of their own inside."""
    home = make(**script(STUBBORN.replace("notes.txt", "out/notes").replace("pids", "out/pids"), timeout="1s", max_retries=0,
                         sandbox={"write": ["out"]}), executor=executor)  # fmt: skip
    (home.folder / "out").mkdir()
    home.drop("x", job="shell", method="run")
    daemon = home.start()
    daemon.expect("started", "x")
    until((home.folder / "out" / "pids").exists)
    marks = f"SPOOLRUNNER_JOB={home.spool}:x:1:".encode()
    assert len(marked(marks)) >= 4  # ours, bubblewrap, the shell, its sleep
    daemon.expect("timed_out", "x")
    until(lambda: home.where("x") == ["failed"])
    assert home.outcomes("failed", "x") == ["timed_out"]
    assert marked(marks) == []
    assert (home.folder / "out" / "notes").read_text() == "asked\n"


def marked(marks: bytes) -> list[str]:
    """The processes of that attempt, by what their environment says."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path("/proc", name, "environ").read_bytes()
        except OSError:
            continue
        if marks in environment:
            found.append(name)
    return found


def test_a_program_of_another_user_is_started_by_no_document(make) -> None:
    """A document names a command, and never its program, whatever it says."""
    home = make(**shell("true"))
    for job_id, document in {
        "a": {"job": "spoolrunner.attempt.command", "method": "run", "params": [["touch", "owned"], "none", None]},
        "b": {"job": "shell", "method": "run", "argv": ["touch", "owned"]},
        "c": {"job": "shell", "method": "run", "params": {"argv": ["touch", "owned"]}},
    }.items():
        home.drop(job_id, **document)
    home.cli("run", "--drain")
    assert [home.reason(job_id)["outcome"] for job_id in "abc"] == ["rejected"] * 3
    assert not (home.folder / "owned").exists()


def test_a_command_that_is_told_of_a_failure(make) -> None:
    """`on_failure` names a command: it gets of id, outcome and error what it has places for, each in a word."""
    jobs = {
        "run": {"argv": ["sh", "-c", "exit 3"], "max_retries": 0},
        "tell": {"argv": ["printf", "%s|", "{id}", "{outcome}", "{error}"], "result": "text"},
    }
    home = make(allowed_jobs={"shell": jobs}, on_failure="shell.tell")
    home.drop("x", job="shell", method="run")
    home.cli("run", "--drain")
    told = home.document("done", "x.failed.1")
    assert told["result"].startswith("x|failed|ProgramError: ")
    assert told["params"].keys() == {"id", "outcome", "error"}
