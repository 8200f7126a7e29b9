"""What an import did to a template: its files, and its threads."""

from __future__ import annotations

import json
import os
import sys
import threading
import types

import pytest

from spoolrunner.executors import imported

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and so no template")


def test_the_files_of_modules(tmp_path) -> None:
    """A module's file is named with its stamp; those of Python itself, and modules without one, are not."""
    path = tmp_path / "mine.py"
    path.write_text("x = 1")
    mine = types.ModuleType("mine")
    mine.__file__ = str(path)
    status = os.stat(path)
    found = imported.code_files([mine, json, sys, types.ModuleType("nowhere")])
    assert found == {str(path): (status.st_mtime_ns, status.st_size)}


def test_the_stamp_of_a_removed_file(tmp_path) -> None:
    """It is another than any that a file can have."""
    assert imported.stamp(str(tmp_path / "gone.py")) == (0, 0)


def test_threads_are_counted() -> None:
    """Each thread counts, also one that waits."""
    before = imported.threads()
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        assert imported.threads() == before + 1
    finally:
        go.set()
        thread.join()


def test_caches_are_warmed(monkeypatch, tmp_path) -> None:
    """The folders of the import path are listed: a later import finds the list."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.path_importer_cache.pop(str(tmp_path), None)
    imported.warm_import_caches()
    assert str(tmp_path) in sys.path_importer_cache
