"""The lines of a lock file as they are written: JSON, one object a line, whatever stands in them."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.spool import lock_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()))
STARTED = "2027-01-15T07:59:00.000000Z"
STAMP = 7, 300, 1_800_000_000_123_456_789
OURS = lock_lines.start(1, STAMP, 5, "then", STARTED, 2.5, imports=False)
OTHER = 6, 300, 1_800_000_000_123_456_789
ALMOST = [
    (77, 300, 1_800_000_000_123_456_789),
    (7, 3001, 1_800_000_000_123_456_789),
    (7, 300, 1_800_000_000_123_456_788),
    (7, 300, 18_000_000_001_234_567_890),
]
CLAIM = lock_lines.claim(2, STAMP)


def decoded(line: bytes) -> dict:
    """The object of a line that stands between two line breaks of its own."""
    first, text, last = line.split(b"\n")
    assert first == last == b""
    return orjson.loads(text)


@given(ANY_TEXT)
def test_quoted(text) -> None:
    """Any text becomes a JSON string on one line, and comes back; of a lone surrogate, its escape as Python writes it."""
    made = lock_lines.quoted(text)
    assert "\n" not in made
    assert orjson.loads(made.encode()) == text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("text", ["", "plain", 'a "b"', "back\\slash", "\n\t\0\x1f", "é 漢 𝄞", "\x7f\x80\u2028"])
def test_quoted_is_what_json_reads(text) -> None:
    """Quotes, backslashes, control characters and letters of any script come back from the standard library too."""
    assert json.loads(lock_lines.quoted(text)) == text


@pytest.mark.parametrize("imports", [True, False])
def test_start(imports) -> None:
    """A start marker says which attempt of which file begins, in which process, and when by both clocks."""
    assert decoded(lock_lines.start(3, STAMP, 123, "456-boot", STARTED, 5000.25, imports=imports)) == {
        "kind": "start",
        "attempt": 3,
        "inode": 7,
        "size": 300,
        "mtime_ns": 1_800_000_000_123_456_789,
        "pid": 123,
        "process_started": "456-boot",
        "started_at": STARTED,
        "began": 5000.25,
        "imports": imports,
    }


def test_where() -> None:
    """A start marker says where its process lives, whatever the name of the host is."""
    where = lock_lines.where('a "box"', "4026531836", "fe01.7")
    made = decoded(lock_lines.start(1, STAMP, 5, "then", STARTED, 2.5, imports=True, where=where))
    assert list(made)[-4:] == ["imports", "host", "namespace", "home"]
    assert (made["host"], made["namespace"], made["home"]) == ('a "box"', "4026531836", "fe01.7")


def test_claim() -> None:
    """A claim marker names the attempt and what the file was like, only."""
    assert decoded(lock_lines.claim(4, (5, 6, 7))) == {
        "kind": "claim",
        "attempt": 4,
        "inode": 5,
        "size": 6,
        "mtime_ns": 7,
    }


@given(st.integers(1, 99), st.floats(0, 1e9))
def test_ready(attempt, began) -> None:
    """The line of an ended import says when, to the last digit, and is a number with a fraction as the reader wants it."""
    line = lock_lines.ready(attempt, began)
    assert decoded(line) == {"kind": "ready", "attempt": attempt, "began": began}
    assert type(decoded(line)["began"]) is float


@given(ANY_TEXT)
def test_outcome(text) -> None:
    """An outcome line has the fields that it is given as JSON texts, whatever they hold."""
    fields = {"result": lock_lines.quoted(lock_lines.quoted(text)), "exit_status": "3"}
    found = decoded(lock_lines.outcome(2, "succeeded", STARTED, fields))
    assert list(found) == ["kind", "attempt", "outcome", "ended_at", "result", "exit_status"]
    assert (found["kind"], found["attempt"], found["outcome"]) == ("outcome", 2, "succeeded")
    assert orjson.loads(found["result"]) == text.encode("utf-8", "backslashreplace").decode()
    assert found["exit_status"] == 3


@pytest.mark.parametrize(
    ("data", "begun"),
    [
        (b"", False),
        (OURS, True),
        (OURS + lock_lines.ready(1, 3.0), True),
        (OURS + lock_lines.outcome(1, "succeeded", STARTED, {}), True),
        (lock_lines.start(1, OTHER, 5, "", STARTED, 2.5, imports=True) + OURS, True),
        (OURS + b"\n{torn", True),
        (OURS + b'\n{"kind":"start","attempt":9', True),
        (OURS + CLAIM, False),
        (OURS + lock_lines.start(2, STAMP, 5, "", STARTED, 2.5, imports=True), False),
        (OURS + lock_lines.start(1, OTHER, 5, "", STARTED, 2.5, imports=True), False),
        *((lock_lines.start(1, stamp, 5, "", STARTED, 2.5, imports=True), False) for stamp in ALMOST),
        (lock_lines.start(11, STAMP, 5, "", STARTED, 2.5, imports=True), False),
        (CLAIM, False),
        (OURS[:-2], False),
        (OURS[:-1], False),
    ],
    ids=[
        "no line",
        "ours",
        "imported",
        "ended",
        "of another file before",
        "a torn line behind",
        "a torn marker behind",
        "claimed since",
        "of a later attempt",
        "of a later file",
        *("of another inode", "of another size", "of another time", "of a time that begins the same"),
        "of an attempt that begins the same",
        "only claimed",
        "torn",
        "torn before its line break",
    ],
)
def test_is_begun(data, begun) -> None:
    """An attempt was begun by another process when the last whole marker is its start marker."""
    assert lock_lines.is_begun(data, 1, STAMP) is begun
