"""A file in running/ when its attempt is over: as it is now or, if it is unchanged, as it was when it was claimed."""

from __future__ import annotations

import os

import orjson
import pytest

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import NotOpenedError
from spoolrunner.spool.running_file import RunningFile, RunningFiles, UnopenedError
from spoolrunner.spool.settling_rules import Known, LookedAt, Origin

KEY = bytes(range(32))
RAW = {"job": "app.Report", "method": "build"}
ATTEMPT = {"number": 1, "outcome": "failed", "verdict": "retry"}


@pytest.fixture
def files(spool) -> RunningFiles:
    return RunningFiles(spool, None)


@pytest.fixture
def known(spool):
    """What is known of the job that lies in running/ now: what it was like, and a document that tells memory from disk."""

    def look(**facts) -> Known:
        stamp = spool.stamp(State.RUNNING, "x")
        return Known(
            **{
                "origin": Origin.STARTED,
                "number": 1,
                "policy": Policy(),
                "looked_at": LookedAt(stamp, {"from": "memory"}),
                **facts,
            }
        )

    return look


def test_read(spool, drop, files) -> None:
    """A file is read with its stamp, its document, and the attempts in it."""
    drop(State.RUNNING, "x", {"attempts": [ATTEMPT]})
    file = files.read("x")
    assert file.stamp == spool.stamp(State.RUNNING, "x")
    assert file.raw == {**RAW, "attempts": [ATTEMPT]}
    assert file.attempts == [ATTEMPT]
    assert file.document is not None
    assert file.document.job == "app.Report"
    assert RunningFile(file.stamp, RAW, None, None).attempts == []


def test_read_nothing(files) -> None:
    """A file that is gone is that."""
    with pytest.raises(FileNotFoundError):
        files.read("x")


def test_read_what_is_no_document(drop, files) -> None:
    """A file that is no job document is refused."""
    drop(State.RUNNING, "x", b"{")
    with pytest.raises(JobFormatError):
        files.read("x")


def test_read_what_is_shut(spool, files, monkeypatch) -> None:
    """A file that the system does not open for us is told from one that is malformed: it gets a second look."""

    def refuse(state: State, job_id: str):
        raise NotOpenedError("", "cannot be opened") from PermissionError(13, "Permission denied", "x.json")

    monkeypatch.setattr(spool, "read", refuse)
    with pytest.raises(UnopenedError) as caught:
        files.read("x")
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == (13, "Permission denied", "x.json")


def test_a_refusal_that_has_no_cause(spool, files, monkeypatch) -> None:
    """A refusal to open that did not come from the system stays what it is."""

    def refuse(state: State, job_id: str):
        raise NotOpenedError("", "cannot be opened")

    monkeypatch.setattr(spool, "read", refuse)
    with pytest.raises(NotOpenedError):
        files.read("x")


def test_as_claimed(drop, files, known) -> None:
    """A file that is what it was is not read: what was read before the claim is taken, with its stamp."""
    drop(State.RUNNING, "x")
    looked_at = known().looked_at
    file = files.as_claimed("x", known(), is_left=False)
    assert file == RunningFile(looked_at.stamp, {"from": "memory"}, None, None)


@pytest.mark.parametrize("missing", ["looked_at", "policy"])
def test_as_claimed_where_that_is_not_known(drop, files, known, missing) -> None:
    """Without the file as it was, or the policy of its attempt, it is to be read."""
    drop(State.RUNNING, "x")
    assert files.as_claimed("x", known(**{missing: None}), is_left=True) is None


@pytest.mark.parametrize("is_left", [True, False])
@pytest.mark.parametrize("change", ["replaced", "longer", "touched"])
def test_as_claimed_when_it_was_changed(spool, drop, files, known, change, is_left) -> None:
    """A file that was replaced, written into or touched since is to be read."""
    path = drop(State.RUNNING, "x")
    before = known()
    if change == "replaced":
        with open(path, "rb") as stream, open(path + "2", "wb") as copy:
            copy.write(stream.read())
        os.replace(path + "2", path)
        os.utime(path, ns=(0, before.looked_at.stamp.mtime_ns))
    elif change == "longer":
        with open(path, "ab") as stream:
            stream.write(b" ")
        os.utime(path, ns=(0, before.looked_at.stamp.mtime_ns))
    else:
        os.utime(path, ns=(0, before.looked_at.stamp.mtime_ns + 1))
    assert files.as_claimed("x", before, is_left=is_left) is None


def test_as_claimed_when_it_is_gone(drop, files, known) -> None:
    """A file that is gone is that, unless its process left an outcome: then the record makes it anew of what it was."""
    path = drop(State.RUNNING, "x")
    before = known()
    os.unlink(path)
    with pytest.raises(FileNotFoundError):
        files.as_claimed("x", before, is_left=False)
    file = files.as_claimed("x", before, is_left=True)
    assert file is not None
    assert (file.stamp, file.raw) == (before.looked_at.stamp, {"from": "memory"})


def is_signed(file: RunningFile) -> bool:
    """Whether its record is."""
    data = file.record_of("x", {**RAW, "attempts": [ATTEMPT]})
    raw = jsontext.decode(data)
    assert raw["attempts"] == [ATTEMPT]
    return signing.problem(KEY, "x", raw, data) is None


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (signing.sign(KEY, "x", RAW), True),
        (signing.sign(KEY, "y", RAW), False),
        (signing.sign(KEY, "x", RAW).replace(b"build", b"send"), False),
        (orjson.dumps(RAW), False),
    ],
    ids=["signed", "for another id", "changed since", "not signed"],
)
def test_a_record_is_signed_as_its_file_was(spool, drop, data, signed) -> None:
    """Where there is a key a record is signed only if the file that it is made of was, as it lies there."""
    drop(State.RUNNING, "x", data)
    assert is_signed(RunningFiles(spool, KEY).read("x")) is signed
    assert not is_signed(RunningFiles(spool, None).read("x"))


def test_a_record_of_a_file_as_claimed_is_signed(spool, drop, known) -> None:
    """What was looked at before the claim was rightly signed then, or it had not been claimed."""
    drop(State.RUNNING, "x", signing.sign(KEY, "x", RAW))
    file = RunningFiles(spool, KEY).as_claimed("x", known(), is_left=False)
    assert file is not None
    assert is_signed(file)
