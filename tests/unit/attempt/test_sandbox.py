"""A sandbox by bubblewrap: what a command in it sees, may write, and reaches."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys

import pytest

from spoolrunner.attempt import sandbox
from spoolrunner.attempt.command import run

FOLDERS = os.environ.get("PATH", os.defpath)
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bwrap is not installed"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which the process stands, with something in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("in", "out", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path


def shell(script: str, *words: str, read=(), write=(), network=False) -> tuple[str, str]:
    """What a script in the sandbox comes to: the outcome, and what it printed or why it failed."""
    made = run(["sh", "-c", script, "sh", *words], "text", ([*map(str, read)], [*map(str, write)], network))
    if made.outcome == "succeeded":
        return made.outcome, json.loads(json.loads(made.fields["result"]))
    return made.outcome, json.loads(made.fields["error"])["message"]


def test_only_what_is_named_is_there(place) -> None:
    """Of the folders only those that are named are seen, by their paths; of /etc there is nothing about users."""
    script = "cat in/file; ls -d secret out /etc/passwd /root /home /var 2>/dev/null; true"
    assert shell(script, read=[place / "in"]) == ("succeeded", "in")
    assert shell("pwd; ls", read=[place / "in"]) == ("succeeded", f"{place}\nin")
    assert shell("pwd; ls") == ("succeeded", str(place))


def test_what_may_be_written(place) -> None:
    """What may be written is written outside; what may be read is not; and neither is the system, or the folder itself."""
    assert shell("echo new > out/file && cat in/file", read=[place / "in"], write=[place / "out"]) == (
        "succeeded",
        "in",
    )
    assert (place / "out" / "file").read_text() == "new\n"
    for target in ("in/file", "in/new", "/usr/bin/new"):
        outcome, _ = shell(f"echo new > {target}", read=[place / "in"], write=[place / "out"])
        assert outcome == "failed", target
    assert (place / "in" / "file").read_text() == "in"
    assert shell("echo x > here; echo x > /tmp/here; cat here /tmp/here") == (
        "succeeded",
        "x\nx",
    )  # of its own, and gone
    assert not (place / "here").exists()
    assert not os.path.exists("/tmp/here")


@pytest.mark.parametrize("order", [1, -1])
def test_folders_inside_each_other(place, order) -> None:
    """The inner one counts, whichever is which."""
    inner = place / "out" / "kept"
    inner.mkdir()
    assert shell("echo x > out/new", read=[inner], write=[place / "out"])[0] == "succeeded"
    assert shell("echo x > out/kept/new", read=[inner], write=[place / "out"])[0] == "failed"
    assert shell("echo x > out/new", read=[place / "out"], write=[inner])[0] == "failed"
    assert shell("echo x > out/kept/new", read=[place / "out"], write=[inner])[0] == "succeeded"


def test_no_process_outside_is_seen(place) -> None:
    """Neither seen nor reached."""
    assert shell(f"kill -0 {os.getpid()} 2>/dev/null || echo none; test -d /proc/{os.getppid()} || echo none") == (
        "succeeded", "none\nnone"
    )  # fmt: skip


@pytest.mark.parametrize("network", [False, True])
def test_the_network(place, network) -> None:
    """The network is there where it is allowed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5); print('reached')"
        words = [os.path.realpath(sys.executable), "-I", "-S", "-c", code]
        made = run(words, "text", ([sys.base_prefix], [], network))
    assert made.outcome == ("succeeded" if network else "failed")


def test_words_and_environment(place, monkeypatch) -> None:
    """Words stay words, and the environment is that of the job."""
    monkeypatch.setenv("UNIT_SAID", "hello")
    assert shell('printf "%s|" "$@" "$UNIT_SAID"', "a b", "--", "", "$(id)") == ("succeeded", "a b|--||$(id)|hello|")


def test_a_program_that_lies_elsewhere(place) -> None:
    """The program itself is seen, also by a link, whatever is named; what lies beside it is not."""
    (place / "secret" / "tool").write_text("#!/bin/sh\nls secret\n")
    (place / "secret" / "tool").chmod(0o755)
    made = run([str(place / "secret" / "tool")], "text", ([], [], False))
    assert json.loads(json.loads(made.fields["result"])) == "tool"
    (place / "link").symlink_to(place / "secret" / "tool")
    made = run(["./link"], "text", ([], [], False))
    assert json.loads(json.loads(made.fields["result"])) == "tool"


def test_exit_statuses(place) -> None:
    """They are those of the program; a signal is 128 and its number, as a shell has it."""
    assert shell("exit 3") == ("failed", "sh ended with status 3")
    assert shell("kill -9 $$") == ("failed", "sh ended with status 137")


def test_no_capability_is_left(place) -> None:
    """Also not for root."""
    outcome, printed = shell("grep -E '^Cap(Eff|Prm|Bnd)' /proc/self/status | tr -d '0\\t\\n '")
    assert outcome == "succeeded"
    assert set(printed.replace("CapEff:", "").replace("CapPrm:", "").replace("CapBnd:", "")) == set()


def test_no_right_is_gained(place) -> None:
    """A program with a set-user-ID bit runs without that."""
    assert shell("grep NoNewPrivs /proc/self/status") == ("succeeded", "NoNewPrivs:\t1")


def test_a_path_that_is_not_there(place) -> None:
    """It is rejected under its key."""
    assert shell("true", read=[place / "nowhere"]) == (
        "rejected", f"sandbox.read: {place}/nowhere does not exist"
    )  # fmt: skip
    assert shell("true", write=["/nowhere"]) == ("rejected", "sandbox.write: /nowhere does not exist")


def test_without_bubblewrap_nothing_is_run(place, monkeypatch) -> None:
    """A command that was to be kept apart is rejected, with where bubblewrap was looked for."""
    (place / "bin").mkdir()
    (place / "bin" / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", f"{place}/bin")
    outcome, why = shell("touch ran", write=[place])
    assert outcome == "rejected"
    assert why == f"sandbox: bubblewrap is not there (bwrap in PATH: {place}/bin), and nothing is run without it"
    assert not (place / "ran").exists()


def test_the_words_end_with_the_command() -> None:
    """Whatever the command's words are, bubblewrap takes none for its own."""
    made = sandbox.words(([], [], False), ["/bin/x", "--bind", "/", "/"], "/home", FOLDERS)
    assert made[made.index("--") + 1 :] == ["/bin/x", "--bind", "/", "/"]
