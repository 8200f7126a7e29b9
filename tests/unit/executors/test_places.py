"""What lies at the paths of an installation: another folder or archive counts, what is done in a folder does not."""

from __future__ import annotations

import os

import pytest

from spoolrunner.executors.places import Places, cannot_start, places_of


def test_a_folder(tmp_path) -> None:
    """It counts when it is made, made anew or gone, once each; what is in it does not."""
    path = tmp_path / "folder"
    places = Places([str(path), str(path), ""])
    assert not places.have_changed()
    path.mkdir()
    assert places.have_changed()
    (path / "file").write_text("")
    assert not places.have_changed()
    path.rename(tmp_path / "old")
    path.mkdir()
    assert places.have_changed()
    path.rmdir()
    assert places.have_changed()
    assert not places.have_changed()


def test_a_link_on_the_way(tmp_path) -> None:
    """A path is followed at each look."""
    for name in ("one", "two"):
        (tmp_path / name / "src").mkdir(parents=True)
    link = tmp_path / "current"
    try:
        link.symlink_to("one", target_is_directory=True)
    except OSError:
        pytest.skip("no links may be made here")
    places = Places([str(link / "src")])
    link.unlink()
    link.symlink_to("two", target_is_directory=True)
    assert places.have_changed()


def test_an_archive_of_equal_size_and_time(tmp_path) -> None:
    """Another file at the path counts though it looks the same."""
    path, new = tmp_path / "app.zip", tmp_path / "new.zip"
    path.write_text("one")
    new.write_text("two")
    for each in (path, new):
        os.utime(each, (1, 1))
    places = Places([str(path)])
    assert not places.have_changed()
    new.replace(path)
    assert places.have_changed()


def test_the_places_of_a_plan(config, plan_of, tmp_path) -> None:
    """They are the folder, the import path, and where the interpreter is found."""
    for name in ("bin", "src"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / ("python.exe" if os.name == "nt" else "python")
    program.write_text("")
    program.chmod(0o755)
    made = config(python_path=["src"], python_binary=str(program))
    places = places_of(plan_of(made))
    for name in ("bin", "src"):
        (tmp_path / name).rename(tmp_path / f"old {name}")
        (tmp_path / name).mkdir()
        assert places.have_changed(), name


def test_why_nothing_can_be_started(tmp_path) -> None:
    """The program is named, or the folder when that is gone."""
    error = FileNotFoundError(2, "No such file or directory")
    here, gone = str(tmp_path), str(tmp_path / "gone")
    assert str(cannot_start("no-such-python", here, error)) == "cannot start no-such-python: No such file or directory"
    assert str(cannot_start("python", gone, error)) == f"cannot start a process in {gone}: No such file or directory"
