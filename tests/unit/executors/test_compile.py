"""Compiling modules ahead: what is made ready, and what is left to the import in a job's own process."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.attempt import compiled
from spoolrunner.executors.compile import compile_ahead
from tests.unit.attempt.test_compiled import home, later, no_ways, write

__all__ = ["home", "later", "no_ways"]  # fixtures


def test_a_module_is_compiled_and_not_run(home) -> None:
    """Nothing of the module happens before a job's process runs it."""
    write(home / "a1.py", "import os\nos.environ['A1'] = 'ran'\nVALUE = 5\n")
    assert compile_ahead(["a1"]) == [str(home / "a1.py")]
    assert "A1" not in os.environ
    assert "a1" not in sys.modules
    assert compiled.run("a1") == 1
    assert os.environ.pop("A1") == "ran"
    assert sys.modules["a1"].VALUE == 5


@pytest.mark.parametrize("text", ["def broken(:\n", "\x00", "# coding: no-such\n"])
def test_what_cannot_be_compiled_is_left_to_import(home, text) -> None:
    """The job's own process meets the error, and records it."""
    write(home / "a11.py", text)
    assert compile_ahead(["a11", "no_such_module", "sys.path", "a..b", ""]) == []
    assert compiled.ways == {}


def test_namespace_packages_are_left_to_import(home) -> None:
    """A package without a file gets its folders from all of the import path."""
    write(home / "space12/a12.py", "VALUE = 1\n")
    assert compile_ahead(["space12.a12"]) == []


def test_what_was_written_just_now_is_left_to_import(tmp_path, monkeypatch) -> None:
    """A second change within the same tick of the file system's clock could not be seen."""
    monkeypatch.syspath_prepend(str(tmp_path))
    write(tmp_path / "a13.py", "VALUE = 1\n")
    assert compile_ahead(["a13"]) == []


def test_bytecode_that_is_written_meanwhile(home) -> None:
    """To write the bytecode changes the folder that was looked at: it is looked at again."""
    write(home / "pkg14/__init__.py", "")
    write(home / "pkg14/a14.py", "VALUE = 1\n")
    write_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        assert len(compile_ahead(["pkg14.a14"])) == 2
    finally:
        sys.dont_write_bytecode = write_bytecode
    assert (home / "pkg14/__pycache__").is_dir()
    assert compiled.run("pkg14.a14") == 2
