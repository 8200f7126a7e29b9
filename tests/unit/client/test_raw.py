"""The bytes of a job's files."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client.raw import Part, raw, tail
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State


def test_each_part(spool, drop) -> None:
    """Each file of a job is opened as it lies there; one that is not there is None."""
    drop(State.FAILED, "a", b"doc")
    os.makedirs(spool.layout.steps)
    for path in (spool.layout.reason("a"), spool.layout.log("a"), spool.layout.step_file("a")):
        with open(path, "w", encoding="ascii") as stream:
            stream.write(os.path.basename(path))
    found = {}
    for part in Part:
        file = raw(spool.layout, part, "a", State.FAILED)
        assert file is not None
        with file:
            found[part] = file.stream.read().decode()
            assert file.size == len(found[part])
    assert found == {Part.DOCUMENT: "doc", Part.REASON: "a.reason", Part.LOG: "a.log", Part.STEPS: "a.jsonl"}
    assert raw(spool.layout, Part.DOCUMENT, "a", State.DONE) is None
    with pytest.raises(ValueError, match="state"):
        raw(spool.layout, Part.DOCUMENT, "a")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b", ".x", "-x", "a b", "x" * 200])
def test_what_can_be_no_id(spool, name) -> None:
    """Only what can be an id is looked for."""
    with pytest.raises(JobFormatError):
        raw(spool.layout, Part.LOG, name)


@pytest.mark.parametrize(
    "make", [os.mkdir, getattr(os, "mkfifo", os.mkdir), lambda path: os.symlink("/etc/passwd", path)]
)
def test_what_is_no_file(spool, make) -> None:
    """Nothing but a file is opened."""
    make(spool.layout.log("a"))
    with pytest.raises(JobFormatError):
        raw(spool.layout, Part.LOG, "a")


def test_tail(spool) -> None:
    """The end of what was printed begins with a whole line, and it is known how much lies before it."""
    assert tail(spool.layout, "a", 100) == ("", 0)
    with open(spool.layout.log("a"), "w", encoding="ascii") as stream:
        stream.write("one\ntwo\nthree\n")
    assert tail(spool.layout, "a", 100) == ("one\ntwo\nthree\n", 0)
    assert tail(spool.layout, "a", 9) == ("three\n", 8)
