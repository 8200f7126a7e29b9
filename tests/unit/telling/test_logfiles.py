"""The two logs: what goes where, rotation, and a disk that refuses."""

from __future__ import annotations

import os
import shutil
import sys
from logging.handlers import RotatingFileHandler

import pytest

from spoolrunner.telling import line_format
from spoolrunner.telling.line_format import FAILURES, Entry, Kind
from spoolrunner.telling.logfiles import LogFiles

AT = 1_800_000_000.0


class Told:
    """An event with these fields."""

    def __init__(self, kind: Kind, **fields) -> None:
        self._kind, self._fields = kind, fields

    def entry(self, at: float) -> Entry:
        return Entry(self._kind, at, **self._fields)


@pytest.fixture
def logs(spool):
    """Log files with room; it is closed after the test."""
    made = LogFiles(spool.layout, 1 << 20)
    yield made
    made.close()


def read(spool, name: str) -> str:
    path = os.path.join(spool.layout.logs, name)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


@pytest.mark.parametrize("kind", Kind)
def test_what_goes_where(spool, logs, kind) -> None:
    """Every event is a line of the log; a failure is an entry of the error log too, with its traceback."""
    event = Told(kind, id="x", note="100% ü", traceback="Traceback:\n  boom")
    logs(event, AT)
    assert read(spool, "background_jobs.log") == line_format.line(event.entry(AT)) + "\n"
    assert read(spool, "background_jobs_errors.log") == (
        line_format.block(event.entry(AT)) + "\n" if kind in FAILURES else ""
    )


def test_rotation(spool) -> None:
    """A log that reaches its size is rotated, and only the newest five of the old ones are kept."""
    logs = LogFiles(spool.layout, 4096)
    for number in range(2000):
        logs(Told(Kind.STARTED, id=f"{number:04}"), AT)
    logs.close()
    found = sorted(name for name in os.listdir(spool.layout.logs) if name.startswith("background_jobs.log"))
    assert found == ["background_jobs.log", *(f"background_jobs.log.{number}" for number in range(1, 6))]
    assert all(os.path.getsize(os.path.join(spool.layout.logs, name)) <= 4096 for name in found)
    assert "id=1999" in read(spool, "background_jobs.log")


def test_a_line_that_got_in_in_part(spool, capsys, logs, monkeypatch) -> None:
    """Of a line that the disk took only a part of nothing is left, and the next one is whole."""
    logs(Told(Kind.STARTED, id="a"), AT)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
        logs(Told(Kind.STARTED, id="b"), AT)
    logs.close()
    assert "cannot be written" in capsys.readouterr().err
    logs(Told(Kind.STARTED, id="c"), AT)
    assert [row.split("id=")[1] for row in read(spool, "background_jobs.log").splitlines()] == ["a", "c"]


def test_log_files_go_on(spool, logs) -> None:
    """Log files that is opened again adds to what is there."""
    logs(Told(Kind.STARTED, id="a"), AT)
    second = LogFiles(spool.layout, 1 << 20)
    second(Told(Kind.STARTED, id="b"), AT)
    second.close()
    assert [row.split("id=")[1] for row in read(spool, "background_jobs.log").splitlines()] == ["a", "b"]


def test_trouble_is_said_once(spool, capsys, logs) -> None:
    """A log that cannot be written stops nothing, is said once on standard error, and is written again when it can."""
    blocked = os.path.join(spool.layout.logs, "background_jobs.log")
    os.mkdir(blocked)
    for name in "abc":
        logs(Told(Kind.STARTED, id=name), AT)
        assert "cannot be written" in logs.trouble
    logs.close()
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert "id=a" in said
    os.rmdir(blocked)
    logs(Told(Kind.STARTED, id="d"), AT)
    assert logs.trouble == ""
    assert "id=d" in read(spool, "background_jobs.log")


def test_trouble_of_one_log_does_not_stop_the_other(spool, capsys, logs) -> None:
    """A failure is in the error log, though the other log cannot be written."""
    os.mkdir(os.path.join(spool.layout.logs, "background_jobs.log"))
    logs(Told(Kind.FAILED, id="a"), AT)
    assert "id=a" in read(spool, "background_jobs_errors.log")
    logs.close()
    assert "cannot be written" in capsys.readouterr().err


