"""The command line and the file operation that do the same as a button."""

from __future__ import annotations

import shlex

import pytest

from spoolrunner.cli.main import _parser
from spoolrunner.web import commands

GIVEN = {"job": "app.Report", "method": "build", "error": "ValueError", "match": "a b", "newer": "1d"}


@pytest.mark.parametrize(
    ("verb", "folder", "given", "line"),
    [
        ("retry", "failed", {}, "spoolrunner retry --all"),
        ("retry", "failed", {"error": "ValueError"}, "spoolrunner retry --error ValueError"),
        ("retry", "done", {}, "spoolrunner retry --state done"),
        ("discard", "failed", {"older": "7d"}, "spoolrunner discard --state failed --older 7d"),
        ("cancel", "running", {"group": "mail"}, "spoolrunner cancel --state running --group mail"),
        ("retry", "failed", {"match": "it's"}, """spoolrunner retry --match 'it'"'"'s'"""),
        ("retry", "failed", {"match": "--all"}, "spoolrunner retry --match=--all"),
    ],
)
def test_chosen(verb: str, folder: str, given: dict[str, str], line: str) -> None:
    """All that match are named by the same words as in the address of the list, and the shell takes them as they are."""
    assert commands.chosen(verb, folder, given) == line


@pytest.mark.parametrize(
    "line",
    [
        *(commands.chosen("retry", folder, GIVEN) for folder in ("failed", "done")),
        *(commands.chosen("discard", folder, GIVEN) for folder in ("failed", "done", "pending")),
        *(commands.chosen("cancel", folder, GIVEN) for folder in ("pending", "running")),
        commands.named("retry", ["-x", "y"], "--with-dependants"),
        commands.line("schedules", "pause", "nightly"),
        commands.line("enqueue", "app.Report", "build", "--json", '{"year": 2026}'),
    ],
)
def test_the_command_line_takes_it(line: str) -> None:
    """What is shown can be typed: our own parser accepts it."""
    program, *words = shlex.split(line)
    assert program == "spoolrunner"
    assert _parser().parse_args(words).verb == words[0]


def test_named() -> None:
    """Ids are quoted, one that begins like an option comes behind --, and of many the first are written out."""
    assert commands.named("retry", ["a", "b c"]) == "spoolrunner retry a 'b c'"
    assert commands.named("retry", ["-x"]) == "spoolrunner retry -- -x"
    assert commands.named("discard", list("abcdef")) == "spoolrunner discard a b c …"


def test_operations() -> None:
    """A name is quoted for the shell, and what is not printable is shown as such."""
    assert commands.moved("failed", "a b", "pending") == "mv -n 'failed/a b.json' pending/"
    assert commands.removed(["failed/a.json", "logs/jobs/a.log"]) == "rm failed/a.json logs/jobs/a.log"
    assert commands.touched("control/cancel-\x1b[2J") == "touch 'control/cancel-\\x1b[2J'"
