"""The command line stands on the desk: it has words and arguments, and touches no disk. Read from the source."""

from __future__ import annotations

import ast

import pytest

from tests.house.test_doors import MODULES, PACKAGE, dotted, imports, name_of, parse

VERBS = [path for path in MODULES if path.parent == PACKAGE / "cli"]
DESK = [path for path in MODULES if path.parent == PACKAGE / "client"]
BELOW = (
    "spoolrunner.spool.",
    "spoolrunner.system.durable",
    "spoolrunner.system.heldfiles",
    "spoolrunner.system.processes",
    "spoolrunner.executors",
)
"""What knows the disk and processes, which the command line asks for by way of the desk."""
WORDS_ALONE = {
    "spoolrunner.spool.paths.Layout",  # names of files, for what is printed
    "spoolrunner.spool.output",  # how this process prints
}
"""What of those rooms the command line may use all the same: it touches no disk."""
HARMLESS_OF_OS = {
    "os.path",
    "os.path.join",
    "os.path.dirname",
    "os.path.relpath",
    "os.devnull",
    "os.open",  # of os.devnull alone: nobody reads our output any more
    "os.O_WRONLY",
    "os.dup2",
    "os.close",
}
"""What the command line may use of `os`; all else might touch the disk."""


def full_names(tree: ast.Module) -> set[str]:
    """The full dotted names of all that a module mentions by way of its imports, and of built-in names."""
    local = dict(imports(tree))
    found = set(local.values())
    for node in ast.walk(tree):
        text = dotted(node)
        if text is not None:
            first, dot, rest = text.partition(".")
            found.add(local.get(first, first) + dot + rest)
    return found


@pytest.mark.parametrize("path", VERBS, ids=name_of)
def test_no_verb_touches_the_disk(path):
    """No module of cli/ opens, lists, looks at or removes a file; what it needs of the disk it asks of the desk."""
    names = full_names(parse(path))
    of_os = {name for name in names if name.startswith("os.")}

    assert of_os <= HARMLESS_OF_OS
    assert names & {"open", "io.open", "shutil", "pathlib", "subprocess", "tempfile", "glob"} == set()


@pytest.mark.parametrize("path", VERBS, ids=name_of)
def test_every_verb_asks_the_desk(path):
    """No module of cli/ imports what stands below the desk."""
    below = {full for _, full in imports(parse(path)) if full.startswith(BELOW)}

    assert below - WORDS_ALONE == set()


@pytest.mark.parametrize("path", DESK, ids=name_of)
def test_the_desk_prints_nothing_and_knows_no_arguments(path):
    """No module of client/ prints, or knows argparse, sys or rich: values go in, and values come out."""
    tree = parse(path)
    names = full_names(tree)

    assert "print" not in names
    assert {full.partition(".")[0] for _, full in imports(tree)} & {"argparse", "rich", "sys", "logging"} == set()


def test_the_reader_sees_through_names():
    """A disk operation is found under another name, and in a function."""
    tree = ast.parse("def f():\n from os import path as p, unlink\n return p.exists(x) or open(x)")
    assert {"os.path.exists", "os.unlink", "open"} <= full_names(tree)


@pytest.mark.parametrize("path", [path for path in VERBS if path.stem not in ("out", "render")], ids=name_of)
def test_every_verb_prints_by_the_one_door(path):
    """No module of cli/ calls print or writes to a stream itself: `out` makes every line printable."""
    names = full_names(parse(path))

    assert "print" not in names
    assert {name for name in names if name.startswith(("sys.stdout.write", "sys.stderr.write"))} == set()
