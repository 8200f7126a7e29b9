"""The two logs: what goes where, rotation, and a disk that refuses."""

from __future__ import annotations

import os

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


def test_a_line_that_got_in_in_part(spool, logs, monkeypatch, capsys) -> None:
    """Of a line that the disk took only a part of nothing is left, and the next one is whole."""
    logs(Told(Kind.STARTED, id="a"), AT)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
        logs(Told(Kind.STARTED, id="b"), AT)
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


def test_trouble_is_said_once(spool, logs, capsys) -> None:
    """A log that cannot be written stops nothing, is said once on standard error, and is written again when it can."""
    blocked = os.path.join(spool.layout.logs, "background_jobs.log")
    os.mkdir(blocked)
    for name in "abc":
        logs(Told(Kind.STARTED, id=name), AT)
        assert "cannot be written" in logs.trouble
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert "id=a" in said
    os.rmdir(blocked)
    logs(Told(Kind.STARTED, id="d"), AT)
    assert logs.trouble == ""
    assert "id=d" in read(spool, "background_jobs.log")


def test_trouble_of_one_log_does_not_stop_the_other(spool, logs, capsys) -> None:
    """A failure is in the error log, though the other log cannot be written."""
    os.mkdir(os.path.join(spool.layout.logs, "background_jobs.log"))
    logs(Told(Kind.FAILED, id="a"), AT)
    assert "id=a" in read(spool, "background_jobs_errors.log")
    assert "cannot be written" in capsys.readouterr().err
