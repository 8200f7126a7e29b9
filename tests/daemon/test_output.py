"""What a dispatcher prints is a copy: whatever becomes of it, jobs run, deadlines are kept and a stop works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.daemon.harness import COMMAND, DEADLINE, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors and terminals of POSIX")


def full_pipe():
    """A pipe that is full and that nobody reads; returns its two ends."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


def stopped_terminal():
    """A terminal on which somebody pressed Ctrl-S."""
    import termios

    ours, theirs = os.openpty()
    termios.tcflow(theirs, termios.TCOOFF)
    return ours, theirs


def closed_terminal():
    """A terminal whose window was closed: every write ends with EIO."""
    ours, theirs = os.openpty()
    os.close(ours)
    return os.open(os.devnull, os.O_RDONLY), theirs


def full_disk():
    """A file on a full disk."""
    return os.open(os.devnull, os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)


def gone_reader():
    """A pipe whose reader ended."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.open(os.devnull, os.O_RDONLY), writer


@pytest.mark.parametrize("blocks_logs", [False, True])
@pytest.mark.parametrize("kind", [full_pipe, stopped_terminal, closed_terminal, full_disk, gone_reader])
def test_output_that_goes_nowhere(home, kind, blocks_logs):
    """Jobs run to their ends, a timeout is kept, SIGTERM ends the dispatcher; with log files that cannot be written too."""
    if kind is full_disk and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    if blocks_logs:
        os.mkdir(home.spool / "logs" / "background_jobs.log")
    ours, theirs = kind()
    process = subprocess.Popen(
        [*COMMAND, "run"], cwd=home.folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        home.drop("slow", method="wait_for", params=["never"], timeout=0.5, max_retries=0)
        for number in range(20):
            home.drop(f"job-{number}", method="fail" if number % 2 else "noop", max_retries=0)
        until(lambda: home.where("slow") == ["failed"])
        until(lambda: all(home.where(f"job-{number}") in (["done"], ["failed"]) for number in range(20)))
        assert ("cannot be written" in home.cli("status")) == blocks_logs
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "words",
    ["run --drain", "status --no-dispatcher-ok", "list", "show x", "logs x", "check", "enqueue jobs noop", "schema"],
)
def test_closed_descriptors(home, closed, words):
    """Every command works with standard descriptors closed, as some launchers leave them, and prints into no file."""
    home.drop("x", method="noop")
    config = (home.folder / "config.json").read_bytes()
    line = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", *COMMAND, *words.split()],
        cwd=home.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if words == "check" else 0)  # a job of the table cannot be found, which is 1
    assert home.where("x") == (["done"] if words == "run --drain" else ["pending"])
    assert (home.folder / "config.json").read_bytes() == config
    if words == "run --drain":
        assert set(json.loads((home.spool / "dispatcher.lock").read_bytes()[1:])) == {"boot", "mount", "place"}


WORDS = [
    "list",
    "status --no-dispatcher-ok",
    "schema",
    "show x",
    "--help",
    "enqueue --help",
    "--version",
    "list --json",
    "enqueue jobs noop",
]


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("kind", [full_disk, gone_reader])
@pytest.mark.parametrize("words", WORDS)
def test_a_command_whose_output_cannot_be_written_says_so(home, words, kind, unbuffered):
    """It ends with 1; on a full disk with one line on standard error, with none where the reader went away."""
    if kind is full_disk and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    home.drop("x", method="noop")
    ours, theirs = kind()
    done = subprocess.run(
        [*COMMAND, *words.split()],
        cwd=home.folder,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""},
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == (1 if kind is full_disk else 0), done.stderr
    assert all("No space left on device" in line for line in lines)
