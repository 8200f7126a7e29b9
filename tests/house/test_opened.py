"""Who opens files by a name: in folders that others write to, a name may be a link or a pipe by now. Read from the source."""

from __future__ import annotations

import ast

import pytest

from tests.house.test_doors import MODULES, name_of, parse

OPENERS = {
    "system/heldfiles.py": "open_plain and open_file, for all the others",
    "system/durable.py": "folders, to sync them",
    "system/owners.py": "a new folder, to give it away",
    "system/machine.py": "/proc",
    "system/processes.py": "/proc",
    "attempt/rehearsal.py": "a new file in a folder of its own",
    "system/streams.py": "/dev/null",
    "system/dispositions.py": "/dev/tty",
    "system/mounting.py": "/proc and /sys",
    "system/orphans.py": "/proc",
    "executors/effects.py": "/proc",
    "executors/afresh.py": "a new file of a random name, which is removed at once",
    "config/load.py": "the signing key, which the operator names",
    "client/showcase.py": "a file of the demo, beside config.json",
    "demo_jobs.py": "jobs, not a part of the house",
}
"""module -> what it opens by a name of its own."""
FOLLOWS = {
    "system/durable.py": "a staged file, made anew",
    "config/lookup.py": "config.json may be a link; its owners are looked at",
    "spool/jobfile.py": "says what kind of thing it met",
    "spool/locks.py": "looks at the kind by the status that it needs anyway",
    "telling/logfiles.py": "a log may be a link to where the operator wants it; it does not block either",
}
"""module -> why it uses `open_file`, which opens whatever lies there."""


def opens_by_name(tree: ast.AST) -> bool:
    """Whether there is a call of `open` with anything but a descriptor, or of `os.open`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("os.open", "io.open"):
                return True
            if called == "open" and ast.unparse(node.args[0]) != "descriptor":
                return True
    return False


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_opened_by_those_who_may(path) -> None:
    """No module opens a file by its name but those listed with a reason; the others ask `heldfiles.open_plain`."""
    assert opens_by_name(parse(path)) is (name_of(path) in OPENERS)


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path) != "system/heldfiles.py"], ids=name_of)
def test_links_are_followed_by_those_who_may(path) -> None:
    """`open_file`, which opens whatever lies at a name, is used where there is a reason for it."""
    uses = any(isinstance(node, ast.Name) and node.id == "open_file" for node in ast.walk(parse(path)))
    assert uses is (name_of(path) in FOLLOWS)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open(path)", True),
        ("os.open(path, 0)", True),
        ("with open(x.y, 'rb') as s: pass", True),
        ("open(descriptor, 'rb')", False),
        ("open_plain(path, 0)", False),
        ("service.open()", False),
    ],
)
def test_the_reader_sees_such_calls(source, found) -> None:
    """The reader tells a name from a descriptor."""
    assert opens_by_name(ast.parse(source)) is found