posix = pytest.mark.skipif(sys.platform == "win32", reason="a file that is open can be neither moved nor removed there")


@posix
@pytest.mark.parametrize("leave", ["moved", "removed", "replaced", "folder removed"])
def test_a_log_that_was_taken_away_is_made_anew(spool, logs, leave) -> None:
    """As logrotate does: what comes next goes to a file at the path, and what was moved stays as it was."""
    path, moved = os.path.join(spool.layout.logs, "background_jobs.log"), os.path.join(spool.layout.root, "moved")
    with open(spool.layout.dispatcher_lock, "wb"):
        pass
    logs(Told(Kind.STARTED, id="a"), AT)
    if leave == "folder removed":
        shutil.rmtree(spool.layout.logs)
    elif leave == "removed":
        os.unlink(path)
    else:
        os.rename(path, moved)
    if leave == "replaced":
        with open(path, "wb") as stream:
            stream.write(b"by logrotate\n")
    logs(Told(Kind.STARTED, id="b"), AT)
    assert logs.trouble == ""
    assert [row for row in read(spool, "background_jobs.log").splitlines() if "id=a" in row] == []
    assert read(spool, "background_jobs.log").endswith("started id=b\n")
    if os.path.exists(moved):
        with open(moved, encoding="utf-8") as stream:
            assert [row.split("id=")[1] for row in stream.read().splitlines()] == ["a"]


def test_no_folder_is_made_where_there_is_no_spool(spool, logs) -> None:
    """Without dispatcher.lock the spool itself is gone, as one that is not mounted: nothing is made in its place."""
    shutil.rmtree(spool.layout.logs)
    logs(Told(Kind.STARTED, id="a"), AT)
    assert "cannot be written" in logs.trouble
    assert not os.path.exists(spool.layout.logs)


def test_a_log_that_another_program_cut(spool, logs) -> None:
    """After a cut in place (copytruncate) the size is the file's own, so that it is not rotated too early."""
    small = LogFiles(spool.layout, 200)
    for name in "abc":
        small(Told(Kind.STARTED, id=name), AT)
        os.truncate(os.path.join(spool.layout.logs, "background_jobs.log"), 0)
    small.close()
    assert sorted(os.listdir(spool.layout.logs)) == ["background_jobs.log", "jobs"]


@posix
def test_a_pipe_in_the_place_of_a_log(spool, logs) -> None:
    """A log that is a named pipe which nobody reads is trouble, and holds nothing up."""
    os.mkfifo(os.path.join(spool.layout.logs, "background_jobs.log"))
    logs(Told(Kind.STARTED, id="a"), AT)
    assert "cannot be written" in logs.trouble


def test_a_log_that_cannot_be_rotated_is_written_on(spool, monkeypatch) -> None:
    """No line is lost, the trouble is said, and the older logs are not pushed out by one try after the other."""
    logs = LogFiles(spool.layout, 500)
    tries = []

    def refuse(handler) -> None:
        tries.append(handler)
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(RotatingFileHandler, "doRollover", refuse)
        for number in range(14):
            logs(Told(Kind.STARTED, id=f"{number:04}"), AT)
    assert "cannot be rotated" in logs.trouble
    assert len(tries) == 1
    rows = read(spool, "background_jobs.log").splitlines()
    assert [row.split("id=")[1] for row in rows] == [f"{number:04}" for number in range(14)]
    for number in range(14, 40):
        logs(Told(Kind.STARTED, id=f"{number:04}"), AT)
    assert logs.trouble == ""
    logs.close()


def test_another_limit(spool) -> None:
    """From then on a log is rotated at that size, also one that was written to before."""
    logs = LogFiles(spool.layout, 1 << 20)
    for name in "ab":
        logs(Told(Kind.STARTED, id=name), AT)
    logs.limit_to(10)
    logs(Told(Kind.STARTED, id="c"), AT)
    logs.close()
    assert read(spool, "background_jobs.log").count("\n") == 1
    assert read(spool, "background_jobs.log.1").count("\n") == 2
