"""Reading a job file by its path: what is refused as the file's fault, and what is the machine's."""

from __future__ import annotations

import errno
import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import jobfile
from spoolrunner.spool.jobfile import NotOpenedError


def fail_to_open(monkeypatch, code: int) -> None:
    def refuse(*_) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(jobfile, "open_file", refuse)


def test_a_file_that_we_may_not_open(drop, monkeypatch) -> None:
    """A file whose permissions forbid it to us is the file's fault; the refusal of the system is the cause."""
    path = drop(State.PENDING, "x")
    fail_to_open(monkeypatch, errno.EACCES)
    with pytest.raises(NotOpenedError) as caught:
        jobfile.read(path)
    assert isinstance(caught.value.__cause__, PermissionError)


def test_a_machine_that_cannot_open_files(drop, monkeypatch) -> None:
    """An error that says nothing of the file is passed on as it is."""
    path = drop(State.PENDING, "x")
    fail_to_open(monkeypatch, errno.EMFILE)
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
        jobfile.read(path)
