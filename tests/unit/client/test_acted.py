"""Who had what done, in the log of the spool."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.client.acted import WEB, by_socket, command, note
from spoolrunner.system import clock as clock_module
from spoolrunner.telling.events import Paused
from spoolrunner.telling.logfiles import LogFiles


@pytest.fixture(autouse=True)
def world(clock, monkeypatch) -> None:
    monkeypatch.setattr(clock_module, "SYSTEM", clock)


def lines(spool) -> list[str]:
    with open(os.path.join(spool.layout.logs, "background_jobs.log"), encoding="utf-8") as stream:
        return stream.read().splitlines()


def test_lines_of_two_processes(spool, clock) -> None:
    """The dispatcher's lines and ours stand in one log, in the order in which they came."""
    logs = LogFiles(spool.layout, 1 << 20)
    logs(Paused(), clock.wall())
    assert note(spool.layout, WEB, ["retry", "--error", "Value Error"], 27) == ""
    logs(Paused(), clock.wall())
    assert note(spool.layout, by_socket(1000), ["cancel", "x"], 1, "x", "it runs elsewhere") == ""
    logs.close()
    time = "2027-01-15T08:00:00.000000Z"
    assert lines(spool) == [
        f"{time} dispatcher note=paused",
        f"{time} action note=\"web: spoolrunner retry --error 'Value Error'; 27 jobs\"",
        f"{time} dispatcher note=paused",
        f'{time} action id=x note="uid 1000: spoolrunner cancel x; 1 job; not done: it runs elsewhere"',
    ]


def test_a_log_that_was_rotated(spool, clock) -> None:
    """A line goes to the file that has the name at that moment; a size is kept by the dispatcher alone."""
    logs = LogFiles(spool.layout, 200)
    for _ in range(5):
        note(spool.layout, WEB, ["pause"])
        logs(Paused(), clock.wall())
    logs.close()
    assert os.path.getsize(os.path.join(spool.layout.logs, "background_jobs.log")) <= 200
    assert os.path.exists(os.path.join(spool.layout.logs, "background_jobs.log.1"))


def test_a_log_that_cannot_be_written(spool) -> None:
    """That is an answer: what was done is done."""
    os.rmdir(spool.layout.job_logs)
    os.rmdir(spool.layout.logs)
    assert note(spool.layout, WEB, ["pause"]) == "the log cannot be written: No such file or directory"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names")
def test_a_pipe_in_place_of_the_log(spool) -> None:
    """A pipe that nobody reads is not waited for."""
    os.mkfifo(os.path.join(spool.layout.logs, "background_jobs.log"))
    assert note(spool.layout, WEB, ["pause"]).startswith("the log cannot be written: ")


def test_a_long_command(spool) -> None:
    """Parameters may be long, and a line is not."""
    note(spool.layout, WEB, ["edit", "x", "--params", "9" * 100_000])
    assert len(lines(spool)[0]) < 2200


def test_a_command_can_be_typed() -> None:
    """Words with spaces and quotes are as a shell takes them."""
    assert command("retry", "--match", "it's", "a b") == """spoolrunner retry --match 'it'"'"'s' 'a b'"""
