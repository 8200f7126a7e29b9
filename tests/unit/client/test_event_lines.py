"""The log's lines taken apart again."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client.event_lines import FILE, last_lines, log_file, parse
from spoolrunner.telling.line_format import Entry, Kind, line


def write(spool, name: str, *lines: str) -> None:
    with open(os.path.join(spool.layout.logs, name), "w", encoding="utf-8") as stream:
        stream.writelines(f"{one}\n" for one in lines)


@pytest.mark.parametrize("note", ["plain", 'with "quotes" and \\ and = in it', "übers\nline", ""])
def test_there_and_back(note) -> None:
    """What the dispatcher writes is found again, whatever is in a text."""
    entry = Entry(Kind.FAILED, 1.8e9, "a", "app.Report", "build", 1, 4, 0.5, "failed", note=note)
    said = parse(line(entry))
    assert said is not None
    assert (said.at, said.kind, said.id) == (1.8e9, "failed", "a")
    assert said.fields["attempt"] == "1/4"
    assert said.fields.get("note", "") == note.replace("\n", "\\n")


@pytest.mark.parametrize("text", ["", "x", "2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z 5 x=y", "a started id=b"])
def test_other_lines(text) -> None:
    """What is no line of ours is none."""
    assert parse(text) is None


def test_the_newest_first(spool) -> None:
    """The newest lines come first, as many as wanted, also from the file before; a text and kinds choose among them."""
    write(spool, f"{FILE}.1", *(line(Entry(Kind.STARTED, 1.8e9 + n, f"old{n}")) for n in range(3)))
    write(spool, FILE, line(Entry(Kind.STARTED, 1.8e9 + 9, "a")), "junk", line(Entry(Kind.FAILED, 1.8e9 + 10, "b")))
    assert [said.id for said in last_lines(spool.layout, 4)] == ["b", "a", "old2", "old1"]
    assert [said.id for said in last_lines(spool.layout, 9, "old")] == ["old2", "old1", "old0"]
    assert [said.id for said in last_lines(spool.layout, 9, kinds=frozenset({"failed"}))] == ["b"]


def test_a_long_log(spool) -> None:
    """Of a log that is longer than what is read, the line that is cut is left out."""
    write(spool, FILE, "x" * (2 << 20), line(Entry(Kind.STARTED, 1.8e9, "a")))
    assert [said.id for said in last_lines(spool.layout, 9)] == ["a"]


def test_which_files(spool) -> None:
    """Only the logs of the dispatcher are opened, by their names; what is no file is an error."""
    write(spool, f"{FILE}.3", "x")
    file = log_file(spool.layout, f"{FILE}.3")
    assert file is not None
    with file:
        assert file.size == 2
    assert log_file(spool.layout, FILE) is None
    assert log_file(spool.layout, "../status.json") is None
    assert last_lines(spool.layout, 5) == []
    os.mkdir(os.path.join(spool.layout.logs, FILE))
    with pytest.raises(OSError, match="folder"):
        last_lines(spool.layout, 5)
