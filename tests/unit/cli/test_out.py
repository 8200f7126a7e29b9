"""The one door for what commands print."""

from __future__ import annotations

import io
import sys

from spoolrunner.cli import out


def test_every_line_is_made_printable(capsys) -> None:
    """Each text is one line, whatever is in it."""
    out.say("a\nb\x1b[31m", "é", "")
    out.say()
    out.row(["a\tb", "\u202e"])
    out.complain("\udcfc\r\n")
    told = capsys.readouterr()
    assert told.out == "a\\nb\\x1b[31m\né\n\n\na\\tb\t\\u202e\n"
    assert told.err == "\\udcfc\\r\\n\n"


def test_a_complaint_that_nobody_can_hear(monkeypatch) -> None:
    """Standard error that cannot be written ends no command."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    out.complain("x")
