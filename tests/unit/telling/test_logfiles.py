"""The two logs: what goes where, rotation, and a disk that refuses."""

from __future__ import annotations

import os

import pytest

from spoolrunner.telling import events
from spoolrunner.telling.events import FAILURES, Happening, Kind
from spoolrunner.telling.logfiles import Journal

AT = 1_800_000_000.0


@pytest.fixture
def journal(spool):
    """A journal with room; it is closed after the test."""
    made = Journal(spool.layout, 1 << 20)
    yield made
    made.close()


def read(spool, name: str) -> str:
    path = os.path.join(spool.layout.logs, name)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


@pytest.mark.parametrize("kind", Kind)
def test_what_goes_where(spool, journal, kind) -> None:
    """Every event is a line of the log; a failure is an entry of the error log too, with its traceback."""
    event = Happening(kind, AT, id="x", note="100% ü", traceback="Traceback:\n  boom")
    journal.write(event)
    assert read(spool, "background_jobs.log") == events.line(event) + "\n"
    assert read(spool, "background_jobs_errors.log") == (events.block(event) + "\n" if kind in FAILURES else "")


def test_rotation(spool) -> None:
    """A log that reaches its size is rotated, and only the newest five of the old ones are kept."""
    journal = Journal(spool.layout, 4096)
    for number in range(2000):
        journal.write(Happening(Kind.STARTED, AT, id=f"{number:04}"))
    journal.close()
    logs = sorted(name for name in os.listdir(spool.layout.logs) if name.startswith("background_jobs.log"))
    assert logs == ["background_jobs.log", *(f"background_jobs.log.{number}" for number in range(1, 6))]
    assert all(os.path.getsize(os.path.join(spool.layout.logs, name)) <= 4096 for name in logs)
    assert "id=1999" in read(spool, "background_jobs.log")


def test_a_line_that_got_in_in_part(spool, journal, monkeypatch, capsys) -> None:
    """Of a line that the disk took only a part of nothing is left, and the next one is whole."""
    journal.write(Happening(Kind.STARTED, AT, id="a"))
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
        journal.write(Happening(Kind.STARTED, AT, id="b"))
    assert "cannot be written" in capsys.readouterr().err
    journal.write(Happening(Kind.STARTED, AT, id="c"))
    assert [row.split("id=")[1] for row in read(spool, "background_jobs.log").splitlines()] == ["a", "c"]


def test_a_journal_goes_on(spool, journal) -> None:
    """A journal that is opened again adds to what is there."""
    journal.write(Happening(Kind.STARTED, AT, id="a"))
    second = Journal(spool.layout, 1 << 20)
    second.write(Happening(Kind.STARTED, AT, id="b"))
    second.close()
    assert [row.split("id=")[1] for row in read(spool, "background_jobs.log").splitlines()] == ["a", "b"]


def test_trouble_is_said_once(spool, journal, capsys) -> None:
    """A log that cannot be written stops nothing, is said once on standard error, and is written again when it can."""
    blocked = os.path.join(spool.layout.logs, "background_jobs.log")
    os.mkdir(blocked)
    for name in "abc":
        journal.write(Happening(Kind.STARTED, AT, id=name))
        assert "cannot be written" in journal.trouble
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert "id=a" in said
    os.rmdir(blocked)
    journal.write(Happening(Kind.STARTED, AT, id="d"))
    assert journal.trouble == ""
    assert "id=d" in read(spool, "background_jobs.log")


def test_trouble_of_one_log_does_not_stop_the_other(spool, journal, capsys) -> None:
    """A failure is in the error log, though the other log cannot be written."""
    os.mkdir(os.path.join(spool.layout.logs, "background_jobs.log"))
    journal.write(Happening(Kind.FAILED, AT, id="a"))
    assert "id=a" in read(spool, "background_jobs_errors.log")
    assert "cannot be written" in capsys.readouterr().err
