"""What an import did to a template: its files, and its threads."""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
import zipfile

import pytest

from spoolrunner.executors import imported

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and so no template")


def test_the_files_of_modules(tmp_path) -> None:
    """A module's file is named with its stamp; those of Python itself, and modules without one, are not."""
    path = tmp_path / "mine.py"
    path.write_text("x = 1")
    mine = types.ModuleType("mine")
    mine.__file__ = str(path)
    found = imported.code_files([mine, json, sys, types.ModuleType("nowhere")])
    assert found == {str(path): imported.stamp(str(path))}


def test_the_stamp_of_a_removed_file(tmp_path) -> None:
    """It is another than any that a file can have."""
    assert imported.stamp(str(tmp_path / "gone.py")) == (0, 0, 0, 0, 0)


def test_caches_are_warmed(monkeypatch, tmp_path) -> None:
    """The folders of the import path are listed: a later import finds the list."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    sys.path_importer_cache.pop(str(tmp_path), None)
    imported.warm_import_caches()
    assert str(tmp_path) in sys.path_importer_cache


def stamped(monkeypatch, folder, *names: str) -> imported.Imported:
    """The modules of these names, imported from a folder at the front of the import path."""
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    before = set(sys.modules)
    made = imported.Imported()
    made._began += 1000  # what the test has just written counts as written long ago
    for name in names:
        importlib.import_module(name)
    made.remember(before)
    assert not made.is_outdated()
    return made


@pytest.fixture
def forget():
    """Forget the modules that a test imports."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.usefixtures("forget")
def test_a_file_of_equal_size_and_time(monkeypatch, tmp_path) -> None:
    """Another file counts though its size and its time are those of the one that was imported, in place or by rename."""
    for name in ("unit_same_a", "unit_same_b"):
        (tmp_path / f"{name}.py").write_text("x = 1")
        os.utime(tmp_path / f"{name}.py", (1, 1))
    by_rename = stamped(monkeypatch, tmp_path, "unit_same_a")
    in_place = stamped(monkeypatch, tmp_path, "unit_same_b")
    (tmp_path / "new").write_text("x = 2")
    os.utime(tmp_path / "new", (1, 1))
    (tmp_path / "new").replace(tmp_path / "unit_same_a.py")
    assert by_rename.is_outdated()
    assert not in_place.is_outdated()
    (tmp_path / "unit_same_b.py").write_text("x = 2")
    os.utime(tmp_path / "unit_same_b.py", (1, 1))
    assert in_place.is_outdated()


@pytest.mark.usefixtures("forget")
def test_a_module_in_an_archive(monkeypatch, tmp_path) -> None:
    """It is outdated when the archive is another."""
    archive = tmp_path / "app.zip"
    for text in ("x = 1", "x = 2"):
        with zipfile.ZipFile(tmp_path / "new.zip", "w") as made:
            made.writestr("unit_zipped/__init__.py", text)
        (tmp_path / "new.zip").replace(archive)
        if text == "x = 1":
            known = stamped(monkeypatch, archive, "unit_zipped")
    assert list(known._code) == [str(archive)]
    assert known.is_outdated()


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("name", ["colorsys.py", "unit_pkg/inner.py", "unit_pkg/inner/__init__.py", "unit_plain/x.py"])
def test_a_file_that_comes_to_shadow_a_module(monkeypatch, tmp_path, name) -> None:
    """A new file that Python would find before what was imported counts; any other new file does not."""
    (tmp_path / "unit_pkg").mkdir()
    (tmp_path / "unit_pkg" / "__init__.py").write_text("import colorsys\nfrom . import other\n")
    (tmp_path / "unit_pkg" / "other.py").write_text("__path__ = []\nimport sys\nsys.modules['unit_pkg.inner'] = sys\n")
    (tmp_path / "unit_plain.py").write_text("")
    known = stamped(monkeypatch, tmp_path, "unit_pkg", "unit_plain")
    (tmp_path / "unit_notes.txt").write_text("")
    (tmp_path / "unit_pkg" / "unit_more.py").write_text("")
    assert not known.is_outdated()
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    assert known.is_outdated()


@pytest.mark.usefixtures("forget")
def test_what_is_written_while_it_is_imported(monkeypatch, tmp_path) -> None:
    """Which version was imported cannot be known, so it counts as changed."""
    (tmp_path / "unit_new.py").write_text("x = 1")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made = imported.Imported()
    made._began -= 1000
    importlib.import_module("unit_new")
    made.remember(set(sys.modules) - {"unit_new"})
    assert made.is_outdated()


def test_a_folder_that_is_not_there_yet(monkeypatch, tmp_path) -> None:
    """Python itself would never look for it again."""
    folder = str(tmp_path / "later")
    monkeypatch.setattr(sys, "path", [folder, *sys.path])
    imported.warm_import_caches()
    assert folder not in sys.path_importer_cache
