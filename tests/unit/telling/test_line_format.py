"""Entries of the logs: one line each, and nothing that a job says can forge one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.telling.line_format import FAILURES, Entry, Kind, block, line, printable

AT = 1_800_000_000.0
TIME = "2027-01-15T08:00:00.000000Z"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
FIELD = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)')


def fields(text: str) -> dict[str, str]:
    """What a line says, read back."""
    head, _, _ = text.partition(" ")
    kind = text.split(" ", 2)[1]
    rest = text[len(head) + 1 + len(kind) :]
    found = FIELD.findall(rest)
    assert "".join(f" {key}={value}" for key, value in found) == rest
    return {key: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value for key, value in found}


def test_a_whole_line() -> None:
    """A line begins with the time and the kind, and names its fields in their order."""
    event = Entry(
        Kind.RETRY,
        AT,
        id="x-1",
        job="app.Report",
        method="build",
        attempt=2,
        starts=4,
        duration=0.1234,
        outcome="failed",
        verdict="retry",
        next_run_at=AT,
        note='said "no" = a\\b',
    )
    assert line(event) == (
        f"{TIME} retry id=x-1 class=app.Report method=build attempt=2/4 duration=0.123s outcome=failed verdict=retry "
        f'next_run_at={TIME} note="said \\"no\\" = a\\\\b"'
    )


def test_empty_fields_are_left_out() -> None:
    """A field that is empty is not shown, but zero is not empty."""
    assert line(Entry(Kind.DISPATCHER, AT)) == f"{TIME} dispatcher"
    assert line(Entry(Kind.COMPLETED, AT, duration=0.0, attempt=1)) == f"{TIME} completed attempt=1 duration=0.000s"


@given(ANY_TEXT)
def test_printable_never_lets_a_control_through(text) -> None:
    """Whatever the text, what comes out is printable: no control character, direction mark, line break or surrogate."""
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 漢", "plain ü 漢"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\udc80", "\\udc80"),
        ("\x9b0m", "\\x9b0m"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_printable(text, shown) -> None:
    """What is not printable is shown as an escape, and the rest as it is."""
    assert printable(text) == shown


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_no_job_can_forge_a_line(job_id, job, method, note) -> None:
    """Whatever a job calls itself or says, its event is one line from which exactly its fields can be read."""
    text = line(Entry(Kind.FAILED, AT, id=job_id, job=job, method=method, note=note))
    assert text.isprintable()
    given_ = {"id": job_id, "class": job, "method": method, "note": note}
    assert fields(text) == {key: printable(value) for key, value in given_.items() if value}


@given(ANY_TEXT, ANY_TEXT)
def test_no_traceback_can_forge_an_entry(note, traceback) -> None:
    """In the error log every line of a traceback is printable and indented below its event."""
    event = Entry(Kind.FAILED, AT, note=note, traceback=traceback)
    first, *rest = block(event).split("\n")
    assert first == line(event)
    assert len(rest) == len(traceback.splitlines())
    assert all(row.startswith("    ") and row.isprintable() for row in rest)


def test_failures() -> None:
    """What failed, was refused or is in trouble also goes to the error log."""
    assert {Kind.FAILED, Kind.REFUSED, Kind.TROUBLE} == FAILURES
